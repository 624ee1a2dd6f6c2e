/** The thread behind `verify-in-thread.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import { toBridgeError } from '../../errors.ts';
import { Redaction } from '../convex/redaction.ts';
import { Mirror } from './mirror.ts';
import type { VerifyRequest, VerifyThreadMessage } from './verify-in-thread.ts';
import { verifySessions } from './verify-sessions.ts';

// What `verifyInThread` passes, and nobody else starts this file.
const { url, token, redaction, ...request } = workerData as VerifyRequest;
const mirror = new Mirror(url, token, request.machineId);
const tell = (message: VerifyThreadMessage) => parentPort?.postMessage(message);

// The only thing that comes is a fresh token.
parentPort?.on('message', (fresh: string) => mirror.setToken(fresh));
try {
  const report = await verifySessions({
    ...request,
    mirror,
    redaction: Redaction.from(redaction),
    onProgress: (report) => tell({ type: 'progress', report }),
  });
  tell({ type: 'done', report });
} catch (thrown) {
  const { code, message } = toBridgeError(thrown);
  tell({ type: 'failed', code, message });
}
parentPort?.close();
