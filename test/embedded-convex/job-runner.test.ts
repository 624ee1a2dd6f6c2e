import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { EngineError, engineErrorCodes } from '../../src/embedded-convex/engine-error.ts';
import type { ActionResult, Commit } from '../../src/embedded-convex/executor.ts';
import { JobRunner } from '../../src/embedded-convex/job-runner.ts';
import { jobsIndex } from '../../src/embedded-convex/system-tables.ts';

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

const success: ActionResult = { outcome: { ok: true, value: 'null' }, logLines: [] };
const crash = new EngineError(engineErrorCodes.internal, 'The engine failed: out of memory');
const diskFull = new EngineError('DatabaseFull', 'disk full');

/** An engine with jobs in memory: their times, and how each run ends. */
function fakeEngine(jobs: Record<string, number>) {
  const listeners = new Set<(commit: Commit) => void>();
  const pending = new Map(Object.entries(jobs));
  const runs: string[] = [];
  const failed: [string, string][] = [];
  const asked: number[] = [];
  const engine = {
    runs,
    failed,
    asked,
    listeners,
    /** Resolves when the test lets it. */
    runJob: async (id: string): Promise<ActionResult | null> => {
      runs.push(id);
      pending.delete(id);
      return success;
    },
    dueJobs: async (limit: number) => {
      asked.push(limit);
      const all = [...pending].toSorted(([, a], [, b]) => a - b);
      const due = all.filter(([, time]) => time <= Date.now()).slice(0, limit);
      const next = all.find(([, time]) => time > Date.now());
      return { ids: due.map(([id]) => id), nextTime: next?.[1] ?? null };
    },
    failJob: async (id: string, error: string) => {
      failed.push([id, error]);
      pending.delete(id);
    },
    onCommit: (listener: (commit: Commit) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    schedule(id: string, time: number) {
      pending.set(id, time);
      this.commit(jobsIndex);
    },
    commit(index: string) {
      for (const listener of listeners) {
        listener({ ts: 1n, writes: [{ index, key: new Uint8Array() }] });
      }
    },
  };
  return engine;
}

describe('time', () => {
  test('a job runs at its time and not before, however far away that is', async () => {
    const hour = 3_600_000;
    const engine = fakeEngine({ now: 999_999, later: 1_000_000 + 100 * hour });
    const runner = new JobRunner(engine);
    runner.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(engine.runs).toEqual(['now']);
    const looks = engine.asked.length;
    await vi.advanceTimersByTimeAsync(100 * hour - 1);
    expect(engine.runs).toEqual(['now']);
    // Waiting asks the engine for nothing.
    expect(engine.asked.length).toBe(looks);
    await vi.advanceTimersByTimeAsync(1);
    expect(engine.runs).toEqual(['now', 'later']);
    runner.stop();
  });

  test('a clock that is set forward, or a machine that slept, is noticed within a minute', async () => {
    const engine = fakeEngine({ job: 1_000_000 + 86_400_000 });
    const runner = new JobRunner(engine);
    runner.start();
    await vi.advanceTimersByTimeAsync(0);
    vi.setSystemTime(1_000_000 + 86_400_000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(engine.runs).toEqual(['job']);
    runner.stop();
  });

  test('a job that is scheduled while another is waited for comes first when it is due first', async () => {
    const engine = fakeEngine({ second: 1_002_000 });
    const runner = new JobRunner(engine);
    runner.start();
    await vi.advanceTimersByTimeAsync(0);
    engine.schedule('first', 1_001_000);
    await vi.advanceTimersByTimeAsync(1000);
    expect(engine.runs).toEqual(['first']);
    runner.stop();
  });
});

test('commits that touch no job ask the engine for nothing', async () => {
  const engine = fakeEngine({});
  const runner = new JobRunner(engine);
  runner.start();
  await vi.advanceTimersByTimeAsync(0);
  engine.commit('messages.by_id');
  await vi.advanceTimersByTimeAsync(0);
  expect(engine.asked).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
  runner.stop();
});

test('eight run at a time, the next when one has ended', async () => {
  const engine = fakeEngine(Object.fromEntries(Array.from({ length: 10 }, (_, n) => [n, n])));
  const ends: (() => void)[] = [];
  const runJob = engine.runJob.bind(engine);
  engine.runJob = async (id) => {
    await new Promise<void>((resolve) => {
      engine.runs.push(`begin ${id}`);
      ends.push(resolve);
    });
    return runJob(id);
  };
  const runner = new JobRunner(engine);
  runner.start();
  await vi.advanceTimersByTimeAsync(0);
  expect(engine.runs).toHaveLength(8);
  expect(vi.getTimerCount()).toBe(0);
  ends[0]?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(engine.runs.slice(8)).toEqual(['0', 'begin 8']);
  runner.stop();
});

describe('failures', () => {
  test('what the function did wrong is recorded, without the line of the request', async () => {
    const engine = fakeEngine({ job: 0 });
    engine.runJob = async () => ({
      outcome: { ok: false, errorMessage: '[Request ID: 0] Server Error\nUncaught Error: no' },
      logLines: [],
    });
    const runner = new JobRunner(engine);
    runner.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(engine.failed).toEqual([['job', 'Uncaught Error: no']]);
    runner.stop();
  });

  test('a database that refuses is asked again, less and less often, and no other job waits', async () => {
    const engine = fakeEngine({ job: 0 });
    let times: number[] = [];
    const runJob = engine.runJob.bind(engine);
    engine.runJob = async (id) => {
      if (id !== 'job') return runJob(id);
      times.push(Date.now() - 1_000_000);
      throw diskFull;
    };
    const runner = new JobRunner(engine);
    runner.start();
    await vi.advanceTimersByTimeAsync(7500);
    expect(times).toEqual([0, 500, 1500, 3500, 7500]);
    for (let n = 0; n < 20; n += 1) engine.schedule(`other ${n}`, 0);
    await vi.advanceTimersByTimeAsync(0);
    expect(engine.runs).toHaveLength(20);
    times = [];
    await vi.advanceTimersByTimeAsync(86_400_000);
    const last = times.slice(-3);
    expect(last.map((time, at) => time - (last[at - 1] ?? time - 7_200_000))).toEqual([
      7_200_000, 7_200_000, 7_200_000,
    ]);
    runner.stop();
  });

  test('a job that ends the engine three times has failed', async () => {
    const engine = fakeEngine({ job: 0 });
    let count = 0;
    engine.runJob = () => {
      count += 1;
      return Promise.reject(crash);
    };
    const runner = new JobRunner(engine);
    runner.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(count).toBe(3);
    expect(engine.failed).toEqual([['job', 'The engine failed: out of memory']]);
    runner.stop();
  });

  test('an engine that cannot tell what is due is asked again', async () => {
    const engine = fakeEngine({ job: 0 });
    const dueJobs = engine.dueJobs.bind(engine);
    engine.dueJobs = () => {
      engine.dueJobs = dueJobs;
      return Promise.reject(crash);
    };
    const runner = new JobRunner(engine);
    runner.start();
    await vi.advanceTimersByTimeAsync(500);
    expect(engine.runs).toEqual(['job']);
    runner.stop();
  });

  test('an engine that has ended for good is left alone', async () => {
    const engine = fakeEngine({ job: 0 });
    engine.runJob = () =>
      Promise.reject(new EngineError(engineErrorCodes.engineStopped, 'The engine was closed'));
    const runner = new JobRunner(engine);
    runner.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(engine.listeners.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});
