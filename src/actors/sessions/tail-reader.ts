/** The actor behind a tail: holds the open file and what its lines have told so far. */
import { fromCallback } from 'xstate';
import { toBridgeError } from '../../errors.ts';
import type { ReaderCommand, ReaderEvent } from '../../machines/sessions-events.ts';
import { SessionReader, type SessionReaderOptions } from './session-reader.ts';

export type TailReaderOptions = Omit<SessionReaderOptions, 'path' | 'nextJobId'>;

/** Job ids are `<tail>#<number>`; the number is unique in the process, over restarts of tails. */
export function tailReader(options: TailReaderOptions) {
  let jobs = 0;
  return fromCallback<ReaderCommand, { path: string; tailId: string }>(
    ({ input, sendBack, receive }) => {
      const { path, tailId } = input;
      const nextJobId = () => `${tailId}#${(jobs += 1)}`;
      const reader = new SessionReader({ ...options, path, nextJobId });
      let stopped = false;
      const answer = (event: ReaderEvent) => {
        if (!stopped) sendBack(event);
      };

      const obey = async (command: ReaderCommand): Promise<void> => {
        if (command.type === 'batch.committed') return await reader.committed(command.result);
        if (command.type === 'batch.rejected') await reader.rejected(command.error);
        const next = await reader.next(command.type === 'batch.next' && command.live);
        if (next.type === 'batch') answer({ type: 'batch.ready', job: next.job });
        else if (next.type === 'caughtUp') answer({ type: 'file.caughtUp' });
        else answer({ type: 'file.gone' });
      };

      let last: Promise<void> = Promise.resolve();
      receive((command) => {
        // One after the other: a command that overtakes would find the file half read.
        last = last
          .then(() => (stopped ? undefined : obey(command)))
          .catch((thrown: unknown) =>
            answer({ type: 'file.failed', error: toBridgeError(thrown, 'session_unreadable') }),
          );
      });
      return () => {
        stopped = true;
        reader.stop();
        void last.then(() => reader.close()).catch(() => {});
      };
    },
  );
}
