/** Reads one item in a thread of its own: the file may be large, and the daemon has others to serve. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { wholeItemEntry } from '../../entries.ts';
import { BridgeError, toBridgeError } from '../../errors.ts';
import { MAX_WHOLE_LINE, type WholeItemRequest, type WholeItemResult } from './whole-item.ts';

/** From the thread. */
export type WholeItemReply = { result: WholeItemResult } | { unreadable: string };

/** MiB. Enough for the longest line that is read whole, in all its shapes. */
const HEAP_LIMIT = 16 * (MAX_WHOLE_LINE / (1024 * 1024));

/** Rejects with `session_unreadable`, or with `shutdown` when the signal says so. */
export async function readInThread(
  request: WholeItemRequest,
  signal: AbortSignal,
): Promise<WholeItemResult> {
  const worker = new Worker(wholeItemEntry(), {
    workerData: request,
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: HEAP_LIMIT },
  });
  try {
    // Rejects with the thread's own error.
    const message: unknown[] = await once(worker, 'message', { signal });
    // Our own thread: it sends this and nothing else.
    const reply = message[0] as WholeItemReply;
    if ('result' in reply) return reply.result;
    throw new BridgeError('session_unreadable', reply.unreadable);
  } catch (thrown) {
    if (signal.aborted) throw new BridgeError('shutdown', '', { cause: thrown });
    throw toBridgeError(thrown, 'session_unreadable');
  } finally {
    await worker.terminate();
  }
}
