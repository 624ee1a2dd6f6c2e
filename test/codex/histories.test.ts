/** Session files of one thread, of its forks and children, through the real functions. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { api } from '../../convex/_generated/api.js';
import { finalItems, fixture, line, readRollout } from '../support/codex-files.ts';
import { mirroredFiles } from '../support/mirrored-files.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a thread that was reverted', () => {
  const THREAD = '01a207cc-6f5f-7de2-94c2-0c807fcd4d3f';
  const older = fixture('0.169.0/app-revert/rollout.jsonl');
  const newer = fixture('0.169.0/app-revert/rollout-1.jsonl');
  const segment = `rollout-2026-11-23T09-46-08-${THREAD}_01a207cc-71d3-7000-8000-000000000000.jsonl`;
  const shown = [
    'user: SCN:cmd first',
    'assistant: Let me run it.',
    'assistant: Command done.',
    'user: SCN:hello third after rollback',
    'assistant: Hello from the mock model.',
  ];

  test.each([
    ['as it happens', [older, newer]],
    ['newest file first', [newer, older]],
  ])('shows what Codex shows, its files read %s', async (_order, files) => {
    const mirror = mirroredFiles();
    for (const file of files) await mirror.take(file, file === newer ? segment : undefined);
    expect(await mirror.conversation(THREAD)).toEqual(shown);
    expect(await mirror.thread(THREAD)).toMatchObject({ messageCount: shown.length });
  });

  test('keeps what was taken back, which says so, and finds none of it', async () => {
    const mirror = mirroredFiles();
    await mirror.take(older);
    const before = await mirror.rows(THREAD);
    await mirror.take(newer, segment);
    const after = await mirror.rows(THREAD);
    expect(after.slice(0, before.length).map(({ _id }) => _id)).toEqual(
      before.map(({ _id }) => _id),
    );
    const takenBack = after.filter(({ reverted }) => reverted);
    expect(takenBack.map(({ kind, text }) => `${kind} ${text ?? ''}`)).toEqual([
      'turn ',
      'message SCN:hello second',
      'reason **Greeting** plan',
      'message Hello from the mock model.',
    ]);
    const found = (query: string) => mirror.convex.query(api.messages.search, { query });
    expect(await found('second')).toEqual([]);
    expect(await found('third')).toHaveLength(1);
  });

  test('adds nothing when its files are read again', async () => {
    const mirror = mirroredFiles();
    await mirror.take(older);
    await mirror.take(newer, segment);
    const rows = await mirror.rows(THREAD);
    const thread = await mirror.thread(THREAD);
    expect(await mirror.take(older)).toMatchObject({ inserted: 0 });
    expect(await mirror.take(newer, segment)).toMatchObject({ inserted: 0 });
    expect(await mirror.rows(THREAD)).toEqual(rows);
    expect(await mirror.thread(THREAD)).toMatchObject({ messageCount: thread?.messageCount });
  });

  test('before 0.148 in one file', async () => {
    const mirror = mirroredFiles();
    await mirror.take(fixture('0.145.0/app-rollback/rollout.jsonl'));
    expect(await mirror.conversation('01a207cc-5e83-7b00-8015-7866b9372c35')).toEqual([
      'user: SCN:cmd first',
      'assistant: Let me run it.',
      'assistant: Command done.',
      'system: The last turn was taken back',
      'user: SCN:hello third after rollback',
      'assistant: Hello from the mock model.',
    ]);
  });

  test('takes back what a run of the bridge had shown, and its file confirms only later', async () => {
    const mirror = mirroredFiles();
    await mirror.take(newer, segment);
    const streamed = { key: 'run/r/prompt', kind: 'message', role: 'user', ts: 1 } as const;
    const write = (item: object) =>
      mirror.convex.mutation(api.messages.ingest, {
        machineId: 'm',
        thread: { resumeId: THREAD, source: 'external' },
        items: [{ ...streamed, ...item }],
      });
    await write({ text: 'taken back', provisional: true });
    expect(await mirror.conversation(THREAD)).toContain('user: taken back');
    const messageCount = (await mirror.thread(THREAD))?.messageCount ?? 0;
    await write({ key: 't/i', text: 'taken back', ordinal: 30, claims: 'run/r/prompt' });
    expect(await mirror.conversation(THREAD)).not.toContain('user: taken back');
    expect(await mirror.thread(THREAD)).toMatchObject({ messageCount: messageCount - 1 });
  });

  test('with more rows than one transaction looks at', async () => {
    const mirror = mirroredFiles();
    const numbered = (ordinal: number, ts: number, type: string, payload: object) =>
      line(type, payload, { timestamp: new Date(ts).toISOString(), ordinal });
    const said = (n: number) => ({
      type: 'item_completed',
      thread_id: 't',
      turn_id: `turn-${n}`,
      item: { type: 'AgentMessage', id: `m${n}`, content: [{ type: 'Text', text: `${n}` }] },
    });
    const first = Array.from({ length: 350 }, (_, n) =>
      numbered(n + 1, n + 1, 'event_msg', said(n)),
    );
    await mirror.take([numbered(0, 0, 'session_meta', { id: 't' }), ...first]);
    const base = { thread_id: 't', end_ordinal_exclusive: 51 };
    await mirror.take([numbered(51, 1_000, 'session_meta', { id: 't', history_base: base })]);
    expect(await mirror.conversation('t')).toHaveLength(50);
    expect(await mirror.thread('t')).toMatchObject({ messageCount: 50 });
    expect(await mirror.rows('t')).toHaveLength(350);
  });
});

describe('a session that `codex migrate-rollouts` has rewritten', () => {
  const sessions = [
    { name: 'resumed', threadId: '01a207c8-bc82-7181-bd84-90e2d2fe2231', turns: [] },
    { name: 'older', threadId: '01a207c1-f45b-71a3-856a-fbaa98617a45', turns: ['rollout-3'] },
    { name: 'patch', threadId: '01a207c8-c4e3-77d0-9b42-86315fbdfb4b', turns: [] },
    { name: 'tools', threadId: '01a207c7-8e0c-7b81-ac2f-31ef0bd8a9d9', turns: [] },
  ];

  test.each(sessions)('keeps every row, under its new key: $name', async (session) => {
    const { name, threadId, turns } = session;
    const mirror = mirroredFiles();
    await mirror.take(fixture(`migrated/${name}-before.jsonl`));
    const before = await mirror.rows(threadId);
    const { inserted } = await mirror.take(fixture(`migrated/${name}-after.jsonl`));
    const after = await mirror.rows(threadId);
    // Files from before there were turns are given some.
    expect(inserted).toBe(turns.length);
    const old = after.filter(({ key }) => !turns.includes(key));
    const facts = ({ _id, kind, role, text, ts }: (typeof after)[number]) => ({
      _id,
      kind,
      role,
      ts,
      ...(kind === 'file' ? {} : { text }),
    });
    expect(old.map(facts)).toEqual(before.map(facts));
    expect(new Set(after.map(({ key }) => key)).size).toBe(after.length);
    const displayed = old.filter(({ kind }) => kind === 'message');
    for (const row of displayed) expect(row.key).toBe(`${row.turnId}/${row.itemId}`);
    expect(await mirror.thread(threadId)).toMatchObject({ messageCount: displayed.length });
    const told = finalItems(readRollout(fixture(`migrated/${name}-after.jsonl`)).items);
    const numbers = new Map(told.map(({ key, ordinal }) => [key, ordinal]));
    const numbered = after.filter(({ key }) => numbers.has(key));
    expect(numbered.map(({ key, ordinal }) => [key, ordinal])).toEqual(
      numbered.map(({ key }) => [key, numbers.get(key)]),
    );
  });

  test('is taken back by the numbers that its lines have now', async () => {
    const threadId = '01a207c1-f45b-71a3-856a-fbaa98617a45';
    const mirror = mirroredFiles();
    await mirror.take(fixture('migrated/older-before.jsonl'));
    await mirror.take(fixture('migrated/older-after.jsonl'));
    // The line before the last turn, which was line 20 before the migration.
    const history_base = { thread_id: threadId, end_ordinal_exclusive: 22 };
    const meta = { id: threadId, timestamp: '2026-11-24T00:00:00.000Z', history_base };
    await mirror.take([line('session_meta', meta, { timestamp: meta.timestamp, ordinal: 22 })]);
    const rows = await mirror.rows(threadId);
    const lastTurn = rows.filter(({ ts }) => ts >= Date.parse('2026-11-23T09:45:01.770Z'));
    expect(lastTurn).toHaveLength(6);
    expect(rows.filter(({ reverted }) => reverted)).toEqual(lastTurn);
  });

  test('keeps what was never taken back, though its number is that of a line that was', async () => {
    const at = (n: number) => ({ timestamp: `2026-01-01T00:00:0${n}.000Z` });
    const said = (message: string) => ({ type: 'user_message', message });
    const legacy = [
      line('session_meta', { id: 't' }, at(0)),
      line('event_msg', said('kept'), at(1)),
      line('event_msg', said('taken back'), at(2)),
      line('event_msg', { type: 'thread_rolled_back', num_turns: 1 }, at(3)),
    ];
    const turn_id = 'rollout-1';
    const item = { type: 'UserMessage', id: 'item-1', content: [{ type: 'text', text: 'kept' }] };
    const migrated = [
      line('session_meta', { id: 't' }, { ...at(0), ordinal: 0 }),
      line('event_msg', { type: 'task_started', turn_id }, { ...at(1), ordinal: 1 }),
      line('event_msg', { type: 'item_completed', turn_id, item }, { ...at(1), ordinal: 2 }),
    ];
    for (const files of [
      [legacy, migrated],
      [migrated, legacy],
    ]) {
      const mirror = mirroredFiles();
      for (const file of files) await mirror.take(file);
      expect(await mirror.conversation('t')).toEqual([
        'user: kept',
        'system: The last turn was taken back',
      ]);
      expect(await mirror.thread('t')).toMatchObject({ messageCount: 2 });
    }
  });

  test.each(sessions)('is not doubled by a copy from before: $name', async (session) => {
    const mirror = mirroredFiles();
    await mirror.take(fixture(`migrated/${session.name}-after.jsonl`));
    const before = await mirror.rows(session.threadId);
    expect(await mirror.take(fixture(`migrated/${session.name}-before.jsonl`))).toMatchObject({
      inserted: 0,
    });
    expect(await mirror.rows(session.threadId)).toEqual(before);
  });

  test('keeps two prompts of the same words and millisecond apart', async () => {
    const at = '2026-01-01T00:00:00.000Z';
    const meta = { id: 't', timestamp: at };
    const legacy = [
      JSON.stringify({ timestamp: at, type: 'session_meta', payload: meta }),
      ...[0, 1].map(() =>
        JSON.stringify({
          timestamp: at,
          type: 'event_msg',
          payload: { type: 'user_message', message: 'go on' },
        }),
      ),
    ];
    const migrated = [
      JSON.stringify({ timestamp: at, ordinal: 0, type: 'session_meta', payload: meta }),
      ...[1, 2].map((n) =>
        JSON.stringify({
          timestamp: at,
          ordinal: n,
          type: 'event_msg',
          payload: {
            type: 'item_completed',
            thread_id: 't',
            turn_id: 'rollout-1',
            item: {
              type: 'UserMessage',
              id: `item-${n}`,
              content: [{ type: 'text', text: 'go on' }],
            },
          },
        }),
      ),
    ];
    const mirror = mirroredFiles();
    await mirror.take(legacy);
    const ids = (await mirror.rows('t')).map(({ _id }) => _id);
    await mirror.take(migrated);
    const rows = await mirror.rows('t');
    expect(rows.map(({ _id }) => _id)).toEqual(ids);
    expect(rows.map(({ key }) => key)).toEqual(['rollout-1/item-1', 'rollout-1/item-2']);
  });
});

describe('threads that come from another', () => {
  test('a fork before 0.148 has its own turn only, and counts only its tokens', async () => {
    const mirror = mirroredFiles();
    await mirror.take(fixture('0.120.0/app-fork/rollout-1.jsonl'));
    const [fork] = await mirror.convex.query(api.threads.list, {});
    expect(fork).toMatchObject({
      parentThreadId: '01a207cc-3af5-7712-baaf-cd08fa22bb70',
      // Codex's own total is 75: it goes on from the parent's 45.
      usage: { totalTokens: 30 },
    });
    expect(await mirror.conversation(fork?.threadId ?? '')).toEqual([
      'user: SCN:cmd in the fork',
      'assistant: Let me run it.',
      'assistant: Command done.',
    ]);
    const rows = await mirror.rows(fork?.threadId ?? '');
    expect(rows.find(({ kind }) => kind === 'turn')?.data).toMatchObject({
      usage: { totalTokens: 30 },
    });
  });

  test('a fork since 0.148 too', async () => {
    const mirror = mirroredFiles();
    await mirror.take(fixture('0.169.0/fork/rollout.jsonl'));
    const [fork] = await mirror.convex.query(api.threads.list, {});
    expect(fork).toMatchObject({
      parentThreadId: '01a207bb-9cde-7c90-ab10-4feee2e65c47',
      usage: { totalTokens: 15 },
      messageCount: 2,
    });
  });

  test('a sub-agent does not repeat what it was given of its parent', async () => {
    const mirror = mirroredFiles();
    await mirror.take(fixture('0.169.0/subagent/rollout.jsonl'));
    await mirror.take(fixture('0.169.0/subagent/rollout-1.jsonl'));
    const [parentId, childId] = [
      '01a207be-a44c-7401-a853-26a794ffbb87',
      '01a207be-a56e-74f0-9475-aa48231460f3',
    ];
    expect(await mirror.thread(childId)).toMatchObject({
      parentThreadId: parentId,
      usage: { totalTokens: 30 },
    });
    expect(await mirror.thread(parentId)).toMatchObject({ usage: { totalTokens: 45 } });
    const [parent, child] = [await mirror.rows(parentId), await mirror.rows(childId)];
    const keys = new Set(parent.map(({ key }) => key));
    expect(child.filter(({ key }) => keys.has(key))).toEqual([]);
    expect(child.filter(({ kind }) => kind === 'turn').map(({ data }) => data?.['status'])).toEqual(
      ['completed'],
    );
    expect(await mirror.conversation(childId)).toEqual([
      expect.stringMatching(/^system: /),
      expect.stringMatching(/^assistant: /),
    ]);
  });

  test('a sub-agent of the older kind, which is given nothing, names its parent and counts its own tokens', async () => {
    const [parentId, childId] = [
      '01a207c8-2c0b-7490-bd46-b7d96dbfd69e',
      '01a207c8-2d12-75d2-bdc1-b3557591f969',
    ];
    const mirror = mirroredFiles();
    await mirror.take(fixture('0.130.0/spawn/rollout.jsonl'));
    await mirror.take(fixture('0.130.0/spawn/rollout-1.jsonl'));
    const parent = await mirror.thread(parentId);
    expect(parent).not.toHaveProperty('parentThreadId');
    expect(parent).toMatchObject({ usage: { totalTokens: 45 } });
    expect(await mirror.thread(childId)).toMatchObject({
      parentThreadId: parentId,
      usage: { totalTokens: 30 },
    });
    expect(await mirror.conversation(parentId)).toEqual([
      'user: SCN:spawn please',
      'assistant: Child finished; parent done.',
    ]);
    expect(await mirror.conversation(childId)).toEqual([
      'user: SCN:child do the child thing',
      'assistant: child result text',
    ]);
    const tools = (await mirror.rows(parentId)).filter(({ kind }) => kind === 'mcp');
    expect(tools.map(({ text, data }) => [text, data?.['status']])).toEqual([
      ['spawn_agent', 'completed'],
      ['wait_agent', 'completed'],
    ]);
  });

  test('a review and its child have each their own items', async () => {
    const mirror = mirroredFiles();
    await mirror.take(fixture('0.169.0/review/rollout.jsonl'));
    await mirror.take(fixture('0.169.0/review/rollout-1.jsonl'));
    const threads = await mirror.convex.query(api.threads.list, {});
    const child = threads.find(({ parentThreadId }) => parentThreadId !== undefined);
    const parent = threads.find(({ threadId }) => threadId === child?.parentThreadId);
    const [own, childs] = [
      await mirror.rows(parent?.threadId ?? ''),
      await mirror.rows(child?.threadId ?? ''),
    ];
    const items = childs.filter(({ kind }) => kind !== 'turn');
    expect(own.length * items.length).toBeGreaterThan(0);
    expect(items.filter(({ key }) => own.some((row) => row.key === key))).toEqual([]);
  });
});

describe('two files with one thread id', () => {
  const file = fixture('0.169.0/par/rollout.jsonl');
  const THREAD = '01a207bb-a3c7-7341-acbe-644017cf6ae3';

  test('of which one is a copy of the other’s beginning add nothing twice', async () => {
    const mirror = mirroredFiles();
    await mirror.take(file.slice(0, 12), 'copy.jsonl');
    await mirror.take(file);
    const rows = await mirror.rows(THREAD);
    expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
    const alone = mirroredFiles();
    await alone.take(file);
    const facts = ({ key, ts, kind, text }: (typeof rows)[number]) => ({ key, ts, kind, text });
    expect(rows.map(facts)).toEqual((await alone.rows(THREAD)).map(facts));
  });

  test('whose lines have the same ordinals but say other things are both there', async () => {
    const mirror = mirroredFiles();
    const said = (id: string, text: string) =>
      JSON.stringify({
        timestamp: '2026-01-01T00:00:00.000Z',
        ordinal: 5,
        type: 'event_msg',
        payload: {
          type: 'item_completed',
          thread_id: THREAD,
          turn_id: 'turn',
          item: { type: 'AgentMessage', id, content: [{ type: 'Text', text }] },
        },
      });
    const meta = JSON.stringify({
      timestamp: '2026-01-01T00:00:00.000Z',
      ordinal: 0,
      type: 'session_meta',
      payload: { id: THREAD },
    });
    await mirror.take([meta, said('m1', 'one')]);
    await mirror.take([meta, said('m2', 'other')], 'other.jsonl');
    expect(await mirror.conversation(THREAD)).toEqual(['assistant: one', 'assistant: other']);
  });
});
