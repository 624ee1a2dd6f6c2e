import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { Commit } from '../../src/embedded-convex/executor.ts';
import type { ExecutorOptions } from '../../src/embedded-convex/executor-options.ts';
import { bundleFunctions } from '../../src/embedded-convex/runtime/bundle.ts';
import { openExecutor } from '../../src/embedded-convex/worker-executor.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { imports, writeFunctions } from './support/functions-folder.ts';
import { errorOf, functionRequest, openTestExecutor, valueOf } from './support/test-executor.ts';
import type { TestExecutor } from './support/test-executor.ts';

const source = `
export const add = mutation({ args: { n: v.number() }, handler: async (ctx, { n }) => {
  console.log('adding', n);
  const count = (await ctx.db.query('numbers').collect()).length;
  await ctx.db.insert('numbers', { n, count });
  if (n < 0) throw new Error('negative');
  return count;
}});
export const nothing = mutation(async () => 'nothing');
export const total = query(async (ctx) => (await ctx.db.query('numbers').collect()).reduce((sum, d) => sum + d.n, 0));
export const size = query(async (ctx) => (await ctx.db.query('numbers').collect()).length);
`;

let t: TestExecutor;
beforeAll(async () => {
  t = await openTestExecutor(source);
});
afterAll(() => t[Symbol.asyncDispose]());

const one = (sessionId: string, requestId: number) => ({ request: { sessionId, requestId } });

test('mutations run in the order of their calls, each on the state that the last one left', async () => {
  const first = Number(valueOf(await t.query('size')));
  const results = await Promise.all(Array.from({ length: 50 }, () => t.mutation('add', { n: 1 })));
  expect(results.map(valueOf)).toEqual(Array.from({ length: 50 }, (_, at) => first + at));
  const times = results.map((result) => result.ts);
  expect(times).toEqual(times.toSorted((a, b) => (a < b ? -1 : 1)));
});

test('each commit is told once, in order, before its mutation resolves', async () => {
  const events: string[] = [];
  const stop = t.executor.onCommit((commit) => events.push(`commit ${commit.ts}`));
  const results = await Promise.all(
    [1, 2, 3].map(async (n) => {
      const { ts } = await t.mutation('add', { n });
      events.push(`resolved ${ts}`);
      return ts;
    }),
  );
  expect(events).toEqual(results.flatMap((ts) => [`commit ${ts}`, `resolved ${ts}`]));
  stop();
  await t.mutation('add', { n: 0 });
  expect(events).toHaveLength(6);
});

test('a commit names the old and new keys of what it touched, as read sets name theirs', async () => {
  const commits: Commit[] = [];
  onTestFinished(t.executor.onCommit((commit) => commits.push(commit)));
  await t.mutation('add', { n: 4 });
  expect(commits[0]?.writes.map(({ index }) => index).toSorted()).toEqual([
    'numbers.by_creation_time',
    'numbers.by_id',
  ]);
  const { readSet } = await t.query('total');
  expect(readSet.map(({ index }) => index)).toEqual(['numbers.by_creation_time']);
});

test('a mutation that wrote nothing, or failed, makes no commit and names its snapshot', async () => {
  const before = t.executor.latestTs;
  expect((await t.mutation('nothing')).ts).toBe(before);
  expect((await t.mutation('add', { n: -1 })).ts).toBe(before);
  expect(t.executor.latestTs).toBe(before);
});

test('all queries of a batch see one snapshot, whatever is written meanwhile', async () => {
  const batch = ['size', 'total', 'size'].map((name) => ({
    ...functionRequest(name),
    journal: null,
  }));
  const sizeBefore = Number(valueOf(await t.query('size')));
  const totalBefore = Number(valueOf(await t.query('total')));
  const seen = await Promise.all(
    Array.from({ length: 10 }, async () => {
      const writing = t.mutation('add', { n: 10 });
      const { ts, results } = await t.executor.queries(batch);
      await writing;
      return { ts, values: results.map(valueOf).map(Number) };
    }),
  );
  for (const { ts, values } of seen) {
    const [size = 0, total = 0, again = 0] = values;
    expect(again).toBe(size);
    expect(total - totalBefore).toBe((size - sizeBefore) * 10);
    expect(ts).toBeLessThanOrEqual(t.executor.latestTs);
  }
});

test('a resent mutation answers as the first time and runs once', async () => {
  const sizeBefore = Number(valueOf(await t.query('size')));
  const first = await t.mutation('add', { n: 5 }, one('session', 1));
  const [again, other] = await Promise.all([
    t.mutation('add', { n: 5 }, one('session', 1)),
    t.mutation('add', { n: 5 }, one('session', 2)),
  ]);
  expect(again).toEqual({ ...first, repeated: true });
  expect(again.logLines).toEqual(["[LOG] 'adding' 5"]);
  expect(other.ts).toBeGreaterThan(first.ts);
  expect(valueOf(await t.query('size'))).toBe(sizeBefore + 2);
});

test('a failed mutation is not remembered: sent again, it runs again', async () => {
  const first = await t.mutation('add', { n: -1 }, one('failing', 1));
  expect(errorOf(first)).toMatch(/^Uncaught Error: negative/);
  const again = await t.mutation('add', { n: 6 }, one('failing', 1));
  expect(again.outcome.ok).toBe(true);
});

test('a mutation that writes nothing is remembered too', async () => {
  const first = await t.mutation('nothing', {}, one('quiet', 1));
  expect(await t.mutation('nothing', {}, one('quiet', 1))).toEqual({
    ...first,
    repeated: true,
  });
});

test('rows are counted per table', async () => {
  expect(await t.executor.tableCounts()).toEqual({ numbers: valueOf(await t.query('size')) });
});

async function openIn(folder: string, options: Partial<ExecutorOptions> & { source: string }) {
  const { source: text, ...rest } = options;
  return openExecutor({
    databasePath: join(folder, 'data.sqlite'),
    functions: { folder: writeFunctions(folder, { 'f.ts': imports + text }) },
    ...rest,
  });
}

function folder(): string {
  const temporary = temporaryFolder();
  onTestFinished(() => temporary[Symbol.dispose]());
  return temporary.path;
}

test('what was committed, and what was answered, survives closing and opening', async () => {
  const path = folder();
  const first = await openIn(path, { source });
  const request = { ...functionRequest('add', { n: 1 }), ...one('s', 1) };
  const answer = await first.mutation(request);
  await first.close();
  const second = await openIn(path, { source });
  expect(second.latestTs).toBe(answer.ts);
  expect(await second.mutation(request)).toEqual({ ...answer, repeated: true });
  expect(await second.tableCounts()).toEqual({ numbers: 1 });
  await second.close();
});

test('what was called before closing is answered, what is called after is refused', async () => {
  const executor = await openIn(folder(), { source });
  const before = [1, 2, 3].map((n) => executor.mutation(functionRequest('add', { n })));
  const closed = executor.close();
  expect((await Promise.all(before)).map(valueOf)).toEqual([0, 1, 2]);
  await expect(executor.tableCounts()).rejects.toThrow(
    expect.objectContaining({ code: 'EngineStopped' }),
  );
  await closed;
  await executor.close();
});

test('a release serves from a bundle, with its schema', async () => {
  const path = folder();
  const bundleFile = join(path, 'bundle.js');
  const schema = `import { defineSchema, defineTable } from 'convex/server'; import { v } from 'convex/values';
    export default defineSchema({ numbers: defineTable({ n: v.string() }) });`;
  const files = { 'f.ts': imports + source, 'schema.ts': schema };
  writeFileSync(bundleFile, await bundleFunctions(writeFunctions(path, files)));
  const executor = await openExecutor({
    databasePath: join(path, 'data.sqlite'),
    functions: { bundleFile },
  });
  onTestFinished(() => executor.close());
  expect(errorOf(await executor.mutation(functionRequest('add', { n: 1 })))).toMatch(
    /Failed to insert or update a document in table "numbers" because it does not match the schema: /,
  );
});

test('data that does not fit the schema keeps the engine from starting, with a code and the row', async () => {
  const path = folder();
  const first = await openIn(path, { source });
  await first.mutation(functionRequest('add', { n: 1 }));
  await first.close();
  writeFunctions(path, {
    'schema.ts': `import { defineSchema, defineTable } from 'convex/server'; import { v } from 'convex/values';
      export default defineSchema({ numbers: defineTable({ n: v.string(), count: v.number() }) });`,
  });
  await expect(openIn(path, { source })).rejects.toThrow(
    expect.objectContaining({
      name: 'EngineError',
      message: expect.stringMatching(/"numbers".*does not match the schema/s),
    }),
  );
});

test('functions that throw as they load, and a file that is no database, are told by code', async () => {
  await expect(openIn(folder(), { source: 'throw new Error("early");' })).rejects.toThrow(
    expect.objectContaining({
      code: 'FunctionsInvalid',
      message: expect.stringMatching(/Uncaught Error: early\n {4}at .*convex\/f\.ts/),
    }),
  );
  const path = folder();
  writeFileSync(
    join(path, 'data.sqlite'),
    'certainly not a database file, but long enough'.repeat(99),
  );
  await expect(openIn(path, { source })).rejects.toThrow(
    expect.objectContaining({ code: 'DatabaseCorrupt' }),
  );
});

test('two engines do not open one database', async () => {
  const path = folder();
  const first = await openIn(path, { source });
  onTestFinished(() => first.close());
  await expect(openIn(path, { source })).rejects.toThrow(
    expect.objectContaining({ code: 'DatabaseInUse' }),
  );
});
