import { expect, test } from 'vitest';
import type { EventFromLogic, SnapshotFrom } from 'xstate';
import { BridgeError } from '../../src/errors.ts';
import { opened } from '../../src/machines/approvals.ts';
import type { RunOutcome } from '../../src/machines/run-events.ts';
import { runs } from '../../src/machines/runs.ts';
import { planOf, row, runsUnderTest, startKeeping, type Keeping } from '../support/keeping.ts';
import {
  inPieces,
  tellingWalks,
  transitionCoverage,
  walksOf,
  type Walk,
} from '../support/walk-paths.ts';

type RunsEvent = EventFromLogic<typeof runs>;

/** Events of XState itself, which the types of a machine do not list. */
function own(type: string, actorId?: string, fields: Record<string, unknown> = {}): RunsEvent {
  return { type: `xstate.${type}`, ...(actorId ? { actorId } : {}), ...fields } as never;
}

const outcome: RunOutcome = { runId: 'r1', state: 'completed', exitCode: 0, signal: null };
const gone = new BridgeError('convex_unavailable', 'gone');
const recovery = '0.runs.recovering';
const submitted = { run: row('r1'), threadId: 't1' };

const approval = opened(
  { approvalId: 'a1', kind: 'command', command: 'x', turnId: 't', itemId: 'i' },
  { runId: 'r1', now: 0, timeout: 1_000 },
);

const events: RunsEvent[] = [
  { type: 'convex.online' },
  { type: 'convex.offline', reason: 'gone' },
  { type: 'shutdown' },
  {
    type: 'control.request',
    requestId: 'q',
    clientId: 'client-1',
    request: { control: 'run.submit', threadDocId: 'd', text: 'x' },
  },
  { type: 'prompt.submitted', requestId: 'q', prompt: { text: 'x' } },
  { type: 'rows.open', runs: [row('r1')] },
  {
    type: 'control.request',
    requestId: 'e',
    clientId: 'client-1',
    request: { control: 'run.edit', runId: 'r2', text: 'y' },
  },
  { type: 'rows.open', runs: [row('r1', { status: 'processing' })] },
  { type: 'rows.open', runs: [row('r1'), row('r2', { threadDocId: 'thread-of-r1' })] },
  { type: 'run.alive', runId: 'r1', facts: {} },
  { type: 'run.planned', plan: planOf(row('r1')), startedAt: 1 },
  { type: 'run.changed', runId: 'r1', state: 'running', facts: {} },
  { type: 'run.sessionKnown', runId: 'r1', resumeId: 's1' },
  { type: 'run.printed', runId: 'r1', items: [], bytes: 1 },
  { type: 'run.streamed', threadId: 't1', pieces: [] },
  { type: 'run.approval', approval },
  { type: 'run.steered', runId: 'r1', requestId: 'q' },
  { type: 'rows.answered', answers: [] },
  { type: 'record.retry', approvalId: 'a1' },
  own('done.actor.approval-a1', 'approval-a1', { output: 'open' }),
  own('error.actor.approval-a1', 'approval-a1', { error: gone }),
  { type: 'writer.started' },
  { type: 'write.failed', jobId: 'none', error: gone },
  {
    type: 'write.done',
    jobId: 'none',
    result: { threadDocId: '', threadId: '', inserted: 0, known: 0, claimed: 0, rejected: [] },
  },
  { type: 'settle.retry', runId: 'r1' },
  own(`done.actor.${recovery}`, recovery, { output: { ended: [] } }),
  own(`error.actor.${recovery}`, recovery, { error: gone }),
  own('done.actor.submit', 'submit', { output: submitted }),
  own('error.actor.submit', 'submit', { error: gone }),
  own('done.actor.run-r1', 'run-r1', { output: outcome }),
  own('error.actor.run-r1', 'run-r1', { error: new Error('a bug') }),
  own('done.actor.left-r1', 'left-r1', { output: outcome }),
  own('done.actor.edit-e', 'edit-e', { output: null }),
  own('done.actor.settle-r1', 'settle-r1'),
  own('error.actor.settle-r1', 'settle-r1', { error: gone }),
  own('after.SUBMIT_LIMIT.runs.serving.submitting'),
  own('after.STOP_LIMIT.runs.stopping'),
];

/** What decides about transitions. */
function key({ value, status, context }: SnapshotFrom<typeof runs>): string {
  const phases = Object.values(context.book).map(({ phase }) => phase);
  const waiting = Math.min(context.submissions.length, 1);
  const unsettled = Object.keys(context.unsettled);
  const unrecorded = Object.values(context.unrecorded).map(({ state }) => state);
  const edits = Object.keys(context.edits);
  const { online } = context;
  return JSON.stringify([value, status, phases, waiting, unsettled, online, unrecorded, edits]);
}

/** A child ends once it is there, and nobody's promise answers twice. */
function canCome(
  { value, children, context }: SnapshotFrom<typeof runs>,
  event: { type: string; requestId?: unknown; runs?: readonly unknown[] },
) {
  const [, child] = /^xstate\.(?:done|error)\.actor\.(.*)$/.exec(event.type) ?? [];
  // What can be done to a run that waits is walked on its own.
  const isAfterWaiting = (event.runs?.length ?? 0) > 1;
  if (isAfterWaiting) return Object.keys(context.book).length === 0 && context.online;
  // So is what is left of an earlier life, to its end.
  if (context.book['r1']?.phase === 'left') return event.type.endsWith('left-r1');
  if ('r2' in context.book) return event.requestId === 'e' || event.type.endsWith('edit-e');
  // Each has an id of its own.
  if ('requestId' in event && event.requestId === 'e' && 'edit-e' in children) return false;
  if (context.submissions.length > 1 && event.type.endsWith('request')) return false;
  if (child === undefined) return true;
  return child === recovery ? value === 'recovering' : child in children;
}

const usualPolicy = { sandbox: 'danger-full-access', approvals: 'never' } as const;
const input = { machineId: 'm1', maxRuns: 2, usualPolicy, now: () => 0 };
const walks = walksOf(runs, { input, events, key, canCome });

function play(walk: Walk, options: Parameters<typeof startKeeping>[0] = {}): Keeping {
  const keeping = startKeeping(options);
  // The walk is made of the events above.
  for (const event of walk.events as RunsEvent[]) keeping.send(event);
  return keeping;
}

test.each(inPieces(walks))(
  'generated walks end where the model says, from $first on',
  ({ some }) => {
    for (const walk of some) {
      const keeping = play(walk);
      expect(keeping.snapshot().value, JSON.stringify(walk.events)).toEqual(walk.value);
      keeping.stop();
    }
  },
);

test('generated walks take every transition', () => {
  const { inspect, missing } = transitionCoverage(runsUnderTest);
  for (const walk of tellingWalks(walks)) play(walk, { inspect }).stop();
  expect(missing()).toEqual([]);
});
