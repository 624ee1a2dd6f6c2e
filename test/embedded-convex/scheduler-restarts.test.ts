import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import type { ExecutionLimits } from '../../src/embedded-convex/executor-options.ts';
import { bundleFunctions } from '../../src/embedded-convex/runtime/bundle.ts';
import { openExecutor } from '../../src/embedded-convex/worker-executor.ts';
import { imports } from './support/functions-folder.ts';
import { finishedJobs, idOf, jobFunctions, jobsWhen } from './support/scheduled-jobs.ts';
import type { JobRow } from './support/scheduled-jobs.ts';
import { errorOf, functionRequest, openTestExecutor, valueOf } from './support/test-executor.ts';
import type { TestExecutor } from './support/test-executor.ts';

const source = `
import { makeFunctionReference } from 'convex/server';
const ref = (name: string) => makeFunctionReference<any, any, any>('f:' + name);
${jobFunctions}
export const put = mutation({ args: { text: v.string() }, handler: async (ctx, { text }) => { await ctx.db.insert('rows', { text }); } });
export const texts = query(async (ctx) => (await ctx.db.query('rows').collect()).map((row) => row.text));
export const later = mutation({ args: { name: v.string(), delay: v.number(), text: v.optional(v.string()) }, handler: async (ctx, { name, delay, text }) =>
  await ctx.scheduler.runAfter(delay, ref(name), text === undefined ? {} : { text }) });
export const waits = internalAction(async (ctx) => { await ctx.runMutation(ref('put'), { text: 'began' }); await new Promise(() => {}); });
export const waitsForGo = internalAction(async (ctx) => {
  const isThere = async () => (await ctx.runQuery(ref('texts'), {})).some((text: string) => text.startsWith('go'));
  while (!(await isThere())) await new Promise((next) => setTimeout(next, 5));
});
export const spins = internalMutation(async (ctx) => { await ctx.db.insert('rows', { text: 'never' }); for (;;); });
export const spinsAfterAwait = internalMutation(async (ctx) => { await ctx.db.query('rows').collect(); for (;;); });
export const callsSpinning = internalAction(async (ctx) => { await ctx.runMutation(ref('spins'), {}); });
export const actionSpins = internalAction(() => { for (;;); });
export const spinningQuery = query(() => { for (;;); });
`;

const timedOut = 'Function execution timed out (maximum duration: 100ms)';
const interrupted = 'Transient error while executing action';

async function open(
  limits: Partial<ExecutionLimits> = { transactionMs: 100 },
): Promise<TestExecutor> {
  const t = await openTestExecutor(source, { limits });
  onTestFinished(() => t[Symbol.asyncDispose]());
  return t;
}

/** Closes the engine and opens its database again, as a new process would. */
async function reopened(t: TestExecutor): Promise<TestExecutor> {
  await t.executor.close();
  const executor = await openExecutor({
    databasePath: join(t.folder, 'data.sqlite'),
    functions: { folder: join(t.folder, 'convex') },
  });
  onTestFinished(() => executor.close());
  return {
    ...t,
    executor,
    query: async (path, args, more) => {
      const request = { ...functionRequest(path, args), journal: null, ...more };
      const { results } = await executor.queries([request]);
      const [result] = results;
      if (result === undefined) throw new Error('no result');
      return result;
    },
  };
}

const schedule = async (t: TestExecutor, name: string, delay = 0, text?: string): Promise<string> =>
  idOf(await t.mutation('later', { name, delay, ...(text !== undefined && { text }) }));
const ends = (jobs: JobRow[]): string[] => jobs.map(({ state }) => state.error ?? state.kind);
const textsOf = async (t: TestExecutor) => valueOf(await t.query('texts'));

test('a job is put off by as long as was asked for, also when the clock was set back', async () => {
  const first = await open();
  await first.mutation('put', { text: 'an hour ahead' });
  await first.executor.close();
  // To this database the clock of the machine is an hour behind from here on.
  const raised = new DatabaseSync(join(first.folder, 'data.sqlite'));
  raised.prepare('UPDATE meta SET last_creation_time = ?').run(Date.now() + 3_600_000);
  raised.close();
  const t = await reopened(first);
  const later = functionRequest('later', { name: 'put', delay: 20, text: 'in time' });
  await t.executor.mutation(later);
  expect(await finishedJobs(t)).toMatchObject([{ state: { kind: 'success' } }]);
  expect(valueOf(await t.query('texts'))).toEqual(['an hour ahead', 'in time']);
});

test('a job that waits is run by the next process, in time', async () => {
  const t = await open();
  await schedule(t, 'put', 200, 'waited');
  const next = await reopened(t);
  const [job] = await finishedJobs(next);
  expect(job?.state.kind).toBe('success');
  expect(job?.completedTime).toBeGreaterThanOrEqual(job?.scheduledTime ?? Infinity);
  expect(await textsOf(next)).toEqual(['waited']);
});

test('an action that was running when the process ended has failed, and is not run again', async () => {
  const t = await open();
  await schedule(t, 'waits');
  await jobsWhen(t, ([job]) => job?.state.kind === 'inProgress');
  valueOf(await t.query('texts'));
  const next = await reopened(t);
  expect(ends(await finishedJobs(next))).toEqual([interrupted]);
  // It may have been cut short before or after its mutation; never has it begun twice.
  expect([[], ['began']]).toContainEqual(await textsOf(next));
});

test.for(['spins', 'spinsAfterAwait', 'callsSpinning'])(
  'a job that never returns fails after its limit, and the others go on: %s',
  async (name) => {
    const t = await open();
    const id = await schedule(t, name);
    await schedule(t, 'put', 0, 'other');
    const jobs = await finishedJobs(t);
    expect(jobs.find(({ _id }) => _id === id)?.state).toEqual({ kind: 'failed', error: timedOut });
    expect(await textsOf(t)).toEqual(['other']);
  },
);

test('an action that computes for ever fails', async () => {
  const t = await open({ transactionMs: 50 });
  await schedule(t, 'actionSpins');
  expect(ends(await finishedJobs(t))).toEqual([interrupted]);
});

test('an action job that runs when another function is stopped fails, and is not run again', async () => {
  const t = await open();
  await schedule(t, 'waits');
  await jobsWhen(t, ([job]) => job?.state.kind === 'inProgress');
  const put = t.mutation('put', { text: 'in between' });
  expect(errorOf(await t.query('spinningQuery'))).toBe(timedOut);
  valueOf(await put);
  expect(ends(await finishedJobs(t))).toEqual([interrupted]);
  const texts = (await textsOf(t)) as string[];
  expect(texts.filter((text) => text === 'began').length).toBeLessThanOrEqual(1);
});

test('mutation jobs that wait when the engine is started anew run once each', async () => {
  const t = await open();
  const expected = Array.from({ length: 10 }, (_, n) => String(n));
  const scheduled = expected.map((text) => schedule(t, 'put', 0, text));
  const spinning = t.query('spinningQuery');
  await Promise.all([...scheduled, spinning]);
  const jobs = await finishedJobs(t);
  expect(ends(jobs)).toEqual(expected.map(() => 'success'));
  expect(await textsOf(t)).toEqual(expected);
});

test('a job runs its function as it is by then, and fails when that is gone', async () => {
  const t = await open();
  const changed = source
    .replace("insert('rows', { text })", "insert('rows', { text: text + ' of the new version' })")
    .replace('export const spins =', 'export const renamed =');
  writeFileSync(join(t.folder, 'convex', 'f.ts'), imports + changed);
  const code = await bundleFunctions(join(t.folder, 'convex'));
  // As many as run at a time: what is due after them waits until they end.
  for (let count = 0; count < 8; count += 1) await schedule(t, 'waitsForGo');
  await jobsWhen(t, (all) => all.every(({ state }) => state.kind === 'inProgress'));
  await schedule(t, 'put', 0, 'text');
  await schedule(t, 'spins');
  await t.executor.reload(code);
  valueOf(await t.mutation('put', { text: 'go' }));
  const jobs = await finishedJobs(t);
  expect(ends(jobs).slice(8)).toEqual(['success', "Could not find function for 'f.js:spins'."]);
  expect(await textsOf(t)).toEqual(['go of the new version', 'text of the new version']);
});
