import { afterAll, beforeAll, expect, test } from 'vitest';
import { errorOf, openTestExecutor, valueOf } from '../support/test-executor.ts';
import type { TestExecutor } from '../support/test-executor.ts';

const source = `
const clock = () => [Date.now(), new Date().getTime(), +new Date(), new (class extends Date {})().getTime(), Date.parse(Date())];
const spin = () => { let x = 0; for (let i = 0; i < 3e5; i += 1) x += i; return x; };
export const times = query(async (ctx) => { const a = clock(); spin(); await ctx.db.query('x').first(); return [...a, ...clock()]; });
export const insertTime = mutation(async (ctx) => [Date.now(), (await ctx.db.get(await ctx.db.insert('x', {})))!._creationTime]);
export const elapsed = query(() => { const a = performance.now(); spin(); return [a, performance.now(), performance.timeOrigin === Date.now()]; });
export const elapsedMutation = mutation(() => { const a = performance.now(); spin(); return performance.now() > a; });
export const dates = query(() => [new Date(5) instanceof Date, new Date(5).getTime(), Date.UTC(2020, 1), new Date(2020, 1).constructor === Date, typeof Date()]);
export const randoms = query(() => [Math.random(), Math.random()]);
const forbidden: Record<string, () => unknown> = {
  setTimeout: () => setTimeout(() => {}, 1),
  setInterval: () => setInterval(() => {}, 1),
  fetch: () => fetch('http://127.0.0.1:9'),
  randomUUID: () => crypto.randomUUID(),
  getRandomValues: () => crypto.getRandomValues(new Uint8Array(1)),
  generateKey: () => crypto.subtle.generateKey('Ed25519', false, ['sign']),
};
export const tries = mutation({ args: { what: v.string() }, handler: async (_, { what }) => { await forbidden[what](); } });
export const caught = query(async () => { try { await fetch('x'); } catch (e) { return e instanceof Error; } });
export const allowed = query(async () => {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode('a'));
  const microtask = await new Promise((resolve) => queueMicrotask(() => resolve('ran')));
  const copied = structuredClone({ a: [1n, new Uint8Array([1]).buffer] });
  return [digest, microtask, copied, new URL('http://x/a?b=1').searchParams.get('b'), atob('YQ=='),
    new TextDecoder().decode(new Uint8Array([97])), digest instanceof ArrayBuffer, self === globalThis];
});
export const digests = query(async () => { let d: any = new Uint8Array(1); for (let i = 0; i < 20; i += 1) d = await crypto.subtle.digest('SHA-256', d); return d.byteLength; });
export const lostMicrotask = query(() => { queueMicrotask(() => { throw new Error('lost'); }); });
export const env = query(() => [process.env.GIVEN, process.env.PATH ?? null, process.env.HOME ?? null, Object.keys(process.env)]);
export const absent = query(() => [typeof window, typeof (process as any).exit, typeof (globalThis as any).setImmediate]);
let kept: any;
export const keeps = mutation((ctx) => { kept = ctx; });
export const usesKept = query(async () => await kept.db.query('x').first());
export const counter = query(() => (globalThis as any).count = ((globalThis as any).count ?? 0) + 1);
`;

let t: TestExecutor;
beforeAll(async () => {
  t = await openTestExecutor(source, { env: { GIVEN: 'yes' } });
});
afterAll(() => t[Symbol.asyncDispose]());

test('time stands still in a query and a mutation, at its first insert', async () => {
  const times = valueOf(await t.query('times'));
  if (!Array.isArray(times)) throw new Error('no array');
  // `Date()` has whole seconds only.
  const [second, exact] = [times[4], times[0]];
  expect(times).toEqual([exact, exact, exact, exact, second, exact, exact, exact, exact, second]);
  expect(Math.abs(Date.now() - Number(exact))).toBeLessThan(60_000);
  const inserted = valueOf(await t.mutation('insertTime'));
  if (!Array.isArray(inserted)) throw new Error('no array');
  expect(inserted[0]).toBe(Math.floor(Number(inserted[1])));
});

test('performance.now stands still in queries and runs in mutations', async () => {
  expect(valueOf(await t.query('elapsed'))).toEqual([0, 0, true]);
  expect(valueOf(await t.mutation('elapsedMutation'))).toBe(true);
});

test('dates other than now are what they are everywhere', async () => {
  expect(valueOf(await t.query('dates'))).toEqual([true, 5, Date.UTC(2020, 1), true, 'string']);
});

test('Math.random differs inside a run and between runs', async () => {
  const [first, second] = [valueOf(await t.query('randoms')), valueOf(await t.query('randoms'))];
  expect(new Set([first, second].flat()).size).toBe(4);
});

const refused = [
  ['setTimeout', 'setTimeout'],
  ['setInterval', 'setInterval'],
  ['fetch', 'fetch()'],
  ['randomUUID', 'cryptographic randomness'],
  ['getRandomValues', 'cryptographic randomness'],
  ['generateKey', 'cryptographic randomness'],
];

test.for(refused)('%s is refused in a mutation', async ([what, description]) => {
  expect(errorOf(await t.mutation('tries', { what }))).toContain(
    `Uncaught Error: Can't use ${description} in queries and mutations. Please consider using an action. See https://docs.convex.dev/functions/actions for more details.\n    at`,
  );
});

test('a refusal is an Error that a function can catch', async () => {
  expect(valueOf(await t.query('caught'))).toBe(true);
});

test('what depends on nothing outside works, also when another thread computes it', async () => {
  const [digest, ...rest] = [valueOf(await t.query('allowed'))].flat();
  expect(digest).toBeInstanceOf(ArrayBuffer);
  expect(rest).toEqual(['ran', { a: [1n, Uint8Array.of(1).buffer] }, '1', 'a', 'a', true, true]);
  expect(valueOf(await t.query('digests'))).toBe(32);
});

test('a microtask that throws fails its function and no other', async () => {
  expect(errorOf(await t.query('lostMicrotask'))).toMatch(/^Uncaught Error: lost\n/);
});

test('functions see the environment that they are given and nothing of the process', async () => {
  expect(valueOf(await t.query('env'))).toEqual(['yes', null, null, ['GIVEN']]);
  expect(valueOf(await t.query('absent'))).toEqual(Array(3).fill('undefined'));
});

test('a ctx that outlives its function works on the data of the one that uses it', async () => {
  valueOf(await t.mutation('keeps'));
  const { readSet } = await t.query('usesKept');
  expect(readSet).toMatchObject([{ index: 'x.by_creation_time' }]);
});
