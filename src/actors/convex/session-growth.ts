/** Watches whether the session file of a run grows: a sign of life beside what Codex prints. */
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fromCallback, type EventObject } from 'xstate';

/** Milliseconds; nobody wants to know it more precisely. */
const MOST = 30_000;
const LEAST = 250;

/** `pathOf` tells where the file is, once that is known. */
export function sessionGrowth(
  pathOf: (input: { threadDocId: string; sessionId: string }) => Promise<string | undefined>,
) {
  return fromCallback<EventObject, { threadDocId: string; sessionId: string; interval: number }>(
    ({ input, sendBack }) => {
      const stopped = new AbortController();
      void watch(stopped.signal).catch(() => {});
      return () => stopped.abort();

      async function watch(signal: AbortSignal): Promise<void> {
        const interval = Math.min(MOST, Math.max(LEAST, input.interval));
        let path: string | undefined;
        let known: number | undefined;
        for (;;) {
          await sleep(interval, undefined, { signal, ref: false });
          path ??= await pathOf(input).catch(() => undefined);
          const size = path === undefined ? undefined : await sizeOf(path);
          if (size === undefined) path = undefined;
          else if (known !== undefined && size > known && !signal.aborted) {
            sendBack({ type: 'file.grew' });
          }
          known = size ?? known;
        }
      }
    },
  );
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch {
    return undefined;
  }
}
