/** A verification in a thread of its own: it reads gigabytes, and the daemon has others to serve. */
import { Worker } from 'node:worker_threads';
import { verifyEntry } from '../../entries.ts';
import { toBridgeError } from '../../errors.ts';
import type { RedactionSettings } from '../convex/redaction.ts';
import type { VerifyOptions } from './verify-sessions.ts';
import type { ReportFields } from './verify-report.ts';

export interface VerifyRequest extends Omit<VerifyOptions, 'mirror' | 'redaction' | 'onProgress'> {
  redaction: RedactionSettings;
  /** Of Convex, and the bridge's token for it. */
  url: string;
  token: string;
}

/** From the thread; the last one is `done` or `failed`. */
export type VerifyThreadMessage =
  | { type: 'progress' | 'done'; report: ReportFields }
  | { type: 'failed'; code: string; message: string };

/** MiB. The longest line that is read whole, in all its shapes, and a page of rows. */
const HEAP_LIMIT = 256;
/** Milliseconds; a token lives three times as long. */
const TOKEN_EVERY = 20 * 60_000;

/** Returns what ends it early. Told once of its end, unless it was ended. */
export function verifyInThread(
  request: VerifyRequest,
  freshToken: () => Promise<string>,
  onMessage: (message: VerifyThreadMessage) => void,
): () => void {
  const worker = new Worker(verifyEntry(), {
    workerData: request,
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: HEAP_LIMIT },
  });
  const refreshing = setInterval(() => {
    freshToken()
      .then((token) => worker.postMessage(token))
      // The one that it has goes on being good for a while; the next is asked for in time.
      .catch(() => {});
  }, TOKEN_EVERY);
  let isOver = false;
  const end = (last?: VerifyThreadMessage) => {
    if (isOver) return;
    isOver = true;
    clearInterval(refreshing);
    if (last !== undefined) onMessage(last);
    void worker.terminate();
  };
  worker.on('message', (message: VerifyThreadMessage) => {
    if (message.type !== 'progress') end(message);
    else if (!isOver) onMessage(message);
  });
  worker.on('error', (error) => {
    const { code, message } = toBridgeError(error);
    end({ type: 'failed', code, message });
  });
  worker.on('exit', (code) => {
    end({ type: 'failed', code: 'internal', message: `The thread ended with code ${code}.` });
  });
  return () => end();
}
