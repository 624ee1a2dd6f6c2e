/** What happens when a function does not give the engine's thread back, or ends it. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { EngineError } from '../../src/embedded-convex/engine-error.ts';
import type { ExecutorOptions } from '../../src/embedded-convex/executor-options.ts';
import { errorOf, functionRequest, openTestExecutor, valueOf } from './support/test-executor.ts';

const source = `
import { makeFunctionReference } from 'convex/server';
const ref = (name: string) => makeFunctionReference<any, any, any>('f:' + name);
export const add = mutation(async (ctx) => { await ctx.db.insert('numbers', {}); return (await ctx.db.query('numbers').collect()).length; });
export const size = query(async (ctx) => (await ctx.db.query('numbers').collect()).length);
export const spins = query(() => { for (;;); });
export const spinsLater = mutation(async (ctx) => { await ctx.db.insert('numbers', {}); for (;;) await null; });
export const waits = action(() => new Promise(() => {}));
export const callsSpinning = action(async (ctx) => { await ctx.runMutation(ref('spinsLater'), {}); });
export const actionSpins = action(async () => { await new Promise((r) => setTimeout(r, 1)); for (;;); });
export const works = action(async (ctx) => {
  // More time in all than a transaction may take, but never for long in one piece.
  const until = performance.now() + 700;
  while (performance.now() < until) { for (const start = performance.now(); performance.now() < start + 20;); await new Promise((r) => setTimeout(r, 0)); }
  return 'done';
});
const exhaust = () => { const kept: unknown[] = []; for (;;) kept.push(new Array(1e6).fill(0.5)); };
export const exhausts = mutation(async (ctx) => { await ctx.db.insert('numbers', {}); exhaust(); });
export const exhaustsToo = query(exhaust);
`;
const transactionMs = 200;
const timedOut = 'Function execution timed out (maximum duration: 200ms)';
const outOfMemory = 'JavaScript execution ran out of memory (maximum memory usage: 64 MB)';

async function open(options: Partial<ExecutorOptions> = {}) {
  const t = await openTestExecutor(source, { limits: { transactionMs }, ...options });
  onTestFinished(() => t[Symbol.asyncDispose]());
  return t;
}

test('a mutation that never ends fails and writes nothing; what waited behind it is answered', async () => {
  const t = await open();
  const results = await Promise.all([
    t.mutation('add'),
    t.mutation('spinsLater'),
    t.mutation('add'),
    t.query('size'),
    t.mutation('add'),
  ]);
  const [first, looping, ...after] = results;
  expect(valueOf(first)).toBe(1);
  expect(errorOf(looping)).toBe(timedOut);
  expect(after.map(valueOf)).toEqual([2, 2, 3]);
});

test('a query that never ends fails alone in its batch, and depends on nothing', async () => {
  const t = await open();
  const batch = ['size', 'spins', 'size', 'spins'].map((name) => ({
    ...functionRequest(name),
    journal: null,
  }));
  const { results } = await t.executor.queries(batch);
  expect(results.map((result) => (result.outcome.ok ? valueOf(result) : errorOf(result)))).toEqual([
    0,
    timedOut,
    0,
    timedOut,
  ]);
  expect(results[1]?.readSet).toEqual([]);
});

test('actions that run when the engine is started anew fail, and are not run again', async () => {
  const t = await open();
  const waiting = t.action('waits');
  const calling = t.action('callsSpinning');
  expect(errorOf(await calling)).toBe(timedOut);
  expect(errorOf(await waiting)).toMatch(/^The action was cut short/);
  expect(valueOf(await t.query('size'))).toBe(0);
});

test('an action that computes for ever without a pause is stopped too', async () => {
  const t = await open({ limits: { transactionMs: 50 } });
  const spinning = t.action('actionSpins');
  const adding = t.mutation('add');
  expect(errorOf(await spinning)).toMatch(/^The action was cut short/);
  expect(valueOf(await adding)).toBe(1);
});

test('an action that works for long but lets others have the thread is left alone', async () => {
  const t = await open();
  const working = t.action('works');
  expect(valueOf(await t.mutation('add'))).toBe(1);
  expect(valueOf(await working)).toBe('done');
});

test('commits and subscriptions go on across the restart', async () => {
  const t = await open();
  const seen: bigint[] = [];
  t.executor.onCommit(({ ts }) => seen.push(ts));
  const [first, , second] = await Promise.all([
    t.mutation('add'),
    t.query('spins'),
    t.mutation('add'),
  ]);
  expect(seen).toEqual([first.ts, second.ts]);
  expect(t.executor.latestTs).toBe(second.ts);
});

test('an executor can be closed while a function loops', async () => {
  const t = await open();
  const [looping] = await Promise.allSettled([t.query('spins'), t.executor.close()]);
  expect(looping).toMatchObject({ status: 'rejected', reason: { code: 'EngineStopped' } });
});

test('a function that uses up the memory fails, and writes nothing; what else was asked is answered', async () => {
  const t = await open({ limits: { transactionMs: 60_000, heapMb: 64 } });
  const results = await Promise.all([t.mutation('exhausts'), t.mutation('add'), t.query('size')]);
  const [exhausting, ...after] = results;
  expect(errorOf(exhausting)).toBe(outOfMemory);
  expect(after.map(valueOf)).toEqual([1, 1]);
});

test('a query that uses up the memory fails alone in its batch', async () => {
  const t = await open({ limits: { transactionMs: 60_000, heapMb: 64 } });
  const batch = ['size', 'exhaustsToo'].map((name) => ({
    ...functionRequest(name),
    journal: null,
  }));
  const { results } = await t.executor.queries(batch);
  expect(results.map((result) => (result.outcome.ok ? valueOf(result) : errorOf(result)))).toEqual([
    0,
    outOfMemory,
  ]);
});

test('an engine that cannot be started again says so once, and refuses every call', async () => {
  const stopped: EngineError[] = [];
  const t = await open({ onStopped: (error) => stopped.push(error) });
  const waiting = Promise.allSettled([t.query('spins'), t.mutation('add')]);
  // The file and its log: what is left of the log would repair the file.
  for (const end of ['', '-wal']) rmSync(join(t.folder, `data.sqlite${end}`));
  writeFileSync(
    join(t.folder, 'data.sqlite'),
    'certainly not a database file, but long enough'.repeat(99),
  );
  for (const result of await waiting) expect(result.status).toBe('rejected');
  expect(stopped.map((error) => error.code)).toEqual(['DatabaseCorrupt']);
  await expect(t.query('size')).rejects.toBe(stopped[0]);
});
