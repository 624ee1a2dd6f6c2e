import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BridgeError } from '../../src/errors.ts';
import { leftBehind, outcomeOfTurn } from '../../src/machines/run-outcome.ts';
import { runsSummary } from '../../src/machines/runs.ts';
import { planOf, row, startKeeping, type Keeping } from '../support/keeping.ts';

let it: Keeping;
beforeEach(async () => {
  it = startKeeping();
  await it.serve();
});
afterEach(() => it.stop());

const submit = (threadDocId: string, text: string, requestId: string) =>
  it.request({ control: 'run.submit', threadDocId, text }, requestId);
const accepted = (runId: string, threadDocId = 'd1') => ({
  run: row(runId, { threadDocId }),
  threadId: threadDocId,
});
/** With 0 when its turn is done. */
function exit(runId: string, exitCode = 0): void {
  const codex = it.processes.get(runId);
  if (exitCode === 0) codex?.tell({ type: 'process.turnEnded', turn: { status: 'completed' } });
  codex?.tell({ type: 'process.exited', exitCode, signal: null });
}
const phases = () => runsSummary(it.snapshot().context);
const preparing = () => it.preparations.map(({ input }) => input.run.runId);

describe('run.submit', () => {
  test('becomes a row, is answered, starts, and every state is told', async () => {
    submit('d1', 'do it', 'q1');
    expect(it.submissions.map(({ input }) => input)).toEqual([
      { machineId: 'm1', thread: { docId: 'd1' }, text: 'do it' },
    ]);
    expect(it.replyTo('q1')).toBeUndefined();
    await it.submissions[0]?.answer(accepted('r1'));
    expect(it.replyTo('q1')).toMatchObject({
      type: 'bridge.run',
      runId: 'r1',
      threadDocId: 'd1',
      state: 'queued',
      sandbox: 'danger-full-access',
      approvals: 'never',
    });
    await it.preparations[0]?.answer(planOf(row('r1', { threadDocId: 'd1' })));
    it.processes.get('r1')?.tell({ type: 'process.spawned', pid: 7 });
    exit('r1');
    expect(it.states('r1')).toEqual(['queued', 'preparing', 'spawning', 'running', 'completed']);
    expect(it.settlements[0]?.input).toMatchObject({
      runId: 'r1',
      state: 'completed',
      exitCode: 0,
    });
  });

  test('takes requests one after the other, in their order', async () => {
    submit('d1', 'one', 'q1');
    submit('d2', 'two', 'q2');
    expect(it.submissions).toHaveLength(1);
    await it.submissions[0]?.answer(accepted('r1', 'd1'));
    expect(it.submissions.map(({ input }) => input.text)).toEqual(['one', 'two']);
  });

  test('hands on all that the request says', () => {
    it.request({
      control: 'run.submit',
      threadDocId: 'd1',
      text: 'x',
      projectId: 'p',
      resumeId: 'new',
      model: 'm',
      sandbox: 'read-only',
      approvals: 'on-request',
    });
    expect(it.submissions[0]?.input).toEqual({
      machineId: 'm1',
      thread: { docId: 'd1' },
      text: 'x',
      projectId: 'p',
      resumeId: 'new',
      model: 'm',
      sandbox: 'read-only',
      approvals: 'on-request',
    });
  });

  test.each([
    { error: new BridgeError('thread_unknown', 'd1'), code: 'not_found' },
    { error: new BridgeError('convex_rejected', 'no prompt'), code: 'invalid_request' },
    { error: new BridgeError('convex_unavailable', 'gone'), code: 'unavailable' },
    { error: new Error('a bug'), code: 'internal' },
  ])('is refused with $code when it fails so, and the next goes on', async ({ error, code }) => {
    submit('d1', 'one', 'q1');
    submit('d2', 'two', 'q2');
    await it.submissions[0]?.refuse(error);
    expect(it.replyTo('q1')).toMatchObject({ code });
    expect(it.submissions).toHaveLength(2);
  });

  test('is refused as unavailable while Convex is away', () => {
    it.send({ type: 'convex.offline', reason: 'gone' });
    submit('d1', 'one', 'q1');
    expect(it.replyTo('q1')).toMatchObject({ code: 'unavailable' });
    expect(it.submissions).toEqual([]);
  });

  test('is refused when Convex does not answer in time; a row that came in all the same is run', () => {
    submit('d1', 'one', 'q1');
    it.clock.increment(15_000);
    expect(it.replyTo('q1')).toMatchObject({ code: 'unavailable' });
    it.rows([row('r1')]);
    expect(preparing()).toEqual(['r1']);
  });

  test('whose row is seen before its answer runs once', async () => {
    submit('d1', 'one', 'q1');
    it.rows([row('r1', { threadDocId: 'd1' })]);
    await it.submissions[0]?.answer(accepted('r1'));
    expect(it.replyTo('q1')).toMatchObject({ runId: 'r1', threadId: 'd1', state: 'preparing' });
    expect(preparing()).toEqual(['r1']);
  });
});

describe('the queue', () => {
  test('lets one run at a time go on in a thread, in order', async () => {
    const later = row('r2', { threadDocId: 'd', createdAt: 2_000 });
    it.rows([later, row('r1', { threadDocId: 'd' })]);
    expect(preparing()).toEqual(['r1']);
    expect(phases()).toMatchObject({ active: 1, queued: 1 });
    await it.preparations[0]?.answer(null);
    expect(preparing()).toEqual(['r1', 'r2']);
  });

  test('lets maxRuns go on over all threads', async () => {
    it.rows([row('r1'), row('r2'), row('r3')]);
    expect(preparing()).toEqual(['r1', 'r2']);
    await it.preparations[1]?.refuse(new BridgeError('thread_unknown', ''));
    expect(preparing()).toEqual(['r1', 'r2', 'r3']);
  });

  test('goes on with the session that the thread’s last run has told', async () => {
    await it.working(row('r1', { threadDocId: 'd' }));
    it.rows([row('r2', { threadDocId: 'd' })]);
    exit('r1');
    expect(it.preparations[1]?.input.lastSessions).toEqual({
      ofThread: 'session-of-r1',
      byDirectory: { '/w': 'session-of-r1' },
    });
  });

  test('takes what apps have put into Convex, unless it is for another machine', () => {
    const { machineId: _, ...anyones } = row('r1');
    it.rows([anyones, row('r2', { machineId: 'm2' })]);
    expect(preparing()).toEqual(['r1']);
  });
});

describe('a run left behind by an earlier life', () => {
  test('is closed with a reason, told, and never started again', async () => {
    it.rows([row('r1', { status: 'processing' })]);
    expect(it.judgements[0]?.input).toMatchObject({ runId: 'r1' });
    await it.judgements[0]?.answer(leftBehind('r1'));
    expect(preparing()).toEqual([]);
    expect(it.settlements[0]?.input).toMatchObject({
      runId: 'r1',
      state: 'interrupted',
      error: { message: 'The run was interrupted: the bridge ended while it went on' },
    });
    expect(it.states('r1')).toEqual(['interrupted']);
    it.rows([row('r1', { status: 'processing' })]);
    expect(it.settlements).toHaveLength(1);
    await it.settlements[0]?.answer(undefined);
    expect(it.children()).toEqual(['progress', 'openRuns', 'approvalAnswers']);
  });

  test('is done when its session file shows the end of its turn; the thread waits until that is known', async () => {
    it.rows([
      row('r1', { status: 'processing', threadDocId: 'd' }),
      row('r2', { threadDocId: 'd', createdAt: 2_000 }),
    ]);
    it.request({ control: 'interrupt', runId: 'r1' }, 'q1');
    expect(it.replyTo('q1')).toMatchObject({ runId: 'r1' });
    expect(preparing()).toEqual([]);
    await it.judgements[0]?.answer(outcomeOfTurn('r1', { status: 'completed' }));
    expect(it.states('r1')).toEqual(['completed']);
    expect(preparing()).toEqual(['r2']);
  });

  test('is over for the writer too, which may still expect it from a keeper that failed', () => {
    it.rows([row('r1', { status: 'processing' })]);
    expect(it.toldTo('writer', 'run.ended')).toEqual([{ type: 'run.ended', runId: 'r1' }]);
  });

  test('is left to its own machine when it is another’s', () => {
    it.rows([row('r1', { status: 'processing', machineId: 'm2' })]);
    expect(it.settlements).toEqual([]);
  });
});

describe('interrupt', () => {
  test('withdraws a queued run', () => {
    it.rows([row('r1', { threadDocId: 'd' }), row('r2', { threadDocId: 'd', createdAt: 2_000 })]);
    it.request({ control: 'interrupt', runId: 'r2' });
    expect(it.replyTo('q')).toMatchObject({ runId: 'r2', state: 'interrupted' });
    expect(it.states('r2')).toEqual(['queued', 'interrupted']);
    expect(it.settlements[0]?.input).toMatchObject({ runId: 'r2', state: 'interrupted' });
  });

  test('signals a run that goes on; how it ends is told later', async () => {
    await it.working(row('r1'));
    it.request({ control: 'interrupt', runId: 'r1' });
    expect(it.replyTo('q')).toMatchObject({ state: 'interrupting' });
    expect(it.processes.get('r1')?.signals).toEqual(['SIGINT']);
    exit('r1', 1);
    expect(it.states('r1').slice(-2)).toEqual(['interrupting', 'interrupted']);
  });

  test('without a name takes the newest run that goes on; by thread, that of the thread', async () => {
    await it.working(row('r1'));
    await it.working(row('r2', { createdAt: 2_000 }));
    it.request({ control: 'interrupt' });
    expect(it.replyTo('q')).toMatchObject({ runId: 'r2' });
    it.request({ control: 'interrupt', threadDocId: 'thread-of-r1' });
    expect(it.replyTo('q')).toMatchObject({ runId: 'r1' });
  });

  test('of a run that has ended answers how it ended; of none, that there is none', async () => {
    it.request({ control: 'interrupt' });
    expect(it.replyTo('q')).toMatchObject({ code: 'not_found' });
    await it.working(row('r1'));
    exit('r1');
    it.request({ control: 'interrupt', runId: 'r1' });
    expect(it.replyTo('q')).toMatchObject({ runId: 'r1', state: 'completed' });
  });
});

describe('run.status and runs.list', () => {
  test('answer from what the keeper knows', async () => {
    await it.working(row('r1'));
    it.rows([row('r2', { threadDocId: 'thread-of-r1', createdAt: 2_000 })]);
    it.request({ control: 'run.status', runId: 'r1' });
    expect(it.replyTo('q')).toMatchObject({
      state: 'running',
      pid: 7,
      resumeId: 'session-of-r1',
      cwd: '/w',
    });
    it.request({ control: 'run.status', runId: 'nobody' });
    expect(it.replyTo('q')).toMatchObject({ code: 'not_found' });
    it.request({ control: 'runs.list' });
    expect(it.replyTo('q')).toMatchObject({ items: [{ runId: 'r2' }, { runId: 'r1' }] });
    it.request({ control: 'runs.list', state: 'running', limit: 1 });
    expect(it.replyTo('q')).toMatchObject({ items: [{ runId: 'r1' }] });
  });

  test('other verbs are answered with an error, never with silence', () => {
    it.request({ control: 'machines.list' });
    expect(it.replyTo('q')).toMatchObject({ code: 'unknown_control' });
  });
});

describe('a prompt of the older client', () => {
  test('makes a thread when there is none, and stays on it', async () => {
    it.prompt({ text: 'hi' }, 'q1');
    expect(it.submissions[0]?.input).toEqual({ machineId: 'm1', thread: {}, text: 'hi' });
    await it.submissions[0]?.answer(accepted('r1', 'd9'));
    expect(it.replyTo('q1')).toMatchObject({ runId: 'r1' });
    it.prompt({ text: 'more', resume: 'last', sandbox: 'read-only', approval: 'never' });
    expect(it.submissions[1]?.input).toMatchObject({
      thread: { docId: 'd9' },
      resumeId: 'last',
      sandbox: 'read-only',
      approvals: 'never',
    });
    expect(phases().lastThreadId).toBe('d9');
  });

  test('with a directory has a thread for each directory', async () => {
    it.prompt({ text: 'a', cd: '/a' });
    expect(it.submissions[0]?.input.thread).toEqual({ cwd: '/a' });
    await it.submissions[0]?.answer(accepted('r1', 'da'));
    it.prompt({ text: 'b', cd: '/b' });
    await it.submissions[1]?.answer(accepted('r2', 'db'));
    it.prompt({ text: 'a again', cd: '/a' });
    expect(it.submissions.map(({ input }) => input.thread)).toEqual([
      { cwd: '/a' },
      { cwd: '/b' },
      { docId: 'da' },
    ]);
  });

  test('that names a session goes to its thread; "new" begins another', async () => {
    it.prompt({ text: 'x', resume: 's5', cd: '/a' });
    expect(it.submissions[0]?.input).toEqual({
      machineId: 'm1',
      thread: { cwd: '/a', sessionId: 's5' },
      text: 'x',
    });
    await it.submissions[0]?.answer(accepted('r1', 'd5'));
    it.prompt({ text: 'y', resume: 'new' });
    expect(it.submissions[1]?.input).toMatchObject({ thread: {}, resumeId: 'new' });
  });
});

describe('the writer', () => {
  test('is told what to expect, the session, the items, and the end', async () => {
    await it.working(row('r1'));
    const items = [{ key: 'run/r1/0', kind: 'message' as const, ts: 1, provisional: true }];
    it.processes.get('r1')?.tell({ type: 'process.items', items, bytes: 100 });
    exit('r1');
    const told = it.told.filter(({ to }) => to === 'writer').map(({ event }) => event);
    const thread = { threadId: 'thread-of-r1', source: 'bridge' };
    expect(told).toMatchObject([
      { type: 'run.expected', runId: 'r1', threadId: 'thread-of-r1', cwd: '/w' },
      {
        type: 'write.submit',
        from: 'runs',
        job: {
          origin: 'run',
          items: [],
          thread: { ...thread, cwd: '/w', title: { text: 'prompt of r1', source: 'prompt' } },
        },
      },
      { type: 'run.session', runId: 'r1', resumeId: 'session-of-r1' },
      { type: 'write.submit', job: { thread: { ...thread, resumeId: 'session-of-r1' } } },
      {
        type: 'write.submit',
        job: { origin: 'run', priority: 'live', items, bytes: 100 },
      },
      { type: 'run.ended', runId: 'r1' },
    ]);
  });

  test('that starts again is told all that it has not acknowledged, and which runs go on', async () => {
    await it.working(row('r1'));
    const jobs = it.toldTo('writer', 'write.submit').map(({ job }) => job as { id: string });
    it.send({ type: 'write.done', jobId: jobs[0]?.id ?? '', result: written });
    it.told.length = 0;
    it.send({ type: 'writer.started' });
    expect(it.toldTo('writer', 'run.expected')).toMatchObject([
      { runId: 'r1', cwd: '/w', resumeId: 'session-of-r1' },
    ]);
    expect(it.toldTo('writer', 'write.submit').map(({ job }) => job)).toEqual(jobs.slice(1));
  });

  test('that is away for long costs no more than a bounded buffer; the files have the rest', async () => {
    await it.working(row('r1'));
    for (let index = 0; index < 12; index += 1) {
      const items = [{ key: `k${index}`, kind: 'message' as const, ts: 1 }];
      it.processes.get('r1')?.tell({ type: 'process.items', items, bytes: 1024 * 1024 });
    }
    const { outbox } = it.snapshot().context;
    expect(outbox.bytes).toBeLessThanOrEqual(8 * 1024 * 1024);
    expect(outbox.dropped).toBe(4);
  });

  test('that refuses a job is not asked again', async () => {
    await it.working(row('r1'));
    const [first] = it.toldTo('writer', 'write.submit').map(({ job }) => job as { id: string });
    const error = new BridgeError('convex_rejected', 'bad');
    it.send({ type: 'write.failed', jobId: first?.id ?? '', error });
    it.told.length = 0;
    it.send({ type: 'writer.started' });
    expect(it.toldTo('writer', 'write.submit')).toHaveLength(1);
  });
});

describe('the end of a run', () => {
  test('is written again until Convex has it', async () => {
    await it.working(row('r1'));
    exit('r1');
    await it.settlements[0]?.refuse(new BridgeError('convex_unavailable', 'gone'));
    expect(it.settlements).toHaveLength(1);
    it.clock.increment(3_000);
    await it.settlements[1]?.answer(undefined);
    expect(it.snapshot().context.unsettled).toEqual({});
    expect(it.children()).toEqual(['progress', 'openRuns', 'approvalAnswers']);
  });

  test('that Convex refuses is not written again', async () => {
    await it.working(row('r1'));
    exit('r1');
    await it.settlements[0]?.refuse(new BridgeError('convex_rejected', 'no such run'));
    it.clock.increment(60_000);
    expect(it.settlements).toHaveLength(1);
    expect(it.snapshot().context.unsettled).toEqual({});
  });

  test('leaves no actor behind, and the last five hundred in memory', async () => {
    for (let index = 0; index < 520; index += 1) {
      it.rows([row(`r${index}`)]);
      await it.preparations.at(-1)?.answer(null);
    }
    expect(it.children()).toEqual(['progress', 'openRuns', 'approvalAnswers']);
    const kept = Array.from({ length: 500 }, (_, index) => `r${index + 20}`);
    expect(Object.keys(it.snapshot().context.book)).toEqual(kept);
  });

  test('of another machine’s run is not ours to write', async () => {
    it.rows([row('r1')]);
    await it.preparations[0]?.answer(null);
    expect(it.settlements).toEqual([]);
    expect(it.states('r1').at(-1)).toBe('interrupted');
  });
});

describe('shutdown', () => {
  test('ends what goes on, leaves what waits to the next start, and then is over', async () => {
    await it.working(row('r1', { threadDocId: 'd' }));
    it.rows([row('r2', { threadDocId: 'd' })]);
    it.send({ type: 'shutdown' });
    expect(it.processes.get('r1')?.signals).toEqual(['SIGINT']);
    submit('d', 'late', 'q9');
    expect(it.replyTo('q9')).toMatchObject({ code: 'unavailable' });
    exit('r1', 1);
    expect(it.settlements.map(({ input }) => input.runId)).toEqual(['r1']);
    expect(it.snapshot().value).toBe('stopping');
    await it.settlements[0]?.answer(undefined);
    expect(it.snapshot().value).toBe('stopped');
    expect(preparing()).toEqual(['r1']);
  });

  test('waits no longer than 3.5 s', async () => {
    await it.working(row('r1'));
    it.send({ type: 'shutdown' });
    it.clock.increment(3_500);
    expect(it.snapshot().status).toBe('done');
  });

  test('with nothing to do is over at once', () => {
    it.send({ type: 'shutdown' });
    expect(it.snapshot().status).toBe('done');
  });
});

const written = {
  threadDocId: 'd',
  threadId: 't',
  inserted: 0,
  known: 0,
  claimed: 0,
  rejected: [],
};
