import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { errorOf, openTestExecutor, valueOf } from '../support/test-executor.ts';
import type { TestExecutor } from '../support/test-executor.ts';

const source = `
import { makeFunctionReference } from 'convex/server';
const ref = (name: string) => makeFunctionReference<any, any, any>('f:' + name);
export const put = internalMutation({ args: { n: v.number() }, handler: async (ctx, { n }) => {
  const identity = await ctx.auth.getUserIdentity();
  console.log('put', n);
  if (n < 0) throw new ConvexError('negative');
  await ctx.db.insert('numbers', { n, by: identity?.tokenIdentifier ?? null });
  return n;
}});
export const all = internalQuery(async (ctx) => (await ctx.db.query('numbers').collect()).map((d) => [d.n, d.by]));
export const inner = internalAction({ args: {}, returns: v.string(), handler: async () => { console.warn('inside'); return 'inner'; } });
export const whole = action({ args: { url: v.string() }, handler: async (ctx, { url }) => {
  console.log('start');
  const text = await (await fetch(url)).text();
  await new Promise((resolve) => setTimeout(resolve, 1));
  await ctx.runMutation(ref('put'), { n: 1 });
  let caught;
  try { await ctx.runMutation(ref('put'), { n: -1 }); } catch (error) { caught = (error as ConvexError<string>).data; }
  const identity = await ctx.auth.getUserIdentity();
  return { text, caught, inner: await ctx.runAction(ref('inner'), {}), all: await ctx.runQuery(ref('all'), {}),
    me: identity?.tokenIdentifier, uuid: crypto.randomUUID().length, late: Date.now() > 0 };
}});
export const fails = action(async (ctx) => { await ctx.runMutation(ref('put'), { n: -2 }); });
export const badReturns = action({ returns: v.string(), handler: async () => 1 as never });
export const lostRejection = action(async () => { void Promise.reject(new Error('lost')); await new Promise(() => {}); });
export const throwingTimer = action(async () => { setTimeout(() => { throw new Error('tick'); }, 1); await new Promise(() => {}); });
export const never = action(() => new Promise(() => {}));
export const meets = action({ args: { at: v.number() }, handler: async (ctx, { at }) => {
  // Each waits for the other's write: they can only end when they run side by side.
  await ctx.runMutation(ref('put'), { n: at });
  for (;;) {
    const numbers = (await ctx.runQuery(ref('all'), {})).map(([n]: [number]) => n);
    if (numbers.includes(1001) && numbers.includes(1002)) return;
  }
}});
let ticks = 0;
export const leavesTimer = action(() => { setInterval(() => { ticks += 1; }, 1); });
export const ticking = action(async () => { const before = ticks; await new Promise((resolve) => setTimeout(resolve, 30)); return ticks - before; });
export const stopsTimer = action(async () => { let n = 0; const id = setInterval(() => { n += 1; clearInterval(id); }, 1);
  await new Promise((resolve) => setTimeout(resolve, 30)); return [typeof id, n]; });
export const unknown = action(async (ctx) => { await ctx.storage.getUrl('a' as never); });
export const sync = action(() => { (globalThis as any).Convex.syscall('1.0/queryStream', '{}'); });
export const js = action(() => { (globalThis as any).Convex.jsSyscall('storage/storeBlob', {}); });
export const meta = action(async (ctx) => await (ctx as any).meta.getFunctionMetadata());
`;

let t: TestExecutor;
beforeAll(async () => {
  t = await openTestExecutor(source);
});
afterAll(() => t[Symbol.asyncDispose]());

test('an action reaches the world, and the database through other functions', async () => {
  const server = createServer((_, response) => response.end('from afar')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const identity = { tokenIdentifier: 'issuer|me' };
  const result = await t.action('whole', { url: `http://127.0.0.1:${address.port}/` }, identity);
  server.close();
  expect(valueOf(result)).toEqual({
    text: 'from afar',
    caught: 'negative',
    inner: 'inner',
    all: [[1, 'issuer|me']],
    me: 'issuer|me',
    uuid: 36,
    late: true,
  });
  expect(result.logLines).toEqual([
    "[LOG] 'start'",
    "[LOG] 'put' 1",
    "[LOG] 'put' -1",
    "[WARN] 'inside'",
  ]);
});

test('an action fails with what a function that it calls failed with', async () => {
  const result = await t.action('fails');
  expect(errorOf(result)).toContain('Uncaught ConvexError: negative\n    at');
  expect(result.outcome).toMatchObject({ errorData: '"negative"' });
});

test('what an action returns is checked', async () => {
  expect(errorOf(await t.action('badReturns'))).toMatch(/^ReturnsValidationError: /);
});

test('what nobody awaits in an action fails it', async () => {
  expect(errorOf(await t.action('lostRejection'))).toMatch(/^Uncaught Error: lost\n/);
  expect(errorOf(await t.action('throwingTimer'))).toMatch(/^Uncaught Error: tick\n/);
});

test('an action that does not end in time fails', async () => {
  await using short = await openTestExecutor(source, { limits: { actionMs: 300 } });
  expect(errorOf(await short.action('never'))).toBe(
    'Function execution timed out (maximum duration: 300ms)',
  );
});

test('actions run side by side', async () => {
  const both = await Promise.all([1001, 1002].map((at) => t.action('meets', { at })));
  expect(both.map(valueOf)).toEqual([null, null]);
});

test('timers end with their action, or when it stops them', async () => {
  valueOf(await t.action('leavesTimer'));
  expect(valueOf(await t.action('ticking'))).toBe(0);
  expect(valueOf(await t.action('stopsTimer'))).toEqual(['number', 1]);
});

test('what an action cannot do here is refused by name', async () => {
  expect(errorOf(await t.action('unknown'))).toMatch(/Unknown async operation 1.0\/storageGetUrl/);
  expect(errorOf(await t.action('sync'))).toMatch(/Unknown operation 1.0\/queryStream/);
  expect(errorOf(await t.action('js'))).toMatch(/Unknown JS syscall: storage\/storeBlob/);
});

test('an action can learn its own name', async () => {
  expect(valueOf(await t.action('meta'))).toMatchObject({ name: 'f:meta', type: 'action' });
});
