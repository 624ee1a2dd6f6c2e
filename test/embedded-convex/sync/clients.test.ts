import { ConvexError } from 'convex/values';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { api, startBackend } from '../support/backend.ts';
import type { Backend } from '../support/backend.ts';
import { watch } from '../support/values-seen.ts';

let backend: Backend;
beforeAll(async () => {
  backend = await startBackend();
});
afterAll(() => backend[Symbol.asyncDispose]());

test('a mutation is awaited until its own write has been seen, also with twenty writers', async () => {
  const room = 'own writes';
  const clients = Array.from({ length: 20 }, () => backend.client());
  await Promise.all(
    clients.map(async (client, number) => {
      const seen = watch(client, api.rooms.list, { room });
      const body = `from ${number}`;
      await client.mutation(api.rooms.send, { room, body });
      expect(seen.values.at(-1)).toContain(body);
      seen.stop();
    }),
  );
});

test('a client without subscriptions can await a mutation that changes nothing', async () => {
  expect(await backend.client().mutation(api.rooms.nothing, {})).toBeNull();
});

test('a subscription made long after the connection gets its first result', async () => {
  const client = backend.client();
  await client.mutation(api.rooms.nothing, {});
  expect(await watch(client, api.rooms.count, { room: 'late' }).until(() => true)).toBe(0);
});

test('two queries of one client never show different snapshots', async () => {
  const room = 'snapshot';
  const reader = backend.client();
  const writer = backend.client();
  const list = watch(reader, api.rooms.list, { room });
  const differences: number[] = [];
  const count = watch(reader, api.rooms.count, { room });
  // Callbacks of one transition come in one turn, the later subscription last.
  const stop = reader.onUpdate(api.rooms.count, { room }, (counted) => {
    const listed = list.values.at(-1);
    if (Array.isArray(listed) && listed.length !== counted) differences.push(counted);
  });
  await count.until((value) => value === 0);
  for (let number = 0; number < 50; number++) {
    await writer.mutation(api.rooms.send, { room, body: String(number) });
  }
  await count.until((value) => value === 50);
  stop();
  expect(differences).toEqual([]);
});

test('subscribing and unsubscribing while others write never breaks the chain of versions', async () => {
  const broken = vi.fn<(error: unknown) => void>();
  process.on('uncaughtException', broken);
  const client = backend.client();
  const writer = backend.client();
  const writing = Promise.all(
    Array.from({ length: 100 }, (_, number) =>
      writer.mutation(api.rooms.send, { room: `churn ${number % 10}`, body: 'x' }),
    ),
  );
  for (let round = 0; round < 50; round++) {
    const watched = Array.from({ length: 10 }, (_, number) =>
      watch(client, api.rooms.count, { room: `churn ${number}` }),
    );
    if (round % 10 === 0) await watched[round % 10]?.until(() => true);
    for (const seen of watched) seen.stop();
  }
  await writing;
  const counted = watch(client, api.rooms.count, { room: 'churn 3' });
  expect(await counted.until((value) => value === 10)).toBe(10);
  process.off('uncaughtException', broken);
  expect(broken).not.toHaveBeenCalled();
});

test('a query that was dropped and is subscribed to again shows the value of today', async () => {
  const room = 'again';
  const client = backend.client();
  const first = watch(client, api.rooms.count, { room });
  await first.until((value) => value === 0);
  first.stop();
  await client.mutation(api.rooms.send, { room, body: 'meanwhile' });
  const second = watch(client, api.rooms.count, { room });
  expect(await second.until(() => true)).toBe(1);
});

test('a query that fails recovers when what it read changes, even to the same value', async () => {
  const room = 'failing';
  const client = backend.client();
  const seen = watch(client, api.rooms.failing, { room });
  await seen.until((value) => value === 0);
  await client.mutation(api.rooms.send, { room, body: 'error' });
  expect(seen.values.at(-1)).toBeInstanceOf(Error);
  await client.mutation(api.rooms.clear, { room });
  expect(seen.values.at(-1)).toBe(0);
});

test('only a ConvexError carries data, and brings it as it was thrown', async () => {
  const room = 'errors';
  const client = backend.client();
  const seen = watch(client, api.rooms.failing, { room });
  await client.mutation(api.rooms.send, { room, body: 'error' });
  const ordinary = await seen.until((value) => value instanceof Error);
  expect(ordinary).not.toBeInstanceOf(ConvexError);
  expect(String(ordinary)).toContain('there is an error in the room');
  await client.mutation(api.rooms.clear, { room });
  await client.mutation(api.rooms.send, { room, body: 'ConvexError' });
  const convexError = await seen.until((value) => value instanceof ConvexError);
  expect(convexError).toMatchObject({ data: { room, count: 2n ** 60n } });
  await expect(client.mutation(api.rooms.sendAndFail, { room })).rejects.toMatchObject({
    data: 'changed my mind',
  });
});

test('a failed mutation leaves nothing behind', async () => {
  const room = 'rolled back';
  const client = backend.client();
  await expect(client.mutation(api.rooms.sendAndFail, { room })).rejects.toThrow('changed my mind');
  expect(await client.query(api.rooms.count, { room })).toBe(0);
});

test('an action writes, and its writes reach the subscription', async () => {
  const room = 'action';
  const client = backend.client();
  const seen = watch(client, api.rooms.list, { room });
  const id = await client.action(api.rooms.sendByAction, { room, body: 'acted' });
  expect(id).toMatch(/^[0-9a-z]{32}$/);
  await seen.until((value) => Array.isArray(value) && value.includes('acted'));
});

test('a slow action does not hold up mutations behind it', async () => {
  const room = 'awaited';
  const client = backend.client();
  const waiting = client.action(api.rooms.waitForMessage, { room });
  await client.mutation(api.rooms.send, { room, body: 'overtakes it' });
  expect(await waiting).toBe('waited');
});

test('a value that stays the same is not sent again', async () => {
  const room = 'same';
  const client = backend.client();
  const seen = watch(client, api.rooms.failing, { room });
  await seen.until((value) => value === 0);
  await client.mutation(api.rooms.send, { room, body: 'one' });
  await client.mutation(api.rooms.clear, { room });
  await client.mutation(api.rooms.clear, { room });
  expect(seen.values).toEqual([0, 1, 0]);
});

test('the client finds nothing to complain of: log lines and clocks are as it wants them', async () => {
  const said: unknown[][] = [];
  const say = (...words: unknown[]) => void said.push(words);
  const logger = { log: say, warn: say, error: say, logVerbose: () => undefined };
  const client = backend.client({ logger });
  await watch(client, api.rooms.logging, { room: 'logs' }).until(() => true);
  await client.mutation(api.rooms.nothing, {});
  const text = JSON.stringify(said);
  expect(text).toContain('looking at');
  expect(text).not.toContain('Could not parse');
  expect(text).not.toContain('20s');
  expect(text).not.toContain('Attempting reconnect');
});

test('results far larger than a part arrive whole', async () => {
  const client = backend.client();
  // 6.4 million UTF-16 units, cut inside a pair of surrogates.
  const length = 3_200_001;
  const seen = watch(client, api.rooms.large, { length });
  expect(await seen.until(() => true)).toBe('🙂'.repeat(length));
});

test('pages keep their ends: what is inserted appears once, also after a reconnection', async () => {
  const room = 'pages';
  const writer = backend.client();
  const send = (body: string) => writer.mutation(api.rooms.send, { room, body });
  for (const body of ['b', 'd', 'f', 'h']) await send(body);
  const client = backend.client();
  const first = watch(client, api.rooms.page, {
    room,
    paginationOpts: { numItems: 2, cursor: null },
  });
  const loaded = await first.until(() => true);
  if (loaded instanceof Error) throw loaded;
  const second = watch(client, api.rooms.page, {
    room,
    paginationOpts: { numItems: 2, cursor: loaded.continueCursor },
  });
  await second.until(() => true);
  const shown = () =>
    [first.values.at(-1), second.values.at(-1)].map((page) =>
      page instanceof Error ? page : page?.page,
    );
  expect(shown()).toEqual([
    ['b', 'd'],
    ['f', 'h'],
  ]);
  await send('c');
  await first.until((value) => !(value instanceof Error) && value.page.includes('c'));
  expect(shown()).toEqual([
    ['b', 'c', 'd'],
    ['f', 'h'],
  ]);
  await backend.restart();
  await send('a');
  await first.until((value) => !(value instanceof Error) && value.page.includes('a'));
  expect(shown()).toEqual([
    ['a', 'b', 'c', 'd'],
    ['f', 'h'],
  ]);
  // Somebody who comes now has no journal, and gets a page of now.
  const args = { room, paginationOpts: { numItems: 2, cursor: null } };
  const other = watch(backend.client(), api.rooms.page, args);
  expect(await other.until(() => true)).toMatchObject({ page: ['a', 'b'] });
});

test('one write is one execution for all who are subscribed to the same query', async () => {
  // Its own: the clients of other tests come back after a restart when they like, and count too.
  await using backend = await startBackend();
  const room = 'shared';
  const seen = Array.from({ length: 30 }, () => watch(backend.client(), api.rooms.list, { room }));
  await Promise.all(seen.map((one) => one.until(() => true)));
  const before = backend.executions('list');
  await backend.client().mutation(api.rooms.send, { room, body: 'to all' });
  await Promise.all(seen.map((one) => one.until((value) => String(value) === 'to all')));
  expect(backend.executions('list') - before).toBe(1);
});

test('a write elsewhere executes nothing', async () => {
  await using backend = await startBackend();
  const client = backend.client();
  const seen = watch(client, api.rooms.list, { room: 'untouched' });
  await seen.until(() => true);
  const before = backend.executions('list');
  await client.mutation(api.rooms.send, { room: 'touched', body: 'x' });
  expect(backend.executions('list')).toBe(before);
});

test('a subscription goes on over a restart of the server, with nothing lost', async () => {
  const room = 'restart';
  const client = backend.client();
  const seen = watch(client, api.rooms.list, { room });
  await client.mutation(api.rooms.send, { room, body: 'before' });
  await backend.restart();
  await client.mutation(api.rooms.send, { room, body: 'after' });
  expect(seen.values.at(-1)).toEqual(['before', 'after']);
});
