/**
 * What became of a run that went on when an earlier life of the bridge ended: its session
 * file says whether the turn came to its end all the same.
 */
import { createReadStream } from 'node:fs';
import { once } from 'node:events';
import { fromPromise } from 'xstate';
import { z } from 'zod';
import type { OpenRun, RunOutcome } from '../../machines/run-events.ts';
import { leftBehind, outcomeOfTurn } from '../../machines/run-outcome.ts';
import type { TurnEnd } from '../../machines/codex-process-events.ts';
import { outputLines } from '../codex-process/output-lines.ts';

/** Never rejects: of what is not known it is said that the bridge has ended. */
export function judgeLeft(
  pathOf: (run: { threadDocId: string; sessionId: string }) => Promise<string | undefined>,
) {
  return fromPromise<RunOutcome, OpenRun>(async ({ input }) => {
    const { runId, threadDocId, sessionId, startedAt } = input;
    if (sessionId === undefined || startedAt === undefined) return leftBehind(runId);
    const turn = await pathOf({ threadDocId, sessionId })
      .then(async (path) => (path === undefined ? undefined : await turnSince(path, startedAt)))
      .catch(() => undefined);
    return turn === undefined || turn.status === 'interrupted'
      ? leftBehind(runId)
      : outcomeOfTurn(runId, turn);
  });
}

/**
 * How the first turn ended that began then or later; undefined when it did not. One process, one
 * prompt: what began after it is somebody else's.
 */
async function turnSince(path: string, startedAt: number): Promise<TurnEnd | undefined> {
  let end: TurnEnd | undefined;
  let turn: 'none' | 'ours' | 'over' = 'none';
  const stream = createReadStream(path);
  const lines = outputLines(stream, (line) => {
    if (line === null || !OF_TURNS.test(line)) return;
    const parsed = turnLine.safeParse(parsedOrNull(line));
    if (!parsed.success) return;
    const { timestamp, payload } = parsed.data;
    if (turn === 'ours') {
      turn = 'over';
      if (payload.type !== 'task_started') end = endOf(payload);
    } else if (turn === 'none' && payload.type === 'task_started') {
      // Codex writes the time to the millisecond, from the same clock.
      if (Date.parse(timestamp) >= startedAt) turn = 'ours';
    }
  });
  await once(stream, 'close');
  lines.finish();
  return end;
}

const OF_TURNS = /"(?:task_started|task_complete|turn_aborted)"/;

const failure = z
  .union([z.string(), z.object({ message: z.string() }).transform(({ message }) => message)])
  .optional()
  .catch(undefined);

const turnLine = z.object({
  timestamp: z.string(),
  type: z.literal('event_msg'),
  payload: z.discriminatedUnion('type', [
    z.object({ type: z.literal('task_started') }),
    z.object({ type: z.literal('task_complete'), error: failure }),
    z.object({ type: z.literal('turn_aborted') }),
  ]),
});

function endOf(
  payload: Exclude<z.output<typeof turnLine>['payload'], { type: 'task_started' }>,
): TurnEnd {
  if (payload.type === 'turn_aborted') return { status: 'interrupted' };
  const { error } = payload;
  return error === undefined ? { status: 'completed' } : { status: 'failed', error };
}

function parsedOrNull(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
