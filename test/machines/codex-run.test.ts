import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BridgeError } from '../../src/errors.ts';
import { openRun, runPlan, startRunning, type Running } from '../support/running.ts';

let run: Running;
beforeEach(() => void (run = startRunning()));
afterEach(() => run.stop());

const start = () => run.send({ type: 'run.start', lastSessions: { byDirectory: {} } });
const spawned = { type: 'process.spawned', pid: 77 } as const;
const session = { type: 'process.session', resumeId: 's1' } as const;
const turnDone = { type: 'process.turnEnded', turn: { status: 'completed' } } as const;
const exited = (exitCode: number | null, signal: string | null = null, error?: string) =>
  ({ type: 'process.exited', exitCode, signal, ...(error ? { error } : {}) }) as const;

async function spawn() {
  start();
  await run.prepared(runPlan);
}

/** In the middle of its turn. */
async function work() {
  await spawn();
  run.codex(spawned, session);
}

const interrupt = (hurry = false) =>
  run.send({ type: 'run.interrupt', reason: 'a client asked for it', hurry });

test('goes from the queue to its end, and tells each state with what is known', async () => {
  expect(run.state()).toBe('queued');
  start();
  expect(run.state()).toBe('preparing.planning');
  await run.prepared(runPlan);
  expect(run.state()).toBe('spawning');
  run.codex(spawned);
  expect(run.state()).toBe('running.starting');
  run.codex(session);
  expect(run.state()).toBe('running.turn');
  run.codex(turnDone);
  expect(run.state()).toBe('running.settling');
  run.codex(exited(0));
  expect(run.state()).toBe('completed');
  expect(run.outcome()).toEqual({
    runId: 'r1',
    state: 'completed',
    exitCode: 0,
    signal: null,
    facts: expect.objectContaining({ resumeId: 's1', spawnedAt: 0, sessionAt: 0 }),
  });
  const place = { threadId: 't1', cwd: '/w' };
  expect(run.reports).toMatchObject([
    { type: 'run.changed', state: 'preparing', facts: {} },
    { type: 'run.planned', plan: runPlan },
    { type: 'run.changed', state: 'spawning', facts: place },
    { type: 'run.changed', state: 'running', facts: { ...place, pid: 77 } },
    { type: 'run.sessionKnown', resumeId: 's1' },
    { type: 'run.changed', state: 'running', facts: { ...place, pid: 77, resumeId: 's1' } },
  ]);
});

test('prepares with the sessions that the keeper knows of', () => {
  run.send({ type: 'run.start', lastSessions: { ofThread: 's0', byDirectory: { '/w': 's9' } } });
  expect(run.preparations).toEqual([
    { run: openRun, lastSessions: { ofThread: 's0', byDirectory: { '/w': 's9' } } },
  ]);
});

test('hands on what Codex prints: lines to the clients, items to the keeper', async () => {
  await work();
  const items = [{ key: 'k', kind: 'message' as const, ts: 1 }];
  run.codex(
    { type: 'process.lines', stream: 'stdout', lines: ['{}'] },
    { type: 'process.items', items, bytes: 2 },
  );
  expect(run.lines).toEqual([
    { type: 'broadcast.lines', runId: 'r1', threadId: 't1', stream: 'stdout', lines: ['{}'] },
  ]);
  expect(run.reports.at(-1)).toEqual({ type: 'run.printed', runId: 'r1', items, bytes: 2 });
});

describe('preparing', () => {
  test('is tried again while Convex is away', async () => {
    start();
    await run.unprepared(new BridgeError('convex_unavailable', 'gone'));
    expect(run.state()).toBe('preparing.waiting');
    run.clock.increment(2_000);
    expect(run.state()).toBe('preparing.planning');
    await run.prepared(runPlan);
    expect(run.state()).toBe('spawning');
  });

  test('fails the run for good reasons, in their words', async () => {
    start();
    await run.unprepared(new BridgeError('working_directory_missing', '/w'));
    expect(run.outcome()).toMatchObject({
      state: 'failed',
      exitCode: null,
      error: { code: 'working_directory_missing' },
    });
    expect(run.hasProcess()).toBe(false);
  });

  test('leaves a run alone that another machine has taken', async () => {
    start();
    await run.prepared(null);
    expect(run.outcome()).toMatchObject({
      state: 'interrupted',
      taken: true,
      error: { code: 'run_taken' },
    });
  });
});

describe('an interrupt', () => {
  test('withdraws a run that waits', () => {
    interrupt();
    expect(run.outcome()).toMatchObject({
      state: 'interrupted',
      error: { message: 'The run was interrupted: a client asked for it' },
    });
  });

  test('ends the preparation, also between two tries', async () => {
    start();
    interrupt();
    expect(run.state()).toBe('interrupted');
  });

  test('climbs from SIGINT to SIGTERM after 5 s and SIGKILL after 10 s', async () => {
    await work();
    interrupt();
    expect([run.state(), run.signals]).toEqual(['interrupting.sigint', ['SIGINT']]);
    run.clock.increment(4_999);
    expect(run.state()).toBe('interrupting.sigint');
    run.clock.increment(1);
    expect([run.state(), run.signals.at(-1)]).toEqual(['interrupting.sigterm', 'SIGTERM']);
    run.clock.increment(5_000);
    expect([run.state(), run.signals.at(-1)]).toEqual(['interrupting.sigkill', 'SIGKILL']);
    run.codex(exited(null, 'SIGKILL'));
    expect(run.outcome()).toMatchObject({ state: 'interrupted', signal: 'SIGKILL' });
  });

  test('takes 3 s at most when the bridge itself ends', async () => {
    await work();
    interrupt(true);
    run.clock.increment(1_500);
    expect(run.state()).toBe('interrupting.sigterm');
    run.clock.increment(1_000);
    expect(run.state()).toBe('interrupting.sigkill');
    run.clock.increment(500);
    expect(run.outcome()).toMatchObject({ state: 'interrupted', exitCode: null });
    expect(run.outcome()?.error?.message).toContain('process 77 could not be ended');
  });

  test('that is under way gets into a hurry, once, and keeps its first reason', async () => {
    await work();
    interrupt();
    run.clock.increment(4_000);
    run.send({ type: 'run.interrupt', reason: 'the bridge was stopped', hurry: true });
    run.send({ type: 'run.interrupt', reason: 'again', hurry: true });
    interrupt();
    expect(run.signals).toEqual(['SIGINT', 'SIGINT']);
    run.clock.increment(1_500);
    expect(run.state()).toBe('interrupting.sigterm');
    run.codex(exited(null, 'SIGTERM'));
    expect(run.outcome()?.error?.message).toContain('a client asked for it');
  });

  test('while it spawns reaches the process too', async () => {
    await spawn();
    interrupt();
    run.codex(spawned, exited(1));
    expect(run.signals).toEqual(['SIGINT']);
    expect(run.outcome()).toMatchObject({ state: 'interrupted', exitCode: 1 });
  });

  test('does not undo a turn that was over already', async () => {
    await work();
    run.codex(turnDone);
    interrupt();
    run.codex(exited(1));
    expect(run.outcome()).toMatchObject({ state: 'completed', exitCode: 1 });
  });
});

describe('a run fails', () => {
  test('when Codex cannot be started', async () => {
    await spawn();
    run.codex({ type: 'process.refused', error: new BridgeError('codex_missing', 'x') });
    expect(run.outcome()).toMatchObject({ state: 'failed', error: { code: 'codex_missing' } });
  });

  test('with what its turn failed for', async () => {
    await work();
    run.codex(
      { type: 'process.turnEnded', turn: { status: 'failed', error: 'no credit' } },
      exited(1),
    );
    expect(run.outcome()).toMatchObject({
      state: 'failed',
      exitCode: 1,
      error: { code: 'codex_failed', message: 'Codex ended with an error: no credit' },
    });
  });

  test.each([
    { exit: exited(1, null, 'Error: no rollout'), said: 'Error: no rollout' },
    { exit: exited(2), said: 'it ended with code 2' },
    { exit: exited(null, 'SIGSEGV'), said: 'it was ended by SIGSEGV' },
    { exit: exited(null, 'SIGABRT', 'panicked at x'), said: 'panicked at x' },
    { exit: exited(null, 'SIGKILL', 'INFO something'), said: 'it was ended by SIGKILL' },
  ])('with the last word of Codex: $said', async ({ exit, said }) => {
    await spawn();
    run.codex(spawned, exit);
    expect(run.outcome()?.error?.message).toBe(`Codex ended with an error: ${said}`);
  });

  test('when it ended with 0 and never began a turn: that was no Codex', async () => {
    await spawn();
    run.codex(spawned, exited(0));
    expect(run.outcome()).toMatchObject({
      state: 'failed',
      exitCode: 0,
      error: { code: 'codex_without_turn', message: expect.stringContaining('CODEX_BIN') },
    });
  });

  test('when it ended with 0 in the middle of its turn', async () => {
    await work();
    run.codex({ type: 'process.turnStarted' }, exited(0));
    expect(run.outcome()?.error?.message).toBe(
      'Codex ended with an error: it ended before its turn did',
    );
  });

  test('when it ended with 1 although its turn was completed', async () => {
    await work();
    run.codex(turnDone, exited(1));
    expect(run.outcome()).toMatchObject({ state: 'failed', exitCode: 1 });
  });
});

describe('a run that takes too long', () => {
  test('to start is ended', async () => {
    await spawn();
    run.clock.increment(30_000);
    expect(run.state()).toBe('interrupting.sigint');
  });

  test('to begin its session is ended', async () => {
    await spawn();
    run.codex(spawned);
    run.clock.increment(5 * 60_000);
    run.codex(exited(1));
    expect(run.outcome()).toMatchObject({ state: 'timedOut', error: { code: 'run_timed_out' } });
  });

  test('at its work is ended after a day', async () => {
    await work();
    run.clock.increment(24 * 60 * 60_000);
    run.codex(exited(null, 'SIGTERM'));
    expect(run.outcome()).toMatchObject({ state: 'timedOut', signal: 'SIGTERM' });
  });

  test.each([
    { turn: { status: 'completed' as const }, state: 'completed' },
    { turn: { status: 'failed' as const, error: 'no' }, state: 'failed' },
  ])('to end after its turn is ended, and has $state all the same', async ({ turn, state }) => {
    await work();
    run.codex({ type: 'process.turnEnded', turn });
    run.clock.increment(15_000);
    expect(run.state()).toBe('interrupting.sigint');
    run.codex(exited(null, 'SIGINT'));
    expect(run.outcome()).toMatchObject({ state });
  });
});

test('the usage of the turn is part of the outcome', async () => {
  await work();
  const usage = {
    inputTokens: 1,
    cachedInputTokens: 0,
    outputTokens: 2,
    reasoningOutputTokens: 0,
    totalTokens: 3,
  };
  run.codex({ type: 'process.turnEnded', turn: { status: 'completed', usage } }, exited(0));
  expect(run.outcome()).toMatchObject({ usage });
});

describe('a session that is open elsewhere', () => {
  const conflict = { type: 'process.conflict' } as const;
  const begin = async (onConflict?: 'wait' | 'fork') => {
    run.stop();
    run = startRunning(undefined, { ...openRun, ...(onConflict ? { onConflict } : {}) });
    start();
    await run.prepared({ ...runPlan, resumeId: 's0' });
    run.codex(spawned, conflict, exited(1, null, 'already has an active writer'));
    expect(run.hasProcess()).toBe(false);
    await run.held('process 9 (codex)');
  };

  test('fails the run, and says who has it', async () => {
    await begin();
    expect(run.outcome()).toMatchObject({
      state: 'failed',
      error: { code: 'session_conflict', message: expect.stringContaining('process 9 (codex)') },
    });
  });

  test('is waited for when that is asked for, and then gone on with', async () => {
    await begin('wait');
    expect(run.reports.at(-1)).toMatchObject({
      state: 'waiting',
      facts: { holder: 'process 9 (codex)' },
    });
    run.clock.increment(3_000);
    expect(run.state()).toBe('preparing.planning');
    await run.prepared({ ...runPlan, resumeId: 's0' });
    run.codex(spawned, session, turnDone, exited(0));
    expect(run.outcome()).toMatchObject({ state: 'completed' });
  });

  test('can be given up while it is waited for', async () => {
    await begin('wait');
    interrupt();
    expect(run.outcome()).toMatchObject({ state: 'interrupted', exitCode: null });
  });

  test('is copied when that is asked for', async () => {
    await begin('fork');
    expect(run.preparations.at(-1)).toMatchObject({ fork: true });
  });
});

describe('signs of life', () => {
  const facts = () => run.reports.at(-1);

  test('a run that shows none is stalled, is left alone, and is back with the next', async () => {
    start();
    await run.prepared({ ...runPlan, stallAfter: 10_000 });
    run.codex(spawned, session);
    run.clock.increment(9_000);
    run.codex({ type: 'process.lines', stream: 'stderr', lines: ['hm'] });
    run.clock.increment(9_000);
    expect(run.snapshot().matches({ running: { signs: 'alive' } })).toBe(true);
    run.clock.increment(1_000);
    expect(facts()).toMatchObject({
      type: 'run.changed',
      state: 'stalled',
      facts: { evidence: { what: 'it printed', at: 9_000 } },
    });
    expect(run.signals).toEqual([]);
    run.clock.increment(3_600_000);
    run.send({ type: 'file.grew' });
    expect(facts()).toMatchObject({
      state: 'running',
      facts: { evidence: { what: 'its session file grew' } },
    });
  });

  test('a clock that is set back neither hides a stall nor keeps signs of life from being told', async () => {
    start();
    await run.prepared({ ...runPlan, stallAfter: 10_000 });
    run.codex(spawned, session);
    run.clock.increment(9_000);
    run.setBack(3_600_000);
    run.codex({ type: 'process.lines', stream: 'stdout', lines: ['{}'] });
    expect(facts()).toMatchObject({ type: 'run.alive' });
    run.clock.increment(9_000);
    run.setBack(3_600_000);
    run.clock.increment(20_000);
    expect(facts()).toMatchObject({ type: 'run.changed', state: 'stalled' });
    run.codex({ type: 'process.lines', stream: 'stdout', lines: ['{}'] });
    expect(facts()).toMatchObject({ state: 'running' });
  });

  test('who waits for a person is not stalled', async () => {
    start();
    await run.prepared({ ...runPlan, driver: 'app-server', stallAfter: 10_000 });
    const request = {
      approvalId: 'a',
      kind: 'command',
      command: 'x',
      turnId: 't',
      itemId: 'i',
    } as const;
    run.codex(spawned, session, { type: 'process.approval', request });
    run.clock.increment(30_000);
    expect(run.snapshot().matches({ running: { signs: 'alive' } })).toBe(true);
  });

  test('are told every ten seconds at most, and each step with its time', async () => {
    await work();
    run.codex({ type: 'process.turnStarted' });
    const alive = () => run.reports.filter(({ type }) => type === 'run.alive').length;
    for (let second = 0; second < 60; second += 1) {
      run.clock.increment(1_000);
      run.codex({ type: 'process.lines', stream: 'stdout', lines: ['{}'] });
    }
    expect(alive()).toBe(6);
    expect(facts()).toMatchObject({ facts: { spawnedAt: 0, sessionAt: 0, turnAt: 0 } });
  });
});

test('what a run of "codex exec" used is what its session used since', async () => {
  const tokens = (totalTokens: number) => ({
    inputTokens: totalTokens,
    cachedInputTokens: 0,
    outputTokens: 0,
    reasoningOutputTokens: 0,
    totalTokens,
  });
  start();
  await run.prepared({ ...runPlan, resumeId: 's1', usedBefore: tokens(100) });
  run.codex(
    spawned,
    session,
    { type: 'process.turnEnded', turn: { status: 'completed', usage: tokens(130) } },
    exited(0),
  );
  expect(run.outcome()?.usage).toEqual(tokens(30));
});

test('a run that is gone from Convex while it waits is over, and nothing is written of it', () => {
  run.send({ type: 'run.gone' });
  expect(run.outcome()).toMatchObject({ taken: true });
});
