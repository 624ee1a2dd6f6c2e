/** The thread behind `whole-item-thread.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import { readWholeItem, type WholeItemRequest } from './whole-item.ts';
import type { WholeItemReply } from './whole-item-thread.ts';

let reply: WholeItemReply;
try {
  // What `readInThread` passes, and nobody else starts this file.
  reply = { result: await readWholeItem(workerData as WholeItemRequest) };
} catch (thrown) {
  reply = { unreadable: thrown instanceof Error ? thrown.message : String(thrown) };
}
parentPort?.postMessage(reply);
