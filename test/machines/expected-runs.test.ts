import { describe, expect, test } from 'vitest';
import {
  type ExpectedRun,
  type ExpectedRuns,
  laneOf,
  mustWait,
  withFileSeen,
  withRecalled,
  withSighting,
  withThread,
} from '../../src/machines/expected-runs.ts';
import type { RunSightingEvent } from '../../src/machines/protocol.ts';
import { fileJob, writeJob } from '../support/writing.ts';

const expected: RunSightingEvent = {
  type: 'run.expected',
  runId: 'r1',
  threadId: 'app',
  cwd: '/w',
  startedAt: 1_000,
};
const session: RunSightingEvent = { type: 'run.session', runId: 'r1', resumeId: 'codex' };
const ended: RunSightingEvent = { type: 'run.ended', runId: 'r1' };

function after(...events: RunSightingEvent[]): ExpectedRuns {
  return events.reduce(withSighting, {});
}

function fileOf(thread: object) {
  return writeJob('f', { thread: { resumeId: 'codex', source: 'external', ...thread } });
}

describe('a session file that may belong to a run that has not told its session', () => {
  test.each([
    ['same directory, begun after the run', { cwd: '/w', createdAt: 1_001 }, true],
    ['same directory, time unknown', { cwd: '/w' }, true],
    ['same directory, begun before the run', { cwd: '/w', createdAt: 999 }, false],
    ['another directory', { cwd: '/x', createdAt: 1_001 }, false],
    ['directory unknown', { createdAt: 1_001 }, false],
    ['its thread is known', { cwd: '/w', createdAt: 1_001, threadId: 't' }, false],
  ])('%s: waits = %s', (_title, thread, waits) => {
    expect(mustWait(after(expected), fileOf(thread))).toBe(waits);
  });

  test('waits no longer once the run has told its session, or ended', () => {
    const job = fileOf({ cwd: '/w', createdAt: 1_001 });
    const other = fileOf({ cwd: '/w', createdAt: 1_001, resumeId: 'other' });
    expect(mustWait(after(expected, session), job)).toBe(false);
    expect(mustWait(after(expected, session), other)).toBe(false);
    expect(mustWait(after(expected, ended), job)).toBe(false);
  });

  test('does not wait when it is the session of a run that is known', () => {
    const second = { ...expected, runId: 'r2' };
    const job = fileOf({ cwd: '/w', createdAt: 1_001 });
    expect(mustWait(after(expected, session, second), job)).toBe(false);
  });

  test('is of no concern to what a run itself writes', () => {
    const job = { ...fileOf({ cwd: '/w' }), origin: 'run' as const };
    expect(mustWait(after(expected), job)).toBe(false);
  });
});

describe('a thread', () => {
  test('is named to the session file of its run', () => {
    const job = withThread(after(expected, session), fileJob('f', 'codex'));
    expect(job.thread).toEqual({ threadId: 'app', resumeId: 'codex', source: 'external' });
    const other = fileJob('g', 'other');
    expect(withThread(after(expected, session), other)).toBe(other);
  });

  test('is one lane under both of its ids', () => {
    const runs = after(expected, session);
    const laneOfThread = (thread: object) =>
      laneOf(runs, {
        from: null,
        job: writeJob('j', { thread: { source: 'external', ...thread } }),
      });
    expect(laneOfThread({ resumeId: 'codex' })).toBe('app');
    expect(laneOfThread({ threadId: 'app' })).toBe('app');
    expect(laneOfThread({ resumeId: 'other' })).toBe('other');
    expect(laneOfThread({ rolloutPath: 'p' })).toBe('p');
    expect(laneOfThread({})).toBe('j');
  });
});

describe('what is remembered', () => {
  test('nothing of runs that nobody announced', () => {
    expect(after(session, ended)).toEqual({});
  });

  test('an announcement that comes again keeps what was learnt, and means that it still runs', () => {
    expect(after(expected, session, ended, expected)['r1']).toMatchObject({
      resumeId: 'codex',
      ended: false,
    });
  });

  test('what is known now, over what Convex recalls', () => {
    const recalled = (runId: string): ExpectedRun => ({
      runId,
      threadId: 't',
      startedAt: 1,
      ended: true,
      fileSeen: true,
      settled: false,
    });
    const runs = withRecalled(after(expected), [recalled('r1'), recalled('r2')]);
    expect(runs['r1']).toMatchObject({ threadId: 'app', ended: false });
    expect(runs['r2']).toMatchObject({ threadId: 't', ended: true });
  });

  test('that the file of a run was seen', () => {
    const runs = withFileSeen(after(expected, session), 'codex');
    expect(runs['r1']?.fileSeen).toBe(true);
    expect(withFileSeen(runs, 'codex')).toBe(runs);
    expect(withFileSeen(runs, undefined)).toBe(runs);
  });

  test('two hundred ended runs, the newest, and every run that is under way', () => {
    const many = Array.from({ length: 203 }, (_, n) => [
      { ...expected, runId: `old-${n}`, startedAt: n },
      { type: 'run.ended' as const, runId: `old-${n}` },
    ]).flat();
    const runs = after(expected, ...many);
    expect(Object.keys(runs)).toHaveLength(201);
    expect(runs).toHaveProperty('r1');
    expect(runs).not.toHaveProperty('old-2');
    expect(runs).toHaveProperty('old-3');
  });
});
