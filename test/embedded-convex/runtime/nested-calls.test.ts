import { afterAll, beforeAll, expect, test } from 'vitest';
import { errorOf, openTestExecutor, valueOf } from '../support/test-executor.ts';
import type { TestExecutor } from '../support/test-executor.ts';

const source = `
import { makeFunctionReference } from 'convex/server';
const ref = (name: string) => makeFunctionReference<any, any, any>('f:' + name);
export const put = internalMutation({
  args: { n: v.number(), fail: v.optional(v.boolean()) },
  returns: v.number(),
  handler: async (ctx, { n, fail }) => {
    await ctx.db.insert('numbers', { n });
    console.log('put', n);
    if (fail) throw new ConvexError({ n });
    return n;
  },
});
export const all = query(async (ctx) => (await ctx.db.query('numbers').collect()).map((d) => d.n));
export const clear = mutation(async (ctx) => { for await (const d of ctx.db.query('numbers')) await ctx.db.delete(d._id); });
export const catches = mutation(async (ctx) => {
  await ctx.db.insert('numbers', { n: 0 });
  await ctx.runMutation(ref('put'), { n: 1 });
  let caught: any;
  try { await ctx.runMutation(ref('put'), { n: 2, fail: true }); } catch (error) { caught = error; }
  await ctx.runMutation(ref('put'), { n: 3 });
  return [caught instanceof ConvexError, caught instanceof Error, caught.data, await ctx.runQuery(ref('all'), {})];
});
export const parallel = mutation(async (ctx) => {
  const done = await Promise.allSettled([
    ctx.runMutation(ref('put'), { n: 1 }),
    ctx.runMutation(ref('put'), { n: 2, fail: true }),
    ctx.db.insert('numbers', { n: 3 }),
    ctx.runQuery(ref('all'), {}),
    ctx.runMutation(ref('put'), { n: 4, fail: true }),
    ctx.runMutation(ref('put'), { n: 5 }),
  ]);
  return done.map((d) => d.status === 'fulfilled' ? (typeof d.value === 'string' ? 'id' : d.value) : 'failed');
});
export const fails = mutation(async (ctx) => { await ctx.runMutation(ref('put'), { n: 9, fail: true }); });
export const badArguments = mutation(async (ctx) => { await ctx.runMutation(ref('put'), { n: 'x' }); });
export const badKind = mutation(async (ctx) => { await ctx.runMutation(ref('all'), {}); });
export const missing = mutation(async (ctx) => { await ctx.runMutation(ref('nope'), {}); });
export const deep = query({ args: { levels: v.number() }, handler: async (ctx, { levels }): Promise<number> =>
  levels === 0 ? 0 : 1 + await ctx.runQuery(ref('deep'), { levels: levels - 1 }) });
export const stale = mutation(async (ctx) => {
  await ctx.db.insert('numbers', { n: 77 });
  return [await ctx.runQuery(ref('all'), {}, { useStaleSnapshot: true } as any), await ctx.runQuery(ref('all'), {})];
});
export const who = query(async (ctx) => (await ctx.auth.getUserIdentity())?.tokenIdentifier ?? null);
export const whoNested = query(async (ctx) => await ctx.runQuery(ref('who'), {}));
export const hangsInside = mutation(async (ctx) => { await ctx.runQuery(ref('hangs'), {}); });
export const hangs = query(() => new Promise(() => {}));
export const mutateFromQuery = query(async (ctx) => await (ctx as any).runMutation?.(ref('put'), { n: 1 }) ??
  await (globalThis as any).Convex.asyncSyscall('1.0/runUdf', JSON.stringify({ udfType: 'mutation', name: 'f:put', args: { n: 1 } })));
`;

let t: TestExecutor;
beforeAll(async () => {
  t = await openTestExecutor(source);
});
afterAll(() => t[Symbol.asyncDispose]());

test('a failure that is caught takes back only what the called function wrote', async () => {
  valueOf(await t.mutation('clear'));
  const result = await t.mutation('catches');
  expect(valueOf(result)).toEqual([true, true, { n: 2 }, [0, 1, 3]]);
  expect(result.logLines).toEqual(["[LOG] 'put' 1", "[LOG] 'put' 2", "[LOG] 'put' 3"]);
  expect(valueOf(await t.query('all'))).toEqual([0, 1, 3]);
});

test('calls made at once run in their order, each whole', async () => {
  valueOf(await t.mutation('clear'));
  expect(valueOf(await t.mutation('parallel'))).toEqual([1, 'failed', 'id', [1, 3], 'failed', 5]);
  expect(valueOf(await t.query('all'))).toEqual([1, 3, 5]);
});

test('a failure that is not caught fails the caller, with both in the message', async () => {
  const before = valueOf(await t.query('all'));
  const result = await t.mutation('fails');
  expect(errorOf(result)).toMatch(
    /^Uncaught ConvexError: .*Uncaught ConvexError: \{"n":9\}\n(?: {4}at .*f\.ts:\d+:\d+\)?\n?){2}$/s,
  );
  expect(result.outcome).toMatchObject({ errorData: '{"n":9}' });
  expect(valueOf(await t.query('all'))).toEqual(before);
});

test('arguments, kind and existence of a called function are checked, its visibility is not', async () => {
  expect(errorOf(await t.mutation('badArguments'))).toMatch(/ArgumentValidationError: /);
  expect(errorOf(await t.mutation('badKind'))).toMatch(/Trying to execute f.js:all as Mutation/);
  expect(errorOf(await t.mutation('missing'))).toMatch(
    /Could not find public function for 'f:nope'/,
  );
  expect(errorOf(await t.query('mutateFromQuery'))).toMatch(
    /Cannot call a mutation function from a query function/,
  );
});

test('functions call each other eight levels deep and no further', async () => {
  expect(valueOf(await t.query('deep', { levels: 8 }))).toBe(8);
  expect(errorOf(await t.query('deep', { levels: 9 }))).toMatch(/depth limit exceeded/);
});

test('a query of a mutation sees its writes, and on the stale snapshot does not', async () => {
  valueOf(await t.mutation('clear'));
  expect(valueOf(await t.mutation('stale'))).toEqual([[], [77]]);
});

test('a query that a called function made dependent on the identity is dependent', async () => {
  const identity = { tokenIdentifier: 'issuer|me' };
  const result = await t.query('whoNested', {}, { identity });
  expect([valueOf(result), result.identityObserved]).toEqual(['issuer|me', true]);
});

test('a function whose called function never ends never ends', async () => {
  expect(errorOf(await t.mutation('hangsInside'))).toBe('Returned promise will never resolve');
});
