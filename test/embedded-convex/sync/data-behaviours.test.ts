/** What backends usually get wrong about data, seen by official clients on a real server. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ConvexClient, ConvexHttpClient } from 'convex/browser';
import { makeFunctionReference } from 'convex/server';
import { compareValues, ConvexError } from 'convex/values';
import type { Value } from 'convex/values';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../support/ports.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { startBackend } from '../support/backend.ts';
import { spawnMain } from '../support/backend-process.ts';
import { imports, writeFunctions } from '../support/functions-folder.ts';
import { watch } from '../support/values-seen.ts';

const FUNCTIONS = `${imports}
import { makeFunctionReference } from 'convex/server';
export const add = mutation({
  args: { kind: v.string(), value: v.optional(v.any()) },
  handler: ({ db }, row) => db.insert('rows', row),
});
export const equal = query({
  args: { kind: v.string(), value: v.any(), missing: v.boolean() },
  handler: async ({ db }, { kind, value, missing }) => {
    const rows = db.query('rows').withIndex('by_value', (q) =>
      q.eq('kind', kind).eq('value', missing ? undefined : value));
    return (await rows.collect()).map(({ _id }) => _id);
  },
});
export const inOrder = query({
  args: { kind: v.string() },
  handler: async ({ db }, { kind }) =>
    db.query('rows').withIndex('by_value', (q) => q.eq('kind', kind)).collect(),
});
export const newerThan = query({
  args: { kind: v.string(), time: v.number() },
  handler: async ({ db }, { kind, time }) =>
    db.query('rows').withIndex('by_kind', (q) => q.eq('kind', kind).gt('_creationTime', time)).collect(),
});
export const pages = query({
  args: { kind: v.string(), order: v.union(v.literal('asc'), v.literal('desc')), paginationOpts: v.any() },
  handler: ({ db }, { kind, order, paginationOpts }) =>
    db.query('rows').withIndex('by_value', (q) => q.eq('kind', kind)).order(order).paginate(paginationOpts),
});
export const patch = mutation({
  args: { id: v.id('rows') },
  handler: async ({ db }, { id }) => {
    await db.patch(id, { value: undefined });
    const removed = await db.get(id);
    await db.patch(id, { value: { kept: 1, dropped: undefined } });
    return ['value' in removed, (await db.get(id)).value];
  },
});
export const unique = query({
  args: { kind: v.string() },
  handler: ({ db }, { kind }) => db.query('rows').withIndex('by_value', (q) => q.eq('kind', kind)).unique(),
});
export const reuse = query({
  args: {},
  handler: async ({ db }) => {
    const rows = db.query('rows').order('desc');
    return [await rows.take(0), await rows.take(1)];
  },
});
export const throwsLate = mutation({
  args: {},
  handler: async ({ db, scheduler }) => {
    await db.insert('rows', { kind: 'leaked' });
    await scheduler.runAfter(0, makeFunctionReference('rows:add'), { kind: 'leaked' });
    throw new Error('too late');
  },
});
export const badReturn = mutation({
  args: {},
  returns: v.string(),
  handler: async ({ db, scheduler }) => {
    await db.insert('rows', { kind: 'leaked' });
    await scheduler.runAfter(0, makeFunctionReference('rows:add'), { kind: 'leaked' });
    return 1;
  },
});
export const leaks = query({
  args: {},
  handler: async ({ db }) => [
    ...(await db.query('rows').withIndex('by_kind', (q) => q.eq('kind', 'leaked')).collect()),
    ...(await db.system.query('_scheduled_functions').collect()),
  ].length,
});
`;

const SCHEMA = `
import { defineSchema, defineTable } from 'convex/server';
import { v } from 'convex/values';
export default defineSchema({
  rows: defineTable({ kind: v.string(), value: v.optional(v.any()) })
    .index('by_kind', ['kind'])
    .index('by_value', ['kind', 'value']),
});
`;

interface Row extends Record<string, Value | undefined> {
  _id: string;
  _creationTime: number;
  value?: Value;
}

const add = makeFunctionReference<'mutation', { kind: string; value?: Value }, string>('rows:add');
const equal = makeFunctionReference<
  'query',
  { kind: string; value: Value; missing: boolean },
  string[]
>('rows:equal');
const inOrder = makeFunctionReference<'query', { kind: string }, Row[]>('rows:inOrder');
const newerThan = makeFunctionReference<'query', { kind: string; time: number }, Row[]>(
  'rows:newerThan',
);
const pages = makeFunctionReference<
  'query',
  {
    kind: string;
    order: 'asc' | 'desc';
    paginationOpts: { numItems: number; cursor: string | null };
  },
  { continueCursor: string; page: Row[] }
>('rows:pages');
const patch = makeFunctionReference<'mutation', { id: string }, [boolean, Value]>('rows:patch');
const unique = makeFunctionReference<'query', { kind: string }, Row | null>('rows:unique');
const reuse = makeFunctionReference<'query', Record<string, never>, unknown>('rows:reuse');
const throwsLate = makeFunctionReference<'mutation', Record<string, never>, null>(
  'rows:throwsLate',
);
const badReturn = makeFunctionReference<'mutation', Record<string, never>, null>('rows:badReturn');
const leaks = makeFunctionReference<'query', Record<string, never>, number>('rows:leaks');

let client: ConvexHttpClient;
beforeAll(async () => {
  const folder = temporaryFolder();
  const functions = writeFunctions(folder.path, { 'rows.ts': FUNCTIONS, 'schema.ts': SCHEMA });
  const backend = await startBackend({ functions });
  client = new ConvexHttpClient(backend.url, { skipConvexDeploymentUrlCheck: true, logger: false });
  return async () => {
    await backend[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  };
});

const values: Value[] = [
  null,
  -(2n ** 63n),
  0n,
  7n,
  Number.NEGATIVE_INFINITY,
  -1.5,
  -0,
  0,
  7,
  Number.NaN,
  false,
  true,
  '',
  'a\u0000b',
  'é',
  new Uint8Array([0, 255]).buffer,
  [],
  [1, null],
  {},
  { a: 1 },
];

test('every kind of value, and none, is found by equality with itself alone', async () => {
  const ids: string[] = [];
  for (const value of values) ids.push(await client.mutation(add, { kind: 'equal', value }));
  const none = await client.mutation(add, { kind: 'equal' });
  for (const [position, value] of values.entries()) {
    const found = await client.query(equal, { kind: 'equal', value, missing: false });
    expect(found, `value ${position}`).toEqual([ids[position]]);
  }
  const missing = await client.query(equal, { kind: 'equal', value: null, missing: true });
  expect(missing).toEqual([none]);
});

test('mixed types stand in the order of compareValues', async () => {
  const shuffled = values.map((_, position) => values[(position * 7) % values.length] ?? null);
  for (const value of shuffled) await client.mutation(add, { kind: 'order', value });
  const rows = await client.query(inOrder, { kind: 'order' });
  expect(rows.length).toBe(values.length);
  for (const [position, row] of rows.slice(1).entries()) {
    expect(compareValues(rows[position]?.value, row.value)).toBeLessThan(0);
  }
});

test('equal keys stand in the order of their creation, and a range may go on by its time', async () => {
  const ids: string[] = [];
  for (let count = 0; count < 100; count += 1) {
    ids.push(await client.mutation(add, { kind: 'same', value: 'key' }));
  }
  const rows = await client.query(inOrder, { kind: 'same' });
  expect(rows.map(({ _id }) => _id)).toEqual(ids);
  const time = rows[59]?._creationTime ?? 0;
  const newer = await client.query(newerThan, { kind: 'same', time });
  expect(newer.map(({ _id }) => _id)).toEqual(ids.slice(60));
});

test('a cursor of another query is refused so that paginated hooks start again', async () => {
  for (const value of [1, 2, 3]) await client.mutation(add, { kind: 'pages', value });
  const paginationOpts = { numItems: 1, cursor: null };
  const first = await client.query(pages, { kind: 'pages', order: 'asc', paginationOpts });
  const attempt = client.query(pages, {
    kind: 'pages',
    order: 'desc',
    paginationOpts: { numItems: 1, cursor: first.continueCursor },
  });
  const error: unknown = await attempt.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ConvexError);
  expect(error).toMatchObject({
    message: expect.stringContaining('InvalidCursor'),
    data: { isConvexSystemError: true, paginationError: 'InvalidCursor' },
  });
});

test('patching undefined removes the field, and drops what is undefined inside a value', async () => {
  const id = await client.mutation(add, { kind: 'patch', value: 1 });
  expect(await client.mutation(patch, { id })).toEqual([false, { kept: 1 }]);
});

test('unique() of two says so', async () => {
  for (const value of [1, 2]) await client.mutation(add, { kind: 'unique', value });
  await expect(client.query(unique, { kind: 'unique' })).rejects.toThrow(
    'unique() query returned more than one result',
  );
});

test('a query object is used once', async () => {
  await expect(client.query(reuse, {})).rejects.toThrow('A query can only be chained once');
});

test('a mutation that throws, or returns what it must not, leaves no row and no job', async () => {
  await expect(client.mutation(throwsLate, {})).rejects.toThrow('too late');
  await expect(client.mutation(badReturn, {})).rejects.toThrow('ReturnsValidationError');
  expect(await client.query(leaks, {})).toBe(0);
});

// Three starts of a program, and a client that waits for some seconds before it tries again.
test(
  'a client goes on over a restart with a clock an hour behind',
  { timeout: 60_000 },
  async () => {
    using folder = temporaryFolder();
    const functions = writeFunctions(folder.path, { 'rows.ts': FUNCTIONS, 'schema.ts': SCHEMA });
    const database = join(folder.path, 'data.sqlite');
    const port = String(await freePort());
    const start = () => spawnMain('--db', database, '--functions', functions, '--port', port);
    const before = start();
    await before.ready;
    before.kill('SIGKILL');
    await before.exited;
    // To this database the clock of the machine is an hour behind from here on.
    const raised = new DatabaseSync(database);
    const anHourAhead = BigInt(Date.now() + 3_600_000) * 1_000_000n;
    raised.prepare('UPDATE meta SET last_ts = ?').run(anHourAhead);
    raised.close();
    const first = start();
    const live = new ConvexClient((await first.ready).url, {
      skipConvexDeploymentUrlCheck: true,
      logger: false,
    });
    onTestFinished(() => live.close());
    const seen = watch(live, inOrder, { kind: 'clock' });
    await live.mutation(add, { kind: 'clock', value: 1 });
    first.kill('SIGKILL');
    await first.exited;
    await using second = start();
    await second.ready;
    await live.mutation(add, { kind: 'clock', value: 2 });
    const both = await seen.until((rows) => Array.isArray(rows) && rows.length === 2);
    expect(both).toMatchObject([{ value: 1 }, { value: 2 }]);
  },
);
