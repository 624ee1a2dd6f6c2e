import { describe, expect, it } from 'vitest';
import { api } from '../../convex/_generated/api.js';
import {
  allPages,
  backend,
  CODEX_ID,
  cursorAt,
  fileBatch,
  type Item,
  MACHINE,
  message,
} from './backend.ts';

describe('messages:ingest', () => {
  it('inserts the items of a batch, in order, and counts the messages on the thread', async () => {
    const convex = backend();
    const result = await convex.mutation(
      api.messages.ingest,
      fileBatch([
        message('t/1', 'hello', 1_000),
        { key: 't/2', kind: 'cmd', text: 'ls', data: { command: 'ls', exitCode: 0 }, ts: 2_000 },
        message('t/3', 'done', 3_000, { role: 'assistant' }),
      ]),
    );
    expect(result).toMatchObject({ threadId: CODEX_ID, inserted: 3, known: 0, claimed: 0 });
    const rows = await convex.query(api.messages.forThread, { threadId: CODEX_ID });
    expect(rows.map((row) => row.key)).toEqual(['t/1', 't/2', 't/3']);
    const thread = await convex.query(api.threads.byId, { id: CODEX_ID });
    expect(thread).toMatchObject({
      messageCount: 2,
      lastMessageAt: 3_000,
      updatedAt: 3_000,
      createdAt: 500,
      machineId: MACHINE,
      source: 'external',
    });
  });

  it('answers "known" for every item of a batch that is sent again, and changes nothing', async () => {
    const convex = backend();
    const batch = fileBatch([message('t/1', 'hello'), message('t/2', 'hello')], {
      cursor: cursorAt(100),
    });
    await convex.mutation(api.messages.ingest, batch);
    const before = await everything(convex);
    const again = await convex.mutation(api.messages.ingest, batch);
    expect(again).toMatchObject({ inserted: 0, known: 2, claimed: 0 });
    expect(withoutTimes(await everything(convex))).toEqual(withoutTimes(before));
  });

  it('keeps two messages of equal text and time apart by their keys', async () => {
    const convex = backend();
    await convex.mutation(
      api.messages.ingest,
      fileBatch([message('message/abc/0', 'go on', 7), message('message/abc/1', 'go on', 7)]),
    );
    const rows = await convex.query(api.messages.forThread, { threadId: CODEX_ID });
    expect(rows.map((row) => row.key)).toEqual(['message/abc/0', 'message/abc/1']);
  });

  it('treats a key that appears twice in one batch as one row', async () => {
    const convex = backend();
    const result = await convex.mutation(
      api.messages.ingest,
      fileBatch([message('t/1', 'a'), message('t/1', 'a')]),
    );
    expect(result).toMatchObject({ inserted: 1, known: 1 });
  });

  it('lets the text of a known row grow, never shrink', async () => {
    const convex = backend();
    await convex.mutation(api.messages.ingest, fileBatch([message('t/1', 'hello')]));
    await convex.mutation(api.messages.ingest, fileBatch([message('t/1', 'hello world')]));
    await convex.mutation(api.messages.ingest, fileBatch([message('t/1', 'hel')]));
    const [row] = await convex.query(api.messages.forThread, { threadId: CODEX_ID });
    expect(row?.text).toBe('hello world');
  });

  it('lets a call that was in progress get its outcome, and never takes it back', async () => {
    const convex = backend();
    const call = { key: 'call_1', kind: 'cmd' as const, text: 'make', ts: 1 };
    const open = { ...call, data: { command: ['make'], status: 'in_progress' } };
    const done = { ...call, data: { command: ['make'], status: 'completed', output: 'ok' } };
    const data = async () =>
      (await convex.query(api.messages.forThread, { threadId: CODEX_ID })).at(0)?.data;
    await convex.mutation(api.messages.ingest, fileBatch([open, done]));
    expect(await data()).toEqual(done.data);
    // The same file, read again from its start in two batches.
    await convex.mutation(api.messages.ingest, fileBatch([open]));
    expect(await data()).toEqual(done.data);
    await convex.mutation(api.messages.ingest, fileBatch([done]));
    expect(await data()).toEqual(done.data);
  });

  it('shows the last of several ends that a file tells of, and stays there when it is read again', async () => {
    const convex = backend();
    const turn = { key: 'turn_1', kind: 'turn' as const, ts: 1, turnId: 'turn_1' };
    const words: Item[] = [
      { ...turn, partial: true, data: { status: 'in_progress' } },
      { ...turn, data: { status: 'interrupted', reason: 'process_ended' } },
      { ...turn, data: { status: 'completed' }, revision: 1 },
    ];
    const statuses: unknown[] = [];
    for (const item of [...words, ...words]) {
      await convex.mutation(api.messages.ingest, fileBatch([item]));
      const [row] = await convex.query(api.messages.forThread, { threadId: CODEX_ID });
      statuses.push(row?.data?.['status']);
    }
    const read = ['in_progress', 'interrupted', 'completed'];
    expect(statuses).toEqual([...read, 'completed', 'completed', 'completed']);
    const [row] = await convex.query(api.messages.forThread, { threadId: CODEX_ID });
    expect(row).toMatchObject({ data: { status: 'completed' }, revision: 1 });
    expect(row?.data).not.toHaveProperty('reason');
  });

  it('does not let the injected preface move the thread up the list', async () => {
    const convex = backend();
    await convex.mutation(
      api.messages.ingest,
      fileBatch([{ key: 'p', kind: 'preface', text: 'context', ts: 9_000 }]),
    );
    const thread = await convex.query(api.threads.byId, { id: CODEX_ID });
    expect(thread).toMatchObject({ messageCount: 0, lastMessageAt: 0, updatedAt: 500 });
  });

  it('refuses more items than one transaction should hold, and writes none of them', async () => {
    const convex = backend();
    const items = Array.from({ length: 501 }, (_, n) => message(`t/${n}`, 'x'));
    await expect(convex.mutation(api.messages.ingest, fileBatch(items))).rejects.toThrow(
      /batch_too_large/,
    );
    expect(await convex.query(api.threads.byId, { id: CODEX_ID })).toBeNull();
  });

  it('refuses a batch whose thread has no id', async () => {
    const batch = fileBatch([message('t/1', 'x')], { thread: { source: 'external' } });
    await expect(backend().mutation(api.messages.ingest, batch)).rejects.toThrow(
      /thread_unidentified/,
    );
  });

  it.each([
    ['an unknown kind', { kind: 'shout' }],
    ['an unknown field', { colour: 'red' }],
    ['a time that is no number', { ts: '12:00' }],
    ['a missing key', { key: undefined }],
    ['a role that is none', { role: 'model' }],
  ])('refuses an item with %s', async (_name, wrong) => {
    const item = { ...message('t/1', 'x'), ...wrong };
    // The point is what the validators say to a caller that the compiler did not check.
    const batch = fileBatch([item as never]);
    await expect(backend().mutation(api.messages.ingest, batch)).rejects.toThrow(/[Vv]alid/);
  });
});

describe('claims', () => {
  const streamed = message('run/r1/0', 'hi', 2_000, {
    role: 'assistant',
    provisional: true,
    runId: 'r1',
  });
  const filed = message('turn/msg_1', 'hi', 1_990, {
    role: 'assistant',
    turnId: 'turn',
    itemId: 'msg_1',
    claims: 'run/r1/0',
  });

  it('turn the provisional row into its final self under the same _id', async () => {
    const convex = backend();
    await convex.mutation(api.messages.ingest, fileBatch([streamed]));
    const [before] = await convex.query(api.messages.forThread, { threadId: CODEX_ID });
    const result = await convex.mutation(api.messages.ingest, fileBatch([filed]));
    expect(result).toMatchObject({ inserted: 0, known: 0, claimed: 1 });
    const [after, ...others] = await convex.query(api.messages.forThread, { threadId: CODEX_ID });
    expect(others).toEqual([]);
    expect(after).toMatchObject({
      _id: before?._id,
      key: 'turn/msg_1',
      ts: 1_990,
      turnId: 'turn',
      itemId: 'msg_1',
      runId: 'r1',
    });
    expect(after).not.toHaveProperty('provisional');
    expect(await convex.query(api.threads.byId, { id: CODEX_ID })).toMatchObject({
      messageCount: 1,
    });
  });

  it('take the time of the newest message back to what the file says, or to one in between', async () => {
    const convex = backend();
    const lastMessageAt = async () =>
      (await convex.query(api.threads.byId, { id: CODEX_ID }))?.lastMessageAt;
    const second = { ...streamed, key: 'run/r1/1', ts: 2_100 };
    const filedSecond = { ...filed, key: 'turn/msg_2', ts: 2_050, claims: second.key };
    await convex.mutation(api.messages.ingest, fileBatch([streamed, second]));
    expect(await lastMessageAt()).toBe(2_100);
    await convex.mutation(api.messages.ingest, fileBatch([filed]));
    expect(await lastMessageAt()).toBe(2_100);
    await convex.mutation(api.messages.ingest, fileBatch([filedSecond]));
    expect(await lastMessageAt()).toBe(2_050);
    const third = { ...second, key: 'run/r1/2', ts: 2_200 };
    const command = { key: 'c', kind: 'cmd' as const, ts: 2_150 };
    await convex.mutation(api.messages.ingest, fileBatch([third, command]));
    const early = { ...filedSecond, key: 'turn/msg_3', ts: 2_000, claims: third.key };
    await convex.mutation(api.messages.ingest, fileBatch([early]));
    expect(await lastMessageAt()).toBe(2_050);
    // A late sighting in the stream changes neither the row nor this.
    const { claims: _, ...late } = { ...early, ts: 2_900, provisional: true };
    await convex.mutation(api.messages.ingest, fileBatch([late]));
    expect(await lastMessageAt()).toBe(2_050);
  });

  it('are known when they are sent again', async () => {
    const convex = backend();
    await convex.mutation(api.messages.ingest, fileBatch([streamed]));
    await convex.mutation(api.messages.ingest, fileBatch([filed]));
    const again = await convex.mutation(api.messages.ingest, fileBatch([filed]));
    expect(again).toMatchObject({ inserted: 0, known: 1, claimed: 0 });
  });

  it('insert the item when the stream never delivered it', async () => {
    const convex = backend();
    const result = await convex.mutation(api.messages.ingest, fileBatch([filed]));
    expect(result).toMatchObject({ inserted: 1, claimed: 0 });
    const [row] = await convex.query(api.messages.forThread, { threadId: CODEX_ID });
    expect(row).not.toHaveProperty('claims');
  });

  it('keep the whole output that the stream had when the file cut it', async () => {
    const convex = backend();
    const whole = 'x'.repeat(1_000);
    await convex.mutation(
      api.messages.ingest,
      fileBatch([
        { ...streamed, kind: 'cmd', data: { command: 'make', output: whole, status: 'completed' } },
      ]),
    );
    await convex.mutation(
      api.messages.ingest,
      fileBatch([
        { ...filed, kind: 'cmd', data: { command: 'make', output: 'xx[cut]', exitCode: 0 } },
      ]),
    );
    const [row] = await convex.query(api.messages.forThread, { threadId: CODEX_ID });
    expect(row?.data).toEqual({ command: 'make', output: whole, exitCode: 0 });
  });

  it('do not reach into another thread', async () => {
    const convex = backend();
    await convex.mutation(api.messages.ingest, fileBatch([streamed]));
    const elsewhere = fileBatch([filed], { thread: { resumeId: 'other', source: 'external' } });
    expect(await convex.mutation(api.messages.ingest, elsewhere)).toMatchObject({
      inserted: 1,
      claimed: 0,
    });
  });
});

describe('provisional rows', () => {
  const started = {
    key: 'run/r1/3',
    kind: 'cmd' as const,
    text: 'make',
    ts: 5,
    runId: 'r1',
    provisional: true,
  };

  it('follow the stream from started to completed', async () => {
    const convex = backend();
    await convex.mutation(
      api.messages.ingest,
      fileBatch([{ ...started, data: { status: 'in_progress' } }]),
    );
    await convex.mutation(
      api.messages.ingest,
      fileBatch([{ ...started, data: { status: 'completed', exitCode: 0 } }]),
    );
    const [row] = await convex.query(api.messages.forThread, { threadId: CODEX_ID });
    expect(row?.data).toEqual({ status: 'completed', exitCode: 0 });
    expect(row?.provisional).toBe(true);
  });

  it('are settled by the same key without the mark, and then stay as they are', async () => {
    const convex = backend();
    await convex.mutation(api.messages.ingest, fileBatch([started]));
    const { provisional: _, ...settled } = started;
    await convex.mutation(api.messages.ingest, fileBatch([settled]));
    await convex.mutation(
      api.messages.ingest,
      fileBatch([{ ...started, text: 'make it longer', data: { status: 'late' } }]),
    );
    const [row, ...others] = await convex.query(api.messages.forThread, { threadId: CODEX_ID });
    expect(others).toEqual([]);
    expect(row).toMatchObject({ key: 'run/r1/3', text: 'make' });
    expect(row).not.toHaveProperty('provisional');
  });

  it('are listed with their run for the machine that ran it, and for no other', async () => {
    const convex = backend();
    const threadDocId = await convex.mutation(api.threads.create, {
      cwd: '/w',
      machineId: MACHINE,
    });
    const { runId } = await convex.mutation(api.runs.enqueue, { threadDocId, text: 'build it' });
    await convex.mutation(api.runs.lease, { machineId: MACHINE, runId, leaseMs: 1_000 });
    const mine = await convex.query(api.messages.provisional, {
      machineId: MACHINE,
      paginationOpts: allPages,
    });
    expect(mine.page).toMatchObject([
      {
        item: { key: `run/${runId}/prompt`, text: 'build it', provisional: true },
        run: { runId, threadId: threadDocId, cwd: '/w', fileSeen: false },
      },
    ]);
    const others = await convex.query(api.messages.provisional, {
      machineId: 'machine-2',
      paginationOpts: allPages,
    });
    expect(others.page).toEqual([]);
  });
});

describe('the cursor', () => {
  const placeOf = ({ path, generation, offset, tailHash }: ReturnType<typeof cursorAt>) => ({
    path,
    generation,
    offset,
    tailHash,
  });
  type Cursor = ReturnType<typeof cursorAt>;
  /** Writes a cursor on from where another one is. */
  const move = (convex: ReturnType<typeof backend>, cursor: Cursor, after?: Cursor) =>
    convex.mutation(
      api.messages.ingest,
      fileBatch([message(`t/${cursor.path}/${cursor.offset}`, 'x')], {
        cursor,
        ...(after && { after: placeOf(after) }),
      }),
    );

  it('moves in the transaction of the rows, and learns the thread', async () => {
    const convex = backend();
    expect(await move(convex, cursorAt(10))).not.toHaveProperty('stored');
    expect(await move(convex, cursorAt(20), cursorAt(10))).not.toHaveProperty('stored');
    expect(await cursors(convex)).toMatchObject([{ ...cursorAt(20), threadId: CODEX_ID }]);
  });

  it('stays where it was when the batch is refused', async () => {
    const convex = backend();
    await move(convex, cursorAt(10));
    const items = Array.from({ length: 501 }, (_, n) => message(`u/${n}`, 'x'));
    const batch = fileBatch(items, { cursor: cursorAt(20), after: placeOf(cursorAt(10)) });
    await expect(convex.mutation(api.messages.ingest, batch)).rejects.toThrow(/batch_too_large/);
    expect(await cursors(convex)).toMatchObject([{ offset: 10 }]);
  });

  it('moves once for a batch that is sent again, also behind a newer one', async () => {
    const convex = backend();
    await move(convex, cursorAt(10));
    expect(await move(convex, cursorAt(10))).not.toHaveProperty('stored');
    await move(convex, cursorAt(20), cursorAt(10));
    expect(await move(convex, cursorAt(20), cursorAt(10))).not.toHaveProperty('stored');
    expect(await move(convex, cursorAt(10))).toMatchObject({ stored: cursorAt(20) });
    expect(await cursors(convex)).toMatchObject([{ offset: 20 }]);
  });

  it('starts over for a rewritten file and for a newer parser', async () => {
    const convex = backend();
    await move(convex, cursorAt(20));
    const rewritten = cursorAt(5, { generation: 1 });
    await move(convex, rewritten, cursorAt(20));
    expect(await cursors(convex)).toMatchObject([{ offset: 5, generation: 1 }]);
    const newer = cursorAt(0, { generation: 1, parserVersion: 2 });
    await move(convex, newer, rewritten);
    expect(await cursors(convex)).toMatchObject([{ offset: 0, parserVersion: 2 }]);
  });

  it('does not move where what it goes on from is not there, but the rows are written, and the answer says what is', async () => {
    const convex = backend();
    const inserted = { inserted: 1 };
    expect(await move(convex, cursorAt(20), cursorAt(10))).toMatchObject({
      ...inserted,
      stored: null,
    });
    expect(await cursors(convex)).toEqual([]);
    await move(convex, cursorAt(9));
    const others = [
      cursorAt(8),
      cursorAt(10),
      cursorAt(9, { generation: 1 }),
      cursorAt(9, { tailHash: 'other' }),
    ];
    for (const [index, other] of others.entries()) {
      const answer = await move(convex, cursorAt(30 + index), other);
      expect(answer).toMatchObject({ ...inserted, stored: cursorAt(9) });
      expect(answer.stored).not.toHaveProperty('machineId');
    }
    expect(await move(convex, cursorAt(40))).toMatchObject({ ...inserted, stored: cursorAt(9) });
    expect(await cursors(convex)).toMatchObject([{ offset: 9 }]);
  });

  it('of a file that was emptied before Convex lost its data is not taken for that of a whole one', async () => {
    const convex = backend();
    const emptied = cursorAt(0, { generation: 7, tailHash: 'none' });
    expect(await move(convex, emptied, cursorAt(90, { generation: 6 }))).toMatchObject({
      stored: null,
    });
    await move(convex, cursorAt(9));
    expect(await move(convex, emptied, cursorAt(90, { generation: 6 }))).toMatchObject({
      stored: cursorAt(9),
    });
  });

  it('follows its session to another place, unless that place has a newer one', async () => {
    const convex = backend();
    const at = (path: string, offset: number, generation = 1) =>
      cursorAt(offset, { path, generation });
    await move(convex, at('a', 10));
    expect(await move(convex, at('b', 20), at('a', 9))).toMatchObject({ stored: null });
    await move(convex, at('b', 20), at('a', 10));
    await move(convex, at('b', 30), at('b', 20));
    for (const late of [at('b', 25), at('b', 40, 0)]) {
      expect(await move(convex, late, at('a', 10))).toMatchObject({ stored: at('b', 30) });
    }
    await move(convex, at('b', 5, 2), at('a', 10));
    expect(await cursors(convex)).toMatchObject([
      { path: 'a', offset: 10 },
      { path: 'b', offset: 5, generation: 2 },
    ]);
  });

  it('keeps the newest thousand quarantined lines', async () => {
    const convex = backend();
    const quarantine = Array.from({ length: 1_005 }, (_, n) => ({
      offset: n,
      length: 1,
      sha256: 'a',
      reason: 'bad',
      parserVersion: 1,
    }));
    await convex.mutation(
      api.messages.ingest,
      fileBatch([], { cursor: cursorAt(9, { quarantine }) }),
    );
    const [cursor] = await cursors(convex);
    expect(cursor?.quarantine).toHaveLength(1_000);
    expect(cursor?.quarantine.at(-1)?.offset).toBe(1_004);
  });

  it('is listed page by page for its machine only', async () => {
    const convex = backend();
    for (const path of ['a', 'b', 'c']) {
      await convex.mutation(api.messages.ingest, fileBatch([], { cursor: cursorAt(1, { path }) }));
    }
    await convex.mutation(
      api.messages.ingest,
      fileBatch([], { machineId: 'machine-2', cursor: cursorAt(1, { path: 'd' }) }),
    );
    const first = await convex.query(api.cursors.forMachine, {
      machineId: MACHINE,
      paginationOpts: { numItems: 2, cursor: null },
    });
    const second = await convex.query(api.cursors.forMachine, {
      machineId: MACHINE,
      paginationOpts: { numItems: 2, cursor: first.continueCursor },
    });
    const all = [...first.page, ...second.page];
    expect(all.map((cursor) => cursor.path)).toEqual(['a', 'b', 'c']);
    expect(all.every(({ updatedAt }) => updatedAt > 0 && updatedAt <= Date.now())).toBe(true);
    expect(second.isDone).toBe(true);
  });
});

async function cursors(convex: ReturnType<typeof backend>) {
  const { page } = await convex.query(api.cursors.forMachine, {
    machineId: MACHINE,
    paginationOpts: allPages,
  });
  return page;
}

async function everything(convex: ReturnType<typeof backend>) {
  return await convex.run(async (ctx) => ({
    threads: await ctx.db.query('threads').collect(),
    messages: await ctx.db.query('messages').collect(),
    cursors: await ctx.db.query('cursors').collect(),
  }));
}

/** The cursor's row says when it was written last; nothing else may differ. */
function withoutTimes(tables: Awaited<ReturnType<typeof everything>>) {
  return {
    ...tables,
    cursors: tables.cursors.map(({ updatedAt: _updatedAt, ...cursor }) => cursor),
  };
}
