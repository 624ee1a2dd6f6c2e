/** Writes into a run's row how far it has come: the newest of it, one write at a time. */
import { fromCallback } from 'xstate';
import { api } from '../../../convex/_generated/api.js';
import type { Id } from '../../../convex/_generated/dataModel.js';
import { defined } from '../../codex/defined.ts';
import type { RunFrame } from '../../control/frames.ts';
import type { ProgressEvent } from '../../machines/runs-events.ts';
import type { ConvexConnection } from './connection.ts';

/**
 * What Convex refuses, or cannot take now, is not written again: the next sign of life says
 * more, and the end of the run is written by others, for certain.
 */
export function runProgress(connection: Pick<ConvexConnection, 'mutation'>, machineId: string) {
  return fromCallback<ProgressEvent>(({ receive }) => {
    const newest = new Map<string, RunFrame>();
    let isWriting = false;

    async function write(): Promise<void> {
      if (isWriting) return;
      isWriting = true;
      for (const [runId, frame] of newest) {
        newest.delete(runId);
        const progress = progressOf(frame);
        await connection
          .mutation(api.runs.progress, { machineId, runId: runId as Id<'runs'>, progress })
          .catch(() => {});
      }
      isWriting = false;
    }

    receive(({ frame }) => {
      newest.set(frame.runId, frame);
      void write();
    });
  });
}

/** What a row has of what was seen of a run. */
export function progressOf(seen: Partial<RunFrame>) {
  const { state, evidence, cwd, driver, pid, resumeId, holder } = seen;
  const { spawnedAt, sessionAt, turnAt } = seen;
  return {
    // Before Codex has told it, it is only what was asked for.
    ...defined({ sessionId: sessionAt === undefined ? undefined : resumeId }),
    ...defined({ state, evidence, cwd, driver, pid, holder, spawnedAt, sessionAt, turnAt }),
  };
}
