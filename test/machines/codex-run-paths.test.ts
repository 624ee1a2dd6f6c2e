import { expect, test } from 'vitest';
import type { EventFromLogic, SnapshotFrom } from 'xstate';
import { BridgeError } from '../../src/errors.ts';
import type { codexRun } from '../../src/machines/codex-run.ts';
import { openRun, runPlan, runUnderTest, startRunning, type Running } from '../support/running.ts';
import { inPieces, tellingWalks, transitionCoverage, walksOf } from '../support/walk-paths.ts';

type RunEvent = EventFromLogic<typeof codexRun>;

/** Events of XState itself, which the types of a machine do not list. */
function own(type: string, fields: Record<string, unknown> = {}): RunEvent {
  return { type: `xstate.${type}`, ...fields } as never;
}
const prepare = '0.codexRun.preparing.planning';
const findHolder = '0.codexRun.heldElsewhere.looking';

// Always silent, but while an approval is open: the clock of a walk stands still.
const appServerPlan = { ...runPlan, driver: 'app-server', stallAfter: 0 } as const;
const request = {
  approvalId: 'a1',
  kind: 'command',
  command: 'x',
  turnId: 't',
  itemId: 'i',
} as const;

const events: RunEvent[] = [
  { type: 'run.start', lastSessions: { byDirectory: {} } },
  { type: 'run.interrupt', reason: 'x' },
  { type: 'run.interrupt', reason: 'x', hurry: true },
  { type: 'process.spawned', pid: 7 },
  { type: 'process.refused', error: new BridgeError('codex_missing', '') },
  { type: 'process.lines', stream: 'stdout', lines: [''] },
  { type: 'process.session', resumeId: 's' },
  { type: 'process.items', items: [], bytes: 0 },
  { type: 'process.pieces', pieces: [] },
  { type: 'process.approval', request },
  { type: 'process.approvalGone', approvalId: 'a1' },
  { type: 'approval.answer', approvalId: 'a1', decision: 'accept', decidedBy: 'client-1' },
  { type: 'approval.expired', approvalId: 'a1' },
  { type: 'run.steer', requestId: 'q', text: 'more' },
  { type: 'process.steered', requestId: 'q' },
  { type: 'process.conflict' },
  { type: 'process.turnStarted' },
  { type: 'file.grew' },
  { type: 'run.gone' },
  { type: 'process.turnEnded', turn: { status: 'completed' } },
  { type: 'process.turnEnded', turn: { status: 'failed' } },
  { type: 'process.turnEnded', turn: { status: 'interrupted' } },
  { type: 'process.exited', exitCode: 0, signal: null },
  { type: 'process.exited', exitCode: 1, signal: null },
  own(`done.actor.${prepare}`, { output: runPlan, actorId: prepare }),
  own(`done.actor.${prepare}`, { output: appServerPlan, actorId: prepare }),
  own(`done.actor.${prepare}`, { output: null, actorId: prepare }),
  own(`error.actor.${prepare}`, { error: new BridgeError('convex_unavailable', '') }),
  own(`error.actor.${prepare}`, { error: new BridgeError('thread_unknown', '') }),
  own('after.PREPARE_RETRY.codexRun.preparing.waiting'),
  own('after.SPAWN_LIMIT.codexRun.spawning'),
  own('after.RUN_LIMIT.codexRun.running'),
  own('after.START_LIMIT.codexRun.running.work.starting'),
  own('after.SETTLE_LIMIT.codexRun.running.work.settling'),
  own('after.SILENCE.codexRun.running.signs.alive'),
  own(`done.actor.${findHolder}`, { output: 'process 9', actorId: findHolder }),
  own(`error.actor.${findHolder}`, { error: new Error('no ps'), actorId: findHolder }),
  own('after.CONFLICT_RETRY.codexRun.heldElsewhere.waiting'),
  own('after.SIGINT_DELAY.codexRun.interrupting.asking'),
  own('after.SIGTERM_DELAY.codexRun.interrupting.sigint'),
  own('after.SIGKILL_DELAY.codexRun.interrupting.sigterm'),
  own('after.KILL_LIMIT.codexRun.interrupting.sigkill'),
];

/** What decides about transitions. */
function key({ value, status, context }: SnapshotFrom<typeof codexRun>): string {
  const { turn, stop, exit, error, taken, plan, approvals, conflict, fork } = context;
  return JSON.stringify([
    value,
    status,
    turn?.status,
    stop?.kind,
    stop?.hurry,
    exit?.exitCode,
    error?.code,
    taken,
    plan?.driver,
    Object.keys(approvals).length,
    conflict !== null,
    fork,
  ]);
}

/** The preparation answers only while it is asked, and only a process can ask for an answer. */
function canCome(snapshot: SnapshotFrom<typeof codexRun>, { type }: { type: string }): boolean {
  if (type === 'process.approval') return snapshot.children['process'] !== undefined;
  // Codex refuses a session before it has told it.
  if (type === 'process.conflict') return snapshot.matches({ running: { work: 'starting' } });
  if (type.endsWith(findHolder)) return snapshot.matches({ heldElsewhere: 'looking' });
  return !type.endsWith(prepare) || snapshot.matches({ preparing: 'planning' });
}

/** Three stories, so that each is told to its end without all the others in between. */
const ofConflict =
  /^run\.(?:start|interrupt)$|^process\.(?:spawned|conflict|exited)$|planning$|heldElsewhere/;
const ofSilence =
  /^run\.(?:start|interrupt)$|^process\.(?:spawned|session|turnStarted|approval)$|planning$|SILENCE|grew/;

const walks = [
  { fits: (type: string) => !/conflict|heldElsewhere|SILENCE|turnStarted|grew/.test(type) },
  { fits: (type: string) => ofSilence.test(type) },
  { fits: (type: string) => ofConflict.test(type) },
  { fits: (type: string) => ofConflict.test(type), onConflict: 'wait' as const },
  { fits: (type: string) => ofConflict.test(type), onConflict: 'fork' as const },
].flatMap(({ fits, ...wish }) => {
  const run = { ...openRun, ...wish };
  const input = { run, now: () => 0 };
  const possible = events.filter(({ type }) => fits(type));
  return walksOf(runUnderTest, { input, events: possible, key, canCome }).map((walk) => ({
    ...walk,
    run,
  }));
});

function play(walk: (typeof walks)[number], inspect?: Parameters<typeof startRunning>[0]): Running {
  const run = startRunning(inspect, walk.run);
  // The walk is made of the events above.
  for (const event of walk.events as RunEvent[]) run.send(event);
  return run;
}

const pieces = inPieces(walks);

test('there are thousands of walks', () => {
  expect(walks.length).toBeGreaterThan(5_000);
});

test.each(pieces)('generated walks end where the model says, from $first on', ({ some }) => {
  for (const walk of some) {
    const run = play(walk);
    expect(run.snapshot().value, JSON.stringify(walk.events)).toEqual(walk.value);
    run.stop();
  }
});

test('generated walks take every transition', () => {
  const coverage = transitionCoverage(runUnderTest);
  const telling = tellingWalks(walks, ({ run, events }) => [
    run.onConflict,
    JSON.stringify(events).includes('app-server'),
  ]);
  for (const walk of telling) play(walk, coverage.inspect).stop();
  expect(coverage.missing()).toEqual([]);
});

test.each(pieces)(
  'from wherever a run is, an interrupt brings it to one end, also of a Codex that ignores it: from $first on',
  ({ some }) => {
    for (const walk of some) {
      const run = play(walk);
      if (run.snapshot().status === 'active') run.send({ type: 'run.interrupt', reason: 'x' });
      // Asked, then SIGINT, SIGTERM, SIGKILL, and then it is given up.
      for (const limit of [2_000, 3_000, 5_000, 5_000]) run.clock.increment(limit);
      expect(run.snapshot().status, JSON.stringify(walk.events)).toBe('done');
      expect(run.outcome()?.state).toBe(run.snapshot().value);
      run.stop();
    }
  },
);
