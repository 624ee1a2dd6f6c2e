import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createActor, setup, type AnyActorRef } from 'xstate';
import { api } from '../../../convex/_generated/api.js';
import type { Id } from '../../../convex/_generated/dataModel.js';
import { committer } from '../../../src/actors/convex/committer.ts';
import type { ConvexConnection } from '../../../src/actors/convex/connection.ts';
import type { ThreadItem } from '../../../src/codex/thread-item.ts';
import { BridgeError } from '../../../src/errors.ts';
import type { CommitterCommand, CommitterEvent } from '../../../src/machines/convex-writer.ts';
import type { WriteJob } from '../../../src/machines/protocol.ts';
import { allPages, backend, CODEX_ID, cursorAt, MACHINE } from '../../convex/backend.ts';
import { redaction } from '../../support/redaction.ts';
import { writeJob } from '../../support/writing.ts';

let convex: ReturnType<typeof backend>;
let threadId: Id<'threads'>;
let runId: Id<'runs'>;
let life: ReturnType<typeof startCommitter>;
/** Set to make the next mutation fail after it was committed, as when its answer is lost. */
let answerLost: BridgeError | undefined;

beforeEach(async () => {
  convex = backend();
  answerLost = undefined;
  const threadDocId = await convex.mutation(api.threads.create, { cwd: '/w', machineId: MACHINE });
  threadId = threadDocId;
  runId = (await convex.mutation(api.runs.enqueue, { threadDocId, text: 'hi' })).runId;
  const leased = await convex.mutation(api.runs.lease, { machineId: MACHINE, runId, leaseMs: 1e6 });
  if (leased === null) throw new Error('the run was not leased');
  life = startCommitter();
});
afterEach(() => life.stop());

/** The committer before the real functions, without a socket between them. */
function startCommitter() {
  // convex-test takes the same arguments as a rest parameter, which TS does not see through.
  const connection: Pick<ConvexConnection, 'mutation' | 'query'> = {
    mutation: async (ref, args) => {
      const result = await convex.mutation(ref, ...([args] as never));
      if (answerLost) throw answerLost;
      return result;
    },
    query: async (ref, args) => await convex.query(ref, ...([args] as never)),
  };
  const events: CommitterEvent[] = [];
  const waiting: ((event: CommitterEvent) => void)[] = [];
  const parent = setup({
    types: { events: {} as CommitterEvent },
    actors: { committer: committer({ connection, machineId: MACHINE, redaction }) },
    actions: {
      note: ({ event }) => {
        events.push(event);
        waiting.shift()?.(event);
      },
    },
  }).createMachine({
    invoke: { src: 'committer', id: 'committer' },
    on: { '*': { actions: 'note' } },
  });
  const root = createActor(parent).start();
  const child: AnyActorRef | undefined = root.getSnapshot().children['committer'];
  if (child === undefined) throw new Error('the committer did not start');
  const ask = async (command: CommitterCommand): Promise<CommitterEvent> => {
    const answer = new Promise<CommitterEvent>((resolve) => waiting.push(resolve));
    child.send(command);
    return await answer;
  };
  return {
    tell: (command: CommitterCommand) => child.send(command),
    ask,
    commit: (job: WriteJob, settles?: string) =>
      ask({ type: 'commit.start', job, attempt: 1, ...(settles ? { settles } : {}) }),
    stop: () => root.stop(),
  };
}

const expected = () =>
  ({ type: 'run.expected', runId, threadId, cwd: '/w', startedAt: 1_000 }) as const;
const session = () => ({ type: 'run.session', runId, resumeId: CODEX_ID }) as const;

function streamed(n: number, fields: Partial<ThreadItem>): WriteJob {
  const item: ThreadItem = {
    key: `run/${runId}/${n}`,
    kind: 'message',
    role: 'assistant',
    ts: 2_000 + n,
    runId,
    provisional: true,
    ...fields,
  };
  return writeJob(`s${n}`, {
    origin: 'run',
    thread: { threadId, resumeId: CODEX_ID, source: 'bridge' },
    items: [item],
  });
}

function filed(id: string, ...items: ThreadItem[]): WriteJob {
  return writeJob(id, { thread: { threadId, resumeId: CODEX_ID, source: 'external' }, items });
}

const prompt: ThreadItem = { key: 't/u', kind: 'message', role: 'user', text: 'hi', ts: 1_500 };
const answer: ThreadItem = {
  key: 't/a',
  kind: 'message',
  role: 'assistant',
  text: 'hello',
  ts: 2_010,
};

const rows = async () => await convex.query(api.messages.forThread, { threadId });
const keys = async () => (await rows()).map((row) => row.key);

test('one row serves the stream and the file, the prompt included', async () => {
  life.tell(expected());
  life.tell(session());
  await life.commit(streamed(0, { text: 'hello' }));
  const before = await rows();
  expect(before.map((row) => row.provisional)).toEqual([true, true]);
  const done = await life.commit(filed('f', prompt, answer));
  expect(done).toMatchObject({ type: 'commit.done', jobId: 'f', result: { claimed: 2 } });
  const after = await rows();
  expect(after.map((row) => row.key)).toEqual(['t/u', 't/a']);
  expect(new Set(after.map((row) => row._id))).toEqual(new Set(before.map((row) => row._id)));
  expect(after.every((row) => row.provisional === undefined)).toBe(true);
});

test('one row serves them also when the file is first', async () => {
  life.tell(expected());
  life.tell(session());
  await life.commit(filed('f', prompt, answer));
  await life.commit(streamed(0, { text: 'hello' }));
  expect(await keys()).toEqual(['t/u', 't/a']);
});

test('an attempt whose answer was lost is repeated as it was, not matched again', async () => {
  life.tell(expected());
  life.tell(session());
  await life.commit(streamed(0, { text: 'same' }));
  await life.commit(streamed(1, { text: 'same' }));
  answerLost = new BridgeError('convex_unavailable', 'lost');
  const first = filed('f1', prompt, { ...answer, key: 't/a1', text: 'same', ts: 2_000 });
  expect(await life.commit(first)).toMatchObject({
    type: 'commit.failed',
    error: { code: 'convex_unavailable' },
  });
  answerLost = undefined;
  expect(await life.commit(first)).toMatchObject({ result: { known: 2, claimed: 0 } });
  await life.commit(filed('f2', { ...answer, key: 't/a2', text: 'same', ts: 2_001 }));
  expect(await keys()).toEqual(['t/u', 't/a1', 't/a2']);
});

test('after a crash the rows that were left are claimed by the file all the same', async () => {
  life.tell(expected());
  life.tell(session());
  await life.commit(streamed(0, { text: 'hello' }));
  life.stop();
  life = startCommitter();
  expect(await life.ask({ type: 'recall.start' })).toMatchObject({
    type: 'recall.done',
    runs: [{ runId, threadId, resumeId: CODEX_ID, ended: true, fileSeen: false }],
  });
  const ahead = Date.now() + 1_000;
  await life.commit(filed('f', { ...prompt, ts: ahead }, { ...answer, ts: ahead + 1 }));
  expect(await keys()).toEqual(['t/u', 't/a']);
});

test('what only the stream showed is settled, and the run leaves nothing to recall', async () => {
  life.tell(expected());
  life.tell(session());
  await life.commit(streamed(0, { kind: 'error', text: 'a warning' }));
  await life.commit(filed('f', prompt));
  const settling = writeJob('settle', { origin: 'run', thread: { threadId, source: 'bridge' } });
  await life.commit(settling, runId);
  const [, warning] = await rows();
  expect(warning).toMatchObject({ key: `run/${runId}/0`, text: 'a warning' });
  expect(warning).not.toHaveProperty('provisional');
  expect(await life.ask({ type: 'recall.start' })).toEqual({ type: 'recall.done', runs: [] });
});

test('two runs of one session keep to their own turns', async () => {
  const second = (
    await convex.mutation(api.runs.enqueue, {
      threadDocId: threadId,
      text: 'again',
    })
  ).runId;
  life.tell(expected());
  life.tell(session());
  life.tell({ ...expected(), runId: second, startedAt: 5_000, resumeId: CODEX_ID });
  const mine = { ...prompt, key: 't2/u', text: 'again', ts: 6_000 };
  await life.commit(filed('f', prompt, answer, mine));
  const all = await rows();
  expect(all.find((row) => row.key === 't/u')?.runId).toBe(runId);
  expect(all.find((row) => row.key === 't/a')?.runId).toBe(runId);
  expect(all.find((row) => row.key === 't2/u')?.runId).toBe(second);
  expect(all).toHaveLength(3);
});

test('a session of nobody’s run is written as it is', async () => {
  life.tell(expected());
  const job = writeJob('x', {
    thread: { resumeId: 'elsewhere', source: 'external' },
    items: [answer],
  });
  await life.commit(job);
  const found = await convex.query(api.messages.forThread, { threadId: 'elsewhere' });
  expect(found.map((row) => [row.key, row.runId])).toEqual([['t/a', undefined]]);
});

describe('with a secret in it', () => {
  const key = `ghp_${'a1B2'.repeat(9)}`;
  const hidden = '[redacted: github-token]';
  const call = { kind: 'cmd' as const, text: `curl -u ${key} x` };
  const ended = { status: 'completed', output: `used ${key}` };
  const inFile = { key: 't/c', kind: call.kind, text: call.text, data: ended, ts: 2_005 };

  beforeEach(() => {
    life.tell(expected());
    life.tell(session());
  });

  const theCall = async () => {
    const all = await rows();
    expect(JSON.stringify(all)).not.toContain(key);
    const calls = all.filter(({ kind }) => kind === 'cmd');
    expect(calls).toMatchObject([
      {
        key: 't/c',
        text: `curl -u ${hidden} x`,
        data: { output: `used ${hidden}` },
        redactions: 2,
      },
    ]);
    return (await convex.query(api.threads.byId, { id: threadId }))?.redactions;
  };

  test('what the stream and the file show is one row, and the secrets are counted once', async () => {
    const begun = streamed(0, { ...call, data: { status: 'in_progress' } });
    await life.commit(begun);
    await life.commit({ ...streamed(0, { ...call, data: ended }), id: 's0-end' });
    await life.commit(filed('f', prompt, inFile));
    await life.commit(filed('again', prompt, inFile));
    expect(await theCall()).toBe(2);
  });

  test('so is what Convex still has of an earlier life, and what the file says', async () => {
    await life.commit(streamed(0, { ...call, data: ended }));
    life.stop();
    life = startCommitter();
    await life.ask({ type: 'recall.start' });
    const ts = Date.now() + 1_000;
    await life.commit(filed('f', { ...prompt, ts }, { ...inFile, ts: ts + 1 }));
    expect(await theCall()).toBe(2);
  });

  test('neither a title nor a reason for a line set aside has it', async () => {
    const reason = `Unexpected token in "${key.slice(0, 30)}`;
    const cursor = cursorAt(10, {
      quarantine: [{ offset: 0, length: 9, sha256: '', reason, parserVersion: 1 }],
    });
    const job = filed('f', prompt);
    const title = { text: `use ${key}`, source: 'user' as const };
    await life.commit({ ...job, thread: { ...job.thread, title }, cursor });
    expect(await convex.query(api.threads.byId, { id: threadId })).toMatchObject({
      title: `use ${hidden}`,
    });
    const { page } = await convex.query(api.cursors.forMachine, {
      machineId: MACHINE,
      paginationOpts: allPages,
    });
    expect(page[0]?.quarantine[0]?.reason).toBe(`Unexpected token in "${hidden}`);
  });
});
