import { describe, expect, it } from 'vitest';
import { api } from '../../convex/_generated/api.js';
import { backend, CODEX_ID, fileBatch, message } from './backend.ts';

async function setUp() {
  const convex = backend();
  const items = [message('a', 'one', 10), message('b', 'two', 20, { runId: 'r' })];
  await convex.mutation(api.messages.ingest, fileBatch(items));
  const rows = await convex.query(api.messages.inKeyOrder, { threadId: CODEX_ID });
  const [a, b] = rows;
  if (!a || !b) throw new Error('They were just written.');
  const seen = ({ _id, createdAt }: typeof a) => ({ id: _id, seen: createdAt });
  const thread = async () => await convex.query(api.threads.byId, { id: CODEX_ID });
  return { convex, a, b, seen, thread };
}

describe('messages:repair', () => {
  it('gives a row the content of an item; its id, its creation and its run stay', async () => {
    const { convex, b, seen } = await setUp();
    const item = { key: 'b', kind: 'cmd' as const, text: 'ls', ts: 21 };
    const result = await convex.mutation(api.messages.repair, {
      threadId: CODEX_ID,
      replace: [{ ...seen(b), item }],
      remove: [],
    });
    expect(result).toEqual({ replaced: 1, removed: 0, recounted: false, left: 0 });
    const row = await convex.query(api.messages.byId, { id: b._id });
    expect(row).toMatchObject({ ...item, _id: b._id, createdAt: b.createdAt, runId: 'r' });
    expect(row).not.toHaveProperty('role');
  });

  it('counts the messages that come to be and cease to be', async () => {
    const { convex, a, b, seen, thread } = await setUp();
    expect(await thread()).toMatchObject({ messageCount: 2 });
    const threadId = CODEX_ID;
    const preface = { key: 'a', kind: 'preface' as const, text: 'one', ts: 10 };
    const replace = [{ ...seen(a), item: preface }];
    await convex.mutation(api.messages.repair, { threadId, replace, remove: [] });
    expect(await thread()).toMatchObject({ messageCount: 1 });
    await convex.mutation(api.messages.repair, { threadId, replace: [], remove: [seen(b)] });
    expect(await thread()).toMatchObject({ messageCount: 0 });
    expect(await convex.query(api.messages.byId, { id: b._id })).toBeNull();
  });

  it('leaves a row that has changed since it was compared, and one of another thread', async () => {
    const { convex, a, b, seen } = await setUp();
    await convex.mutation(api.messages.ingest, fileBatch([message('a', 'one and more', 10)]));
    const other = { resumeId: 'codex-2', source: 'external' as const, createdAt: 500 };
    await convex.mutation(api.messages.ingest, fileBatch([], { thread: other }));
    const replace = [{ ...seen(a), item: message('a', 'one', 10) }];
    const remove = [{ id: a._id, seen: a.createdAt - 1 }];
    const here = await convex.mutation(api.messages.repair, {
      threadId: CODEX_ID,
      replace: [{ ...seen(a), seen: a.createdAt - 1, item: message('a', 'one', 10) }],
      remove,
    });
    expect(here).toEqual({ replaced: 0, removed: 0, recounted: false, left: 2 });
    const there = await convex.mutation(api.messages.repair, {
      threadId: 'codex-2',
      replace,
      remove: [seen(b)],
    });
    expect(there).toMatchObject({ replaced: 0, removed: 0, left: 2 });
    const row = await convex.query(api.messages.byId, { id: a._id });
    expect(row).toMatchObject({ text: 'one and more' });
  });

  it('sets the counters of a thread, unless they have moved since', async () => {
    const { convex, thread } = await setUp();
    const is = { messageCount: 7, lastMessageAt: 70 };
    const recount = (messageCount: number) =>
      convex.mutation(api.messages.repair, {
        threadId: CODEX_ID,
        replace: [],
        remove: [],
        recount: { was: { messageCount, lastMessageAt: 20 }, is },
      });
    expect(await recount(1)).toMatchObject({ recounted: false });
    expect(await thread()).toMatchObject({ messageCount: 2 });
    expect(await recount(2)).toMatchObject({ recounted: true });
    expect(await thread()).toMatchObject(is);
  });

  it('refuses an unknown thread, and more rows than a transaction may hold', async () => {
    const { convex, a, seen } = await setUp();
    const nothing = { threadId: 'unknown', replace: [], remove: [] };
    const unknown = convex.mutation(api.messages.repair, nothing);
    await expect(unknown).rejects.toThrow(/thread_unknown/);
    const remove = Array.from({ length: 501 }, () => seen(a));
    const much = convex.mutation(api.messages.repair, { ...nothing, threadId: CODEX_ID, remove });
    await expect(much).rejects.toThrow(/batch_too_large/);
  });
});
