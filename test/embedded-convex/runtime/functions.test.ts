import { afterAll, beforeAll, expect, test } from 'vitest';
import { imports } from '../support/functions-folder.ts';
import { errorOf, openTestExecutor, valueOf } from '../support/test-executor.ts';
import type { TestExecutor } from '../support/test-executor.ts';

// The handlers have names so that stack traces can be compared whole.
const source = `
export const add = mutation({
  args: { n: v.number() },
  returns: v.id('numbers'),
  handler: async (ctx, { n }) => ctx.db.insert('numbers', { n }),
});
export const all = query(async (ctx) => (await ctx.db.query('numbers').collect()).map((d) => d.n));
export const crud = mutation(async (ctx) => {
  const id = await ctx.db.insert('crud', { a: 1, b: { c: 2n } });
  await ctx.db.patch(id, { a: undefined, d: [null] });
  const patched = await ctx.db.get(id);
  await ctx.db.replace(id, { e: 'x' });
  const replaced = await ctx.db.get('crud', id);
  const other = await ctx.db.insert('crud', { e: 'y' });
  await ctx.db.delete(other);
  const ids = [ctx.db.normalizeId('crud', other) === other, ctx.db.normalizeId('crud', 'nonsense')];
  return { patched, replaced, gone: await ctx.db.get(other), ids, count: await ctx.db.query('crud').count() };
});
export const strictReturns = mutation({
  returns: v.string(),
  handler: async (ctx) => { await ctx.db.insert('numbers', { n: -1 }); return 5 as never; },
});
const fail = (): never => { throw new TypeError('bad'); };
export const throws = mutation({ args: { how: v.string() }, handler: async function throwsHandler(ctx, { how }) {
  await ctx.db.insert('numbers', { n: -2 });
  if (how === 'error') fail();
  if (how === 'convex') throw new ConvexError({ code: 7n });
  if (how === 'null') throw null;
  if (how === 'string') throw 'text';
  if (how === 'id') await ctx.db.get('nonsense' as never);
  if (how === 'evil') throw { get name() { throw 1; }, get stack() { throw 2; } };
}});
export const secret = internalQuery(async () => 'secret');
export const hangs = query(() => new Promise(() => {}));
export const unawaited = mutation(async (ctx) => {
  await ctx.db.insert('numbers', { n: -3 });
  void (async () => { await null; throw new Error('lost'); })();
  return 'fine';
});
export const unawaitedWrite = mutation(async (ctx) => { void ctx.db.insert('numbers', { n: 100 }); });
export const whoami = query(async (ctx) => await ctx.auth.getUserIdentity());
export const prints = query(() => {
  console.log('text', 1, { a: [null, 2n] }); console.debug(1); console.info(2); console.warn(3); console.error(new Error('e').message);
  console.time('t'); console.timeEnd('other'); console.trace('here');
});
export const page = query(async (ctx, { cursor = null }: { cursor?: string | null }) =>
  await ctx.db.query('numbers').paginate({ numItems: 2, cursor }));
export const twoPages = query(async (ctx) => {
  for (let at = 0; at < 2; at += 1) await ctx.db.query('numbers').paginate({ numItems: 2, cursor: null });
});
export const raw = query(async (_, { op, args }: { op: string; args: string }) => await (globalThis as any).Convex.asyncSyscall(op, args));
export const rawSync = query((_, { op, args }: { op: string; args: string }) => (globalThis as any).Convex.syscall(op, args));
export const meta = mutation(async (ctx) => ({ ...(await (ctx as any).meta.getFunctionMetadata()), ts: typeof (ctx as any).meta.getSnapshotTs() }));
`;

/** Where a piece of the source is, as stack traces write it. */
function place(piece: string): string {
  const before = (imports + source).split(piece)[0] ?? '';
  const lines = before.split('\n');
  return `../convex/f.ts:${lines.length}:${(lines.at(-1)?.length ?? 0) + 1}`;
}

let t: TestExecutor;
beforeAll(async () => {
  t = await openTestExecutor(source);
});
afterAll(() => t[Symbol.asyncDispose]());

test('a mutation writes, a query reads, and ctx.db does what it says', async () => {
  valueOf(await t.mutation('add', { n: 1 }));
  expect(valueOf(await t.query('all'))).toContain(1);
  expect(valueOf(await t.mutation('crud'))).toMatchObject({
    patched: { b: { c: 2n }, d: [null] },
    replaced: { e: 'x' },
    gone: null,
    ids: [true, null],
    count: 1,
  });
});

test('arguments are checked before the function runs, results before anything is committed', async () => {
  expect(errorOf(await t.mutation('add', { n: 'x' }))).toBe(
    'ArgumentValidationError: Value does not match validator.\nPath: .n\nValue: "x"\nValidator: v.float64()',
  );
  expect(errorOf(await t.mutation('add'))).toMatch(
    /^ArgumentValidationError: .*missing the required/,
  );
  expect(errorOf(await t.mutation('strictReturns'))).toMatch(
    /^ReturnsValidationError: Value does not/,
  );
  expect(valueOf(await t.query('all'))).not.toContain(-1);
});

test('arguments that are not one object of Convex values are refused by the name of the function', async () => {
  const args = [
    '',
    '{}',
    '[]',
    '[{},{}]',
    '[1]',
    '[null]',
    '[[]]',
    '[{"$x":1}]',
    '[{"a":{"$float":"?"}}]',
  ];
  for (const text of args) {
    expect(errorOf(await t.query('all', {}, { args: text })), text).toMatch(
      /^Invalid arguments for f:all: ./,
    );
  }
});

test('an error carries its name, its message and the places in the sources', async () => {
  expect(errorOf(await t.mutation('throws', { how: 'error' }))).toBe(
    `Uncaught TypeError: bad\n    at fail (${place("new TypeError('bad')")})\n    at throwsHandler (${place('fail();')})`,
  );
  const [message, frame] = errorOf(await t.mutation('throws', { how: 'id' })).split('\n');
  expect(message).toContain('Uncaught Error: Invalid argument `id` for `db.get`: ');
  expect(frame).toBe(`    at async throwsHandler (${place("await ctx.db.get('nonsense'")})`);
  expect(errorOf(await t.mutation('throws', { how: 'null' }))).toBe('Uncaught null');
  expect(errorOf(await t.mutation('throws', { how: 'string' }))).toBe('Uncaught text');
  expect(errorOf(await t.mutation('throws', { how: 'evil' }))).toBe('Uncaught [object Object]');
});

test('a failed mutation leaves nothing behind and names the snapshot it saw', async () => {
  const { ts } = await t.mutation('throws', { how: 'error' });
  expect(ts).toBe(t.executor.latestTs);
  expect(valueOf(await t.query('all'))).not.toContain(-2);
});

test('a ConvexError keeps its data, and only a ConvexError has any', async () => {
  const { outcome } = await t.mutation('throws', { how: 'convex' });
  expect(outcome).toMatchObject({ errorData: '{"code":{"$integer":"BwAAAAAAAAA="}}' });
  expect((await t.mutation('throws', { how: 'error' })).outcome).not.toHaveProperty('errorData');
});

test('a function that is missing and one that is internal cannot be told apart', async () => {
  expect(errorOf(await t.query('nope'))).toBe("Could not find public function for 'f:nope'.");
  expect(errorOf(await t.query('secret'))).toBe("Could not find public function for 'f:secret'.");
  expect(valueOf(await t.query('secret', {}, { allowInternal: true }))).toBe('secret');
  expect(await t.executor.describe('f:secret')).toEqual({ kind: 'query', visibility: 'internal' });
  expect(await t.executor.describe('f:nope')).toBeNull();
});

test('a function of another kind is refused with both kinds', async () => {
  expect(errorOf(await t.mutation('all'))).toBe(
    'Trying to execute f.js:all as Mutation, but it is defined as Query.',
  );
  expect(errorOf(await t.action('add', { n: 1 }))).toBe(
    'Trying to execute f.js:add as Action, but it is defined as Mutation.',
  );
});

test('a function that waits for what never comes fails', async () => {
  expect(errorOf(await t.query('hangs'))).toBe('Returned promise will never resolve');
});

test('what nobody awaits: an error fails the function, a write counts', async () => {
  expect(errorOf(await t.mutation('unawaited'))).toMatch(/^Uncaught Error: lost\n/);
  valueOf(await t.mutation('unawaitedWrite'));
  const numbers = valueOf(await t.query('all'));
  expect(numbers).toContain(100);
  expect(numbers).not.toContain(-3);
});

test('only a run that asks for the identity depends on it', async () => {
  const identity = { tokenIdentifier: 'issuer|me', name: 'Me' };
  const asked = await t.query('whoami', {}, { identity });
  expect(valueOf(asked)).toEqual(identity);
  expect(asked.identityObserved).toBe(true);
  expect(valueOf(await t.query('whoami'))).toBeNull();
  expect((await t.query('all', {}, { identity })).identityObserved).toBe(false);
});

test('console lines have their level and show values as Convex does', async () => {
  const { logLines } = await t.query('prints');
  expect(logLines.slice(0, 6)).toEqual([
    "[LOG] 'text' 1 {\n  a: [ null, 2n ]\n}",
    '[DEBUG] 1',
    '[INFO] 2',
    '[WARN] 3',
    "[ERROR] 'e'",
    "[WARN] Timer 'other' does not exist",
  ]);
  expect(logLines[6]).toBe(`[LOG] 'here' \n    at ${place("trace('here')")}`);
});

test('a page ends where its journal says, whatever was inserted since', async () => {
  const first = await t.query('page');
  const before = valueOf(first);
  expect(first.journal).toBeTypeOf('string');
  expect(before).toMatchObject({ page: [{}, {}], isDone: false });
  const again = valueOf(await t.query('page', {}, { journal: first.journal }));
  expect(again).toEqual(before);
  const next = valueOf(await t.query('page', { cursor: first.journal }));
  expect(next).not.toEqual(before);
  expect(errorOf(await t.query('page', { cursor: 'nonsense' }))).toContain('InvalidCursor');
  expect(errorOf(await t.query('twoPages'))).toMatch(/ran multiple paginated queries/);
  expect((await t.query('all')).journal).toBeNull();
});

test('a failed query still says what it read, so that it can be run again', async () => {
  expect((await t.query('twoPages')).readSet).toMatchObject([
    { index: 'numbers.by_creation_time' },
  ]);
});

test('operations that do not exist, or not here, are refused by name', async () => {
  const op = (path: string, operation: string, args: object | string = {}) =>
    t.query(path, { op: operation, args: typeof args === 'string' ? args : JSON.stringify(args) });
  expect(errorOf(await op('raw', '1.0/vectorSearch'))).toMatch(
    /Unknown async operation 1.0\/vectorSearch/,
  );
  expect(errorOf(await op('rawSync', '1.0/nope'))).toMatch(/Unknown operation 1.0\/nope/);
  expect(errorOf(await op('raw', '1.0/insert', { table: 'x', value: {} }))).toMatch(
    /Queries cannot write to the database/,
  );
  expect(errorOf(await op('raw', '1.0/get', 'no json'))).toMatch(/Invalid argument for 1.0\/get/);
  expect(errorOf(await op('raw', '1.0/get', { id: 1 }))).toMatch(/`id` is not a string/);
  expect(errorOf(await op('raw', '1.0/queryStreamNext', { queryId: 9 }))).toMatch(/not found/);
  expect(errorOf(await op('rawSync', '1.0/queryStream', { query: 1 }))).toMatch(/Invalid argument/);
  const component = { udfType: 'query', reference: '_reference/x', args: {} };
  expect(errorOf(await op('raw', '1.0/runUdf', component))).toMatch(/need a real deployment/);
});

test('a function can learn its own name', async () => {
  expect(valueOf(await t.mutation('meta'))).toMatchObject({
    name: 'f:meta',
    type: 'mutation',
    visibility: 'public',
    ts: 'bigint',
  });
});
