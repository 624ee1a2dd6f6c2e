import { describe, expect, test } from 'vitest';
import { api } from '../../../convex/_generated/api.js';
import {
  commitJob,
  type IngestBatch,
  type IngestPort,
} from '../../../src/actors/convex/commit-job.ts';
import type { ThreadItem } from '../../../src/codex/thread-item.ts';
import { BridgeError } from '../../../src/errors.ts';
import type { WriteJob } from '../../../src/machines/protocol.ts';
import { allPages, backend, CODEX_ID, cursorAt, MACHINE } from '../../convex/backend.ts';
import { writeJob } from '../../support/writing.ts';

const item = (key: string, fields: Partial<ThreadItem> = {}): ThreadItem => ({
  key,
  kind: 'message',
  role: 'user',
  text: key,
  ts: Number(key.replaceAll(/\D/g, '')) || 1,
  ...fields,
});

function jobOf(items: ThreadItem[]): WriteJob {
  return writeJob('j', {
    thread: { resumeId: CODEX_ID, source: 'external' },
    items,
    cursor: cursorAt(100),
  });
}

const call: ThreadItem = {
  key: 'call',
  kind: 'cmd',
  text: 'make',
  data: { status: 'in_progress' },
  ts: 2,
  partial: true,
};
const outcome = (output: string): ThreadItem => {
  const { partial: _, ...same } = call;
  return { ...same, data: { status: 'completed', output } };
};

/** The real functions, with a door in front that may be shut. */
function open(door: (batch: IngestBatch, call: number) => Error | undefined = () => undefined) {
  const convex = backend();
  const calls: string[][] = [];
  const ingest: IngestPort = async (batch) => {
    calls.push(batch.items.map(({ key }) => key));
    const refusal = door(batch, calls.length);
    if (refusal) throw refusal;
    return await convex.mutation(api.messages.ingest, batch);
  };
  return {
    calls,
    commit: (job: WriteJob) => commitJob(ingest, MACHINE, job),
    keys: async () =>
      (await convex.query(api.messages.forThread, { threadId: CODEX_ID, limit: 500 })).map(
        (row) => row.key,
      ),
    offset: async () =>
      (
        await convex.query(api.cursors.forMachine, {
          machineId: MACHINE,
          paginationOpts: allPages,
        })
      ).page[0]?.offset,
  };
}

const bad = (batch: IngestBatch) =>
  batch.items.some(({ text }) => text?.startsWith('bad')) ? new Error('Value is bad') : undefined;

describe('a job', () => {
  test('is one transaction', async () => {
    const { commit, calls, keys, offset } = open();
    expect(await commit(jobOf([item('k1'), item('k2')]))).toMatchObject({
      threadId: CODEX_ID,
      inserted: 2,
      rejected: [],
    });
    expect(calls).toHaveLength(1);
    expect(await keys()).toEqual(['k1', 'k2']);
    expect(await offset()).toBe(100);
  });

  test('without items still moves its cursor', async () => {
    const { commit, offset } = open();
    expect(await commit(jobOf([]))).toMatchObject({ inserted: 0 });
    expect(await offset()).toBe(100);
  });

  test('writes a call together with its outcome, and counts both', async () => {
    const { commit, calls, keys } = open();
    const result = await commit(jobOf([call, item('k9'), outcome('ok')]));
    expect(result).toMatchObject({ inserted: 2, known: 1, rejected: [] });
    expect(calls).toEqual([['call', 'k9']]);
    expect(await keys()).toEqual(['call', 'k9']);
  });

  test('whose outcome of a call is refused has the call all the same', async () => {
    const { commit, keys, offset } = open((batch) =>
      batch.items.some(({ data }) => data?.['output'] === 'bad') ? new Error('bad') : undefined,
    );
    const result = await commit(jobOf([item('k1'), call, outcome('bad'), item('k9')]));
    expect(result).toMatchObject({ inserted: 3, known: 0 });
    expect(result.rejected).toEqual([{ key: 'call', reason: expect.stringContaining('bad') }]);
    expect(await keys()).toEqual(['k1', 'call', 'k9']);
    expect(await offset()).toBe(100);
  });

  test('of several transactions says what cursor is stored if its own did not move', async () => {
    const { commit, calls } = open();
    await commit(jobOf([]));
    const items = Array.from({ length: 600 }, (_, n) => item(`k${n}`));
    const cursor = cursorAt(300);
    const { path, generation, tailHash } = cursor;
    const after = { path, generation, tailHash, offset: 200 };
    expect(await commit({ ...jobOf(items), cursor, after })).toMatchObject({
      inserted: 600,
      stored: cursorAt(100),
    });
    expect(calls).toHaveLength(3);
  });

  test('of too many items is several, and the cursor moves with the last', async () => {
    const cursors: boolean[] = [];
    const { commit, calls, keys } = open((batch) => {
      cursors.push(batch.cursor !== undefined);
      return undefined;
    });
    const items = Array.from({ length: 1_100 }, (_, n) => item(`k${n + 1}`));
    expect(await commit(jobOf(items))).toMatchObject({ inserted: 1_100, rejected: [] });
    expect(calls.map((call) => call.length)).toEqual([500, 500, 100]);
    expect(cursors).toEqual([false, false, true]);
    expect((await keys()).at(-1)).toBe('k1100');
  });

  test('of history is several short ones, so that live lines get between them', async () => {
    const { commit, calls, keys } = open();
    const text = 'x'.repeat(10_000);
    const items = Array.from({ length: 250 }, (_, n) => ({ ...item(`k${n + 1}`), text }));
    await commit({ ...jobOf(items), priority: 'history' });
    expect(calls.map((call) => call.length)).toEqual([52, 52, 52, 52, 42]);
    expect(await keys()).toHaveLength(250);
  });

  test('of too many bytes is several', async () => {
    const { commit, calls } = open();
    const text = 'x'.repeat(250_000);
    await commit(jobOf(Array.from({ length: 20 }, (_, n) => item(`k${n}`, { text }))));
    expect(calls.map((call) => call.length)).toEqual([16, 4]);
  });
});

describe('an item that Convex refuses', () => {
  test.each([
    ['first', 0],
    ['in the middle', 5],
    ['last', 8],
  ])('is found wherever it is (%s); the rest gets in, in order, with the cursor', async (_, at) => {
    const { commit, keys, offset } = open(bad);
    const items = Array.from({ length: 9 }, (_, n) => item(`k${n + 1}`));
    items[at] = item('poison', { text: 'bad' });
    expect(await commit(jobOf(items))).toMatchObject({
      inserted: 8,
      rejected: [{ key: 'poison', reason: expect.stringContaining('Value is bad') }],
    });
    expect(await keys()).toEqual(items.map(({ key }) => key).filter((key) => key !== 'poison'));
    expect(await offset()).toBe(100);
  });

  test('is found when there are several, or nothing else', async () => {
    const { commit, offset } = open(bad);
    const result = await commit(
      jobOf([item('p1', { text: 'bad 1' }), item('p2', { text: 'bad 2' })]),
    );
    expect(result.rejected.map(({ key }) => key)).toEqual(['p1', 'p2']);
    expect(await offset()).toBe(100);
  });

  test('is found by what the functions themselves refuse', async () => {
    const { commit, keys } = open();
    // Not a kind that a reader can make: stands for whatever the validators do not take.
    const wrong = item('wrong', { kind: 'shout' as never });
    const result = await commit(jobOf([item('k1'), wrong, item('k2')]));
    expect(result.rejected).toMatchObject([{ key: 'wrong' }]);
    expect(await keys()).toEqual(['k1', 'k2']);
  });
});

describe('no item is blamed', () => {
  test('for a backend that refuses everything', async () => {
    const { commit } = open(() => new Error('Server Error'));
    await expect(commit(jobOf([item('k1'), item('k2')]))).rejects.toMatchObject({
      code: 'convex_rejected',
    });
  });

  test('for a backend that fails once', async () => {
    const { commit, keys } = open((_, call) =>
      call === 1 ? new Error('Server Error') : undefined,
    );
    expect(await commit(jobOf([item('k1')]))).toMatchObject({ inserted: 1, rejected: [] });
    expect(await keys()).toEqual(['k1']);
  });

  test('for a connection that breaks, at whichever step', async () => {
    const outage = new BridgeError('convex_unavailable', 'gone');
    for (const breaks of [1, 2, 3, 4]) {
      const { commit } = open((batch, call) => (call === breaks ? outage : bad(batch)));
      await expect(commit(jobOf([item('p', { text: 'bad' }), item('k1')]))).rejects.toBe(outage);
    }
  });
});

test('data that is deeper than a document may be is kept as JSON text', async () => {
  const { commit } = open();
  let deep: ThreadItem['data'] = { bottom: true };
  for (let level = 0; level < 30; level += 1) deep = { in: deep };
  const result = await commit(jobOf([item('k1', { kind: 'mcp', data: { result: deep } })]));
  expect(result).toMatchObject({ inserted: 1, rejected: [] });
});
