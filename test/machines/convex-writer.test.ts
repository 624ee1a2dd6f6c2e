import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BridgeError } from '../../src/errors.ts';
import { fileJob, startWriting, writeJob, written, type Writing } from '../support/writing.ts';

let writing: Writing;
beforeEach(() => {
  writing = startWriting();
});
afterEach(() => writing.stop());

const state = () => writing.snapshot().value;
const answers = () => writing.told.filter(({ event }) => event.type.startsWith('write.'));
const rejected = new BridgeError('convex_rejected', 'bad');

describe('the start', () => {
  test('asks runs for their runs before it asks for unacknowledged jobs, and asks for Convex', () => {
    expect(writing.told).toEqual([
      { to: 'runs', event: { type: 'writer.started' } },
      { to: 'sessions', event: { type: 'writer.started' } },
      { to: 'convex', event: { type: 'convex.state?', from: 'writer' } },
    ]);
    expect(state()).toBe('paused');
  });

  test('recalls what an earlier life left before anything is written', () => {
    writing.submit(writeJob('a'));
    writing.send({ type: 'convex.online' });
    expect(state()).toEqual({ recalling: 'asking' });
    expect(writing.commands).toEqual([{ type: 'recall.start' }]);
    writing.report({ type: 'recall.done', runs: [] });
    expect(state()).toBe('writing');
    expect(writing.started()).toEqual(['a']);
  });

  test('a recall that fails is tried again, later each time', () => {
    writing.send({ type: 'convex.online' });
    const recalls = () => writing.commands.filter(({ type }) => type === 'recall.start').length;
    for (const wait of [125, 250, 500]) {
      writing.report({ type: 'recall.failed', error: rejected });
      expect(state()).toEqual({ recalling: 'waiting' });
      const before = recalls();
      writing.clock.increment(wait - 1);
      expect(recalls()).toBe(before);
      writing.clock.increment(1);
      expect(recalls()).toBe(before + 1);
    }
    writing.report({ type: 'recall.done', runs: [] });
    expect(state()).toBe('writing');
  });

  test('recalls only once: coming back online goes straight on', () => {
    writing.goOnline();
    writing.send({ type: 'convex.offline', reason: 'gone' });
    writing.send({ type: 'convex.online' });
    expect(state()).toBe('writing');
  });
});

describe('writing', () => {
  beforeEach(() => writing.goOnline());

  test('acknowledges each job to its sender, with what it did', () => {
    writing.submit(writeJob('a'));
    writing.submit(writeJob('b', { origin: 'run' }), 'runs');
    writing.done('b', { inserted: 2, rejected: [{ key: 'k', reason: 'too large' }] });
    writing.done('a', { inserted: 0, known: 3 });
    expect(answers()).toEqual([
      {
        to: 'runs',
        event: {
          type: 'write.done',
          jobId: 'b',
          result: { ...written, inserted: 2, rejected: [{ key: 'k', reason: 'too large' }] },
        },
      },
      {
        to: 'sessions',
        event: { type: 'write.done', jobId: 'a', result: { ...written, inserted: 0, known: 3 } },
      },
    ]);
    expect(writing.snapshot().context.counts).toEqual({
      jobs: 2,
      inserted: 2,
      known: 3,
      claimed: 0,
      rejected: 1,
    });
  });

  test('never has two jobs of one thread on the way', () => {
    writing.submit(fileJob('a1', 'a'));
    writing.submit(fileJob('a2', 'a'));
    writing.submit(fileJob('b1', 'b'));
    expect(writing.started()).toEqual(['a1', 'b1']);
    writing.done('a1');
    expect(writing.started()).toEqual(['a1', 'b1', 'a2']);
  });

  test('keeps places free for live work while history is imported', () => {
    for (const id of ['h1', 'h2', 'h3', 'h4'])
      writing.submit(writeJob(id, { priority: 'history' }));
    expect(writing.started()).toEqual(['h1', 'h2']);
    for (const id of ['l1', 'l2', 'l3', 'l4', 'l5']) writing.submit(writeJob(id));
    expect(writing.started()).toEqual(['h1', 'h2', 'l1', 'l2', 'l3', 'l4']);
    writing.done('h1');
    expect(writing.started().at(-1)).toBe('l5');
  });

  test('a job that is sent again while it is in hand is answered once', () => {
    writing.submit(fileJob('a1', 'a'));
    writing.submit(fileJob('a2', 'a'));
    writing.submit(fileJob('a1', 'a'));
    writing.submit(fileJob('a2', 'a'));
    writing.done('a1');
    writing.done('a2');
    expect(answers().map(({ event }) => 'jobId' in event && event.jobId)).toEqual(['a1', 'a2']);
  });

  test('a lost connection is tried again for ever, in place, later each time', () => {
    writing.submit(fileJob('a1', 'a'));
    writing.submit(fileJob('a2', 'a'));
    for (const wait of [125, 250, 500, 1_000, 2_000, 4_000, 7_500, 7_500]) {
      writing.fail('a1');
      const before = writing.started().length;
      writing.clock.increment(wait - 1);
      expect(writing.started()).toHaveLength(before);
      writing.clock.increment(1);
      expect(writing.started()).toHaveLength(before + 1);
    }
    expect(new Set(writing.started())).toEqual(new Set(['a1']));
    writing.done('a1');
    expect(writing.started().at(-1)).toBe('a2');
    expect(answers()).toHaveLength(1);
  });

  test('a job that Convex refuses as a whole is given back after five refusals, outages not counted', () => {
    writing.submit(fileJob('a1', 'a'));
    writing.submit(fileJob('a2', 'a'));
    for (let n = 0; n < 6; n += 1) {
      writing.fail('a1');
      writing.clock.increment(15_000);
    }
    for (let n = 0; n < 4; n += 1) {
      writing.fail('a1', rejected);
      writing.clock.increment(15_000);
    }
    expect(answers()).toEqual([]);
    writing.fail('a1', rejected);
    expect(answers()).toEqual([
      { to: 'sessions', event: { type: 'write.failed', jobId: 'a1', error: rejected } },
    ]);
    expect(writing.commands).toContainEqual({ type: 'commit.forget', jobId: 'a1' });
    expect(writing.started().at(-1)).toBe('a2');
    expect(writing.snapshot().context.lastError).toContain('bad');
  });

  test('a commit without an answer is tried again after 30 s; what comes late is ignored', () => {
    writing.submit(fileJob('a1', 'a'));
    writing.clock.increment(30_000);
    writing.clock.increment(125);
    expect(writing.started()).toEqual(['a1', 'a1']);
    writing.report({ type: 'commit.done', jobId: 'a1', attempt: 1, result: written });
    writing.report({ type: 'commit.failed', jobId: 'a1', attempt: 1, error: rejected });
    expect(answers()).toEqual([]);
    writing.done('a1');
    expect(answers()).toHaveLength(1);
    writing.clock.increment(60_000);
    expect(writing.started()).toEqual(['a1', 'a1']);
  });

  test('refuses, and says so, when too much is waiting', () => {
    writing.submit(fileJob('a', 'a', { bytes: 33 * 1024 * 1024 }));
    writing.submit(fileJob('a2', 'a', { bytes: 33 * 1024 * 1024 }));
    writing.submit(fileJob('b', 'b'));
    expect(answers()).toMatchObject([
      {
        to: 'sessions',
        event: { type: 'write.failed', jobId: 'b', error: { retryable: true } },
      },
    ]);
    writing.done('a');
    writing.submit(fileJob('b', 'b'));
    expect(writing.started()).toEqual(['a', 'a2', 'b']);
  });

  test('a sender that is gone does not disturb', () => {
    writing.submit(writeJob('a'), 'gateway');
    writing.done('a');
    expect(writing.snapshot().context.counts.jobs).toBe(1);
  });
});

describe('while Convex is away', () => {
  beforeEach(() => {
    writing.goOnline();
    writing.submit(writeJob('a', { origin: 'run' }), 'runs');
    writing.submit(writeJob('b', { origin: 'run' }), 'runs');
    writing.send({ type: 'convex.offline', reason: 'gone' });
  });

  test('jobs wait, and go on in order when it is back', () => {
    writing.submit(writeJob('c', { origin: 'run' }), 'runs');
    expect(state()).toBe('paused');
    expect(writing.started()).toEqual(['a', 'b']);
    writing.send({ type: 'convex.online' });
    expect(writing.started()).toEqual(['a', 'b', 'c']);
  });

  test('what was on the way may still end well', () => {
    writing.done('a');
    expect(answers()).toMatchObject([{ event: { type: 'write.done', jobId: 'a' } }]);
  });

  test('what failed, was to be tried again or has no answer is parked, and sent once when it is back', () => {
    writing.fail('a');
    writing.clock.increment(60 * 60_000);
    expect(writing.started()).toEqual(['a', 'b']);
    writing.send({ type: 'convex.online' });
    expect(writing.started()).toEqual(['a', 'b', 'a', 'b']);
  });

  test('a retry that falls due is parked too', () => {
    writing.send({ type: 'convex.online' });
    writing.fail('a');
    writing.send({ type: 'convex.offline', reason: 'gone' });
    writing.clock.increment(15_000);
    expect(writing.started()).toEqual(['a', 'b']);
    writing.send({ type: 'convex.online' });
    expect(writing.started()).toEqual(['a', 'b', 'a']);
    writing.clock.increment(15_000);
    expect(writing.started()).toEqual(['a', 'b', 'a']);
  });

  test('what was read of session files is forgotten: they are read again from what Convex holds', () => {
    writing.send({ type: 'convex.online' });
    for (const id of ['f1', 'f2', 'f3', 'f4', 'f5', 'f6']) writing.submit(fileJob(id, id));
    expect(writing.snapshot().context.queue).toMatchObject({ waiting: { length: 2 } });
    writing.fail('f1');
    writing.send({ type: 'convex.offline', reason: 'gone' });
    expect(writing.snapshot().context.queue).toEqual({ waiting: [], bytes: 0 });
    const forgotten = writing.commands.filter(({ type }) => type === 'commit.forget');
    expect(forgotten).toHaveLength(5);
    const started = writing.started().length;
    writing.clock.increment(60 * 60_000);
    writing.report({ type: 'commit.done', jobId: 'f2', attempt: 1, result: written });
    writing.send({ type: 'convex.online' });
    expect(writing.started().slice(started)).toEqual(['a', 'b']);
    expect(answers().filter(({ to }) => to === 'sessions')).toEqual([]);
  });
});

describe('the session file of a run of ours', () => {
  const expected = {
    type: 'run.expected',
    runId: 'r1',
    threadId: 'app',
    cwd: '/w',
    startedAt: 1_000,
  } as const;
  const file = writeJob('f', {
    thread: { resumeId: 'codex', source: 'external', cwd: '/w', createdAt: 1_500 },
  });
  beforeEach(() => writing.goOnline());

  test('waits until the run tells its session, and is then written to the thread of the run', () => {
    writing.send(expected);
    writing.submit(file);
    expect(writing.started()).toEqual([]);
    writing.send({ type: 'run.session', runId: 'r1', resumeId: 'codex' });
    expect(writing.commands.at(-1)).toMatchObject({
      type: 'commit.start',
      job: { id: 'f', thread: { threadId: 'app', resumeId: 'codex' } },
    });
  });

  test('is a thread of its own when it turns out to be somebody else’s', () => {
    writing.send(expected);
    writing.submit(file);
    writing.send({ type: 'run.session', runId: 'r1', resumeId: 'another' });
    expect(writing.commands.at(-1)).toMatchObject({
      job: { id: 'f', thread: { resumeId: 'codex' } },
    });
    expect(writing.commands.at(-1)).not.toHaveProperty('job.thread.threadId');
  });

  test('goes on when the run ends without a word', () => {
    writing.send(expected);
    writing.submit(file);
    writing.submit(file);
    writing.send({ type: 'run.ended', runId: 'r1' });
    expect(writing.started()).toEqual(['f']);
  });

  test('shares the lane of the stream', () => {
    writing.send(expected);
    writing.send({ type: 'run.session', runId: 'r1', resumeId: 'codex' });
    writing.submit(
      writeJob('s', { origin: 'run', thread: { threadId: 'app', source: 'bridge' } }),
      'runs',
    );
    writing.submit(file);
    expect(writing.started()).toEqual(['s']);
    writing.done('s');
    expect(writing.started()).toEqual(['s', 'f']);
  });

  test('every sighting reaches the committer before the jobs that it concerns', () => {
    writing.send(expected);
    writing.submit(file);
    writing.send({ type: 'run.session', runId: 'r1', resumeId: 'codex' });
    writing.send({ type: 'run.ended', runId: 'r1' });
    expect(writing.commands.map(({ type }) => type)).toEqual([
      'recall.start',
      'run.expected',
      'run.session',
      'commit.start',
      'run.ended',
    ]);
  });
});

describe('rows of a run that its file lacks', () => {
  const expected = {
    type: 'run.expected',
    runId: 'r1',
    threadId: 'app',
    cwd: '/w',
    startedAt: 1_000,
  } as const;
  const settlings = () =>
    writing.commands.filter((it) => it.type === 'commit.start' && it.settles === 'r1').length;
  beforeEach(() => {
    writing.goOnline();
    writing.send(expected);
  });

  test('are settled 10 s after the end of a run that never had a session', () => {
    writing.send({ type: 'run.ended', runId: 'r1' });
    writing.clock.increment(9_999);
    expect(settlings()).toBe(0);
    writing.clock.increment(1);
    expect(settlings()).toBe(1);
    writing.done('settle-r1');
    expect(answers()).toEqual([]);
    writing.clock.increment(1_000_000);
    expect(settlings()).toBe(1);
  });

  test('wait for the file, and then for 10 s of quiet', () => {
    writing.send({ type: 'run.session', runId: 'r1', resumeId: 'codex' });
    writing.send({ type: 'run.ended', runId: 'r1' });
    writing.clock.increment(1_000_000);
    expect(settlings()).toBe(0);
    writing.submit(fileJob('f1', 'codex'));
    writing.done('f1');
    writing.clock.increment(6_000);
    writing.submit(fileJob('f2', 'codex'));
    writing.done('f2');
    writing.clock.increment(6_000);
    expect(settlings()).toBe(0);
    writing.clock.increment(4_000);
    expect(settlings()).toBe(1);
  });

  test.each(['a due time', 'a settling that waits its turn'])(
    'are not settled before the file that is read again: an outage puts %s off to 10 s after it',
    (what) => {
      writing.send({ type: 'run.session', runId: 'r1', resumeId: 'codex' });
      writing.send({ type: 'run.ended', runId: 'r1' });
      writing.submit(fileJob('f1', 'codex'));
      writing.done('f1');
      writing.clock.increment(8_000);
      writing.submit(fileJob('f2', 'codex'));
      // Its thread is still being written, so the settling has to wait.
      if (what !== 'a due time') writing.clock.increment(2_000);
      expect(writing.snapshot().context.queue.waiting).toHaveLength(what === 'a due time' ? 0 : 1);
      writing.send({ type: 'convex.offline', reason: 'gone' });
      writing.clock.increment(1_000_000);
      writing.send({ type: 'convex.online' });
      writing.submit(fileJob('f3', 'codex'));
      writing.clock.increment(8_000);
      expect(settlings()).toBe(0);
      writing.done('f3');
      writing.clock.increment(9_999);
      expect(settlings()).toBe(0);
      writing.clock.increment(1);
      expect(settlings()).toBe(1);
    },
  );

  test('are settled too when an earlier life left them and their file was read', () => {
    writing.stop();
    writing = startWriting();
    writing.send({ type: 'convex.online' });
    const left = { threadId: 't', startedAt: 1, ended: true, settled: false };
    writing.report({
      type: 'recall.done',
      runs: [
        { ...left, runId: 'r1', resumeId: 'codex', fileSeen: true },
        { ...left, runId: 'r2', resumeId: 'other', fileSeen: false },
      ],
    });
    writing.clock.increment(10_000);
    expect(writing.started()).toEqual(['settle-r1']);
  });
});

describe('shutdown', () => {
  test('away from Convex ends at once: the session files keep what waits', () => {
    writing.submit(writeJob('a'));
    writing.send({ type: 'shutdown' });
    expect(writing.snapshot().status).toBe('done');
  });

  test('commits what is in hand, refuses what comes, and ends', () => {
    writing.goOnline();
    writing.submit(fileJob('a1', 'a'));
    writing.submit(fileJob('a2', 'a'));
    writing.send({ type: 'shutdown' });
    expect(state()).toBe('draining');
    writing.submit(fileJob('b1', 'b'));
    expect(answers()).toMatchObject([
      { event: { type: 'write.failed', jobId: 'b1', error: { code: 'shutdown' } } },
    ]);
    writing.done('a1');
    writing.fail('a2');
    writing.clock.increment(125);
    writing.send({ type: 'shutdown' });
    writing.done('a2');
    expect(writing.snapshot().status).toBe('done');
    expect(answers()).toHaveLength(3);
  });

  test('does not wait for more than 1.5 s', () => {
    writing.goOnline();
    writing.submit(writeJob('a'));
    writing.send({ type: 'shutdown' });
    writing.clock.increment(1_499);
    expect(state()).toBe('draining');
    writing.clock.increment(1);
    expect(writing.snapshot().status).toBe('done');
  });

  test('does not wait for Convex when that has gone', () => {
    writing.goOnline();
    writing.submit(writeJob('a'));
    writing.send({ type: 'shutdown' });
    writing.send({ type: 'convex.offline', reason: 'gone' });
    expect(writing.snapshot().status).toBe('done');
  });
});
