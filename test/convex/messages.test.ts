import type { FunctionArgs } from 'convex/server';
import { describe, expect, it } from 'vitest';
import { api } from '../../convex/_generated/api.js';
import { backend, CODEX_ID, fileBatch, message } from './backend.ts';

describe('messages:forThread', () => {
  it('gives the newest page, oldest first, and the pages before it', async () => {
    const convex = backend();
    const items = Array.from({ length: 7 }, (_, n) => message(`k/${n}`, `${n}`, 100 + (n >> 1)));
    await convex.mutation(api.messages.ingest, fileBatch(items));
    const pages: string[][] = [];
    let page = await convex.query(api.messages.forThread, { threadId: CODEX_ID, limit: 3 });
    for (let [oldest] = page; oldest; [oldest] = page) {
      pages.push(page.map((row) => row.key));
      page = await convex.query(api.messages.forThread, {
        threadId: CODEX_ID,
        limit: 3,
        before: oldest._id,
      });
    }
    expect(pages).toEqual([['k/4', 'k/5', 'k/6'], ['k/1', 'k/2', 'k/3'], ['k/0']]);
  });

  it('hides the preface unless asked, and still fills the page', async () => {
    const convex = backend();
    await convex.mutation(
      api.messages.ingest,
      fileBatch([
        message('a', 'a', 1),
        { key: 'p', kind: 'preface', text: 'context', ts: 2 },
        message('b', 'b', 3),
      ]),
    );
    const query = { threadId: CODEX_ID, limit: 2 };
    const shown = await convex.query(api.messages.forThread, query);
    expect(shown.map((row) => row.key)).toEqual(['a', 'b']);
    const whole = await convex.query(api.messages.forThread, { ...query, preface: true });
    expect(whole.map((row) => row.key)).toEqual(['p', 'b']);
  });

  it('ends a page early rather than read more than a transaction may', async () => {
    const convex = backend();
    const text = 'x'.repeat(250_000);
    for (let n = 0; n < 20; n += 1) {
      await convex.mutation(api.messages.ingest, fileBatch([message(`k/${n}`, text, n)]));
    }
    const page = await convex.query(api.messages.forThread, { threadId: CODEX_ID });
    expect(page.length).toBeLessThan(20);
    expect(page.length).toBeGreaterThan(10);
    expect(page.at(-1)?.key).toBe('k/19');
  });

  it('reads nothing of what Codex has taken back, which may be more than a transaction may read', async () => {
    const convex = backend();
    await convex.mutation(api.messages.ingest, fileBatch([message('a', 'a', 1)]));
    const text = 'x'.repeat(1_000_000);
    for (let n = 0; n < 18; n += 1) {
      await convex.run(async ({ db }) => {
        await db.insert('messages', { ...takenBack(`k/${n}`, 2 + n), text });
      });
    }
    const page = await convex.query(api.messages.forThread, { threadId: CODEX_ID });
    expect(page.map((row) => row.key)).toEqual(['a']);
  });

  it('shows what Codex has taken back, when asked, where it stood', async () => {
    const convex = backend();
    await convex.run(async ({ db }) => {
      for (const [n, ts] of [1, 2, 2, 2, 3, 4].entries()) {
        const { reverted, ...row } = takenBack(`k/${n}`, ts);
        await db.insert('messages', n % 2 === 0 ? row : { ...row, reverted });
      }
    });
    const query = { threadId: CODEX_ID, limit: 4, reverted: true };
    const newest = await convex.query(api.messages.forThread, query);
    expect(newest.map((row) => row.key)).toEqual(['k/2', 'k/3', 'k/4', 'k/5']);
    const before = newest[0]?._id;
    const older = await convex.query(api.messages.forThread, {
      ...query,
      ...(before && { before }),
    });
    expect(older.map((row) => row.key)).toEqual(['k/0', 'k/1']);
  });

  it('refuses to go on before a row of another thread', async () => {
    const convex = backend();
    await convex.mutation(api.messages.ingest, fileBatch([message('a', 'a')]));
    const [row] = await convex.query(api.messages.forThread, { threadId: CODEX_ID });
    if (!row) throw new Error('the row is missing');
    await expect(
      convex.query(api.messages.forThread, { threadId: 'other', before: row._id }),
    ).rejects.toThrow(/message_unknown/);
  });

  it('takes any limit and serves what is sensible', async () => {
    const convex = backend();
    await convex.mutation(
      api.messages.ingest,
      fileBatch([message('a', 'a', 1), message('b', 'b', 2)]),
    );
    const withLimit = async (limit: number) =>
      (await convex.query(api.messages.forThread, { threadId: CODEX_ID, limit })).length;
    expect(await withLimit(0)).toBe(1);
    expect(await withLimit(-5)).toBe(1);
    expect(await withLimit(1e9)).toBe(2);
    expect(await withLimit(Number.NaN)).toBe(2);
  });
});

describe('single messages', () => {
  it('create adds a row under its own key and counts it', async () => {
    const convex = backend();
    const threadId = await convex.mutation(api.threads.create, {});
    const id = await convex.mutation(api.messages.create, {
      threadId,
      role: 'system',
      text: 'note',
      ts: 42,
    });
    expect(await convex.query(api.messages.byId, { id })).toMatchObject({
      key: `row/${id}`,
      kind: 'message',
      text: 'note',
      ts: 42,
    });
    expect(await convex.query(api.messages.countForThread, { threadId })).toBe(1);
    expect(await convex.query(api.messages.countForThread, { threadId: 'nobody' })).toBe(0);
    await expect(
      convex.mutation(api.messages.create, { threadId: 'nobody', text: 'x' }),
    ).rejects.toThrow(/thread_unknown/);
  });
});

describe('streamed messages', () => {
  const piece = (seq: number, text: string) => ({
    threadId: CODEX_ID,
    key: 'turn/msg',
    kind: 'message' as const,
    role: 'assistant' as const,
    ts: 10,
    seq,
    text,
  });

  async function streaming() {
    const convex = backend();
    await convex.mutation(api.messages.ingest, fileBatch([]));
    const write = (seq: number, text: string) =>
      convex.mutation(api.messages.upsertStreamed, piece(seq, text));
    const row = async () =>
      (await convex.query(api.messages.forThread, { threadId: CODEX_ID })).at(0);
    return { convex, write, row };
  }

  it('grow piece by piece in one row, and ignore a piece that arrives late', async () => {
    const { write, row } = await streaming();
    const id = await write(1, 'He');
    expect(await write(3, 'Hello w')).toBe(id);
    await write(2, 'Hello');
    expect(await row()).toMatchObject({ _id: id, text: 'Hello w', partial: true, seq: 3 });
  });

  it('end with their final text, after which pieces are ignored', async () => {
    const { convex, write, row } = await streaming();
    await write(1, 'He');
    const final = { threadId: CODEX_ID, key: 'turn/msg', text: 'Hello.' };
    await convex.mutation(api.messages.finalizeStreamed, final);
    await write(2, 'Hello. And');
    expect(await row()).toMatchObject({ text: 'Hello.' });
    expect(await row()).not.toHaveProperty('partial');
  });

  it('are the row that the session file confirms, counted once', async () => {
    const { convex, write, row } = await streaming();
    const id = await write(1, 'He');
    const filed = message('turn/msg', 'Hello.', 12, { role: 'assistant', turnId: 'turn' });
    expect(await convex.mutation(api.messages.ingest, fileBatch([filed]))).toMatchObject({
      known: 1,
    });
    expect(await row()).toMatchObject({ _id: id, text: 'Hello.', ts: 12, turnId: 'turn' });
    expect(await convex.query(api.messages.countForThread, { threadId: CODEX_ID })).toBe(1);
    // The stream's own end comes after the file: what the file said stands.
    await convex.mutation(api.messages.finalizeStreamed, {
      threadId: CODEX_ID,
      key: 'turn/msg',
      text: 'other',
    });
    expect(await row()).toMatchObject({ text: 'Hello.' });
  });

  it('refuse what belongs to nothing', async () => {
    const convex = backend();
    await expect(convex.mutation(api.messages.upsertStreamed, piece(1, 'x'))).rejects.toThrow(
      /thread_unknown/,
    );
    await expect(
      convex.mutation(api.messages.finalizeStreamed, { threadId: CODEX_ID, key: 'k' }),
    ).rejects.toThrow(/message_unknown/);
  });
});

describe('messages:inKeyOrder', () => {
  it('gives every row of a conversation once, page by page, and nothing of another', async () => {
    const convex = backend();
    const items = ['b', 'a', 'ü', 'c'].map((key, n) => message(key, key, n));
    await convex.mutation(api.messages.ingest, fileBatch(items));
    const other = { resumeId: 'codex-2', source: 'external' as const, createdAt: 500 };
    const elsewhere = fileBatch([message('d', 'd')], { thread: other });
    await convex.mutation(api.messages.ingest, elsewhere);
    const keys: string[] = [];
    for (;;) {
      const after = keys.at(-1);
      const page = await convex.query(api.messages.inKeyOrder, {
        threadId: CODEX_ID,
        limit: 3,
        ...(after === undefined ? {} : { after }),
      });
      if (page.length === 0) break;
      keys.push(...page.map(({ key }) => key));
    }
    expect(keys).toEqual(['a', 'b', 'c', 'ü']);
  });
});

describe('messages:search', () => {
  it('finds words in all conversations, or in one, or of one kind', async () => {
    const convex = backend();
    const elsewhere = { resumeId: 'codex-2', source: 'external' as const, createdAt: 500 };
    await convex.mutation(
      api.messages.ingest,
      fileBatch([
        message('a', 'the parser fails'),
        message('b', 'nothing to see'),
        { key: 'c', kind: 'cmd', text: 'run parser tests', ts: 2 },
      ]),
    );
    await convex.mutation(
      api.messages.ingest,
      fileBatch([message('d', 'another parser')], { thread: elsewhere }),
    );
    const keys = async (args: FunctionArgs<typeof api.messages.search>) =>
      (await convex.query(api.messages.search, args)).map((row) => row.key).sort();
    expect(await keys({ query: 'parser' })).toEqual(['a', 'c', 'd']);
    expect(await keys({ query: 'pars' })).toEqual(['a', 'c', 'd']);
    expect(await keys({ query: 'parser', threadId: CODEX_ID })).toEqual(['a', 'c']);
    expect(await keys({ query: 'parser', kind: 'cmd' })).toEqual(['c']);
    expect(await keys({ query: 'parser', threadId: 'codex-2', kind: 'cmd' })).toEqual([]);
    expect(await keys({ query: 'absent' })).toEqual([]);
    expect(await keys({ query: '' })).toEqual([]);
  });

  it('leaves out the preface unless asked for it', async () => {
    const convex = backend();
    await convex.mutation(
      api.messages.ingest,
      fileBatch([
        { key: 'p', kind: 'preface', text: 'rules of the parser', ts: 1 },
        message('a', 'parser'),
      ]),
    );
    const query = 'parser';
    expect(await convex.query(api.messages.search, { query })).toMatchObject([{ key: 'a' }]);
    const preface = await convex.query(api.messages.search, { query, kind: 'preface' });
    expect(preface).toMatchObject([{ key: 'p' }]);
  });

  it('follows the text as it grows', async () => {
    const convex = backend();
    await convex.mutation(api.messages.ingest, fileBatch([message('a', 'first')]));
    await convex.mutation(api.messages.ingest, fileBatch([message('a', 'first draft')]));
    const found = await convex.query(api.messages.search, { query: 'draft' });
    expect(found).toMatchObject([{ key: 'a', text: 'first draft' }]);
  });

  it('gives a bounded number of rows, however many fit', async () => {
    const convex = backend();
    for (let batch = 0; batch < 12; batch += 1) {
      const items = Array.from({ length: 100 }, (_, n) => message(`k/${batch}/${n}`, 'same', n));
      await convex.mutation(api.messages.ingest, fileBatch(items));
    }
    expect(await convex.query(api.messages.search, { query: 'same' })).toHaveLength(50);
    const kind = 'message';
    expect(await convex.query(api.messages.search, { query: 'same', kind })).toHaveLength(50);
    const three = { query: 'same', limit: 3 };
    expect(await convex.query(api.messages.search, three)).toHaveLength(3);
    expect(await convex.query(api.messages.search, { ...three, kind })).toHaveLength(3);
    const all = { query: 'same', limit: 10_000 };
    expect(await convex.query(api.messages.search, all)).toHaveLength(200);
  });
});

function takenBack(key: string, ts: number) {
  return { ...message(key, key, ts), threadId: CODEX_ID, createdAt: ts, reverted: true as const };
}
