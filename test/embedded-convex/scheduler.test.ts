import { afterAll, beforeAll, expect, test } from 'vitest';
import { finishedJobs, idOf, jobFunctions, jobsOf, jobsWhen } from './support/scheduled-jobs.ts';
import { errorOf, openTestExecutor, valueOf } from './support/test-executor.ts';
import type { TestExecutor } from './support/test-executor.ts';

const source = `
import { createFunctionHandle, makeFunctionReference } from 'convex/server';
const ref = (name: string) => makeFunctionReference<any, any, any>('f:' + name);
const hour = 3_600_000;
${jobFunctions}
export const put = internalMutation({ args: { text: v.string() }, handler: async (ctx, { text }) => {
  const identity = await ctx.auth.getUserIdentity();
  const own = (await ctx.db.system.query('_scheduled_functions').collect()).map((job: any) => job.state.kind);
  await ctx.db.insert('rows', { text, by: identity?.tokenIdentifier ?? null, own });
  if (text === 'fails') throw new Error('on purpose');
}});
export const rows = query(async (ctx) => await ctx.db.query('rows').collect());
export const texts = query(async (ctx) => (await ctx.db.query('rows').collect()).map((row) => row.text));
export const clear = mutation(async (ctx) => {
  for await (const row of ctx.db.query('rows')) await ctx.db.delete(row._id);
  for await (const job of ctx.db.system.query('_scheduled_functions')) await ctx.scheduler.cancel(job._id);
});
export const later = mutation({ args: { name: v.string(), args: v.any(), delay: v.number() }, handler: async (ctx, { name, args, delay }) =>
  await ctx.scheduler.runAfter(delay, name as never, args) });
export const at = mutation({ args: { time: v.number() }, handler: async (ctx, { time }) =>
  await ctx.scheduler.runAt(time, ref('put'), { text: 'at' }) });
export const cancel = mutation({ args: { id: v.string() }, handler: async (ctx, { id }) => await ctx.scheduler.cancel(id as never) });
export const scheduleAndFail = mutation(async (ctx) => {
  await ctx.scheduler.runAfter(0, ref('put'), { text: 'never' });
  throw new Error('changed my mind');
});
export const child = internalMutation({ args: { fail: v.boolean() }, handler: async (ctx, { fail }) => {
  await ctx.scheduler.runAfter(0, ref('put'), { text: fail ? 'of the failed' : 'of the other' });
  if (fail) throw new Error('no');
}});
export const parent = mutation(async (ctx) => {
  await ctx.runMutation(ref('child'), { fail: true }).catch(() => {});
  await ctx.runMutation(ref('child'), { fail: false });
});
export const many = mutation({ args: { count: v.number(), size: v.number() }, handler: async (ctx, { count, size }) => {
  for (let n = 0; n < count; n += 1) await ctx.scheduler.runAfter(hour, ref('put'), { text: 'x'.repeat(size) });
}});
export const act = internalAction({ args: { text: v.string() }, handler: async (ctx, { text }) => {
  await ctx.runMutation(ref('put'), { text });
  if (text === 'throws') throw new ConvexError('thrown');
}});
export const fromAction = action(async (ctx) => {
  const id = await ctx.scheduler.runAfter(0, ref('put'), { text: 'from an action' });
  const second = await ctx.scheduler.runAfter(hour, ref('put'), { text: 'canceled' });
  await ctx.scheduler.cancel(second);
  return [id, second];
});
export const cancelsItself = internalMutation(async (ctx) => {
  const [job] = (await ctx.db.system.query('_scheduled_functions').collect()).filter((job: any) => job.state.kind === 'inProgress');
  await ctx.scheduler.cancel(job._id);
});
export const untilCanceled = internalAction(async (ctx) => {
  for (;;) {
    const jobs = await ctx.runQuery(ref('jobs'), {});
    const own = jobs.find((job: any) => job.name === 'f.js:untilCanceled');
    if (own.state.kind === 'canceled') break;
  }
  await ctx.scheduler.runAfter(0, ref('put'), { text: 'after the end' });
  await ctx.runMutation(ref('child'), { fail: false });
});
export const aRow = mutation(async (ctx) => await ctx.db.insert('rows', { text: 'row', by: null, own: [] }));
export const byHandle = mutation(async (ctx) => {
  const handle = await createFunctionHandle(ref('put'));
  await ctx.runMutation(handle as never, { text: 'called' });
  await ctx.scheduler.runAfter(0, handle as never, { text: 'scheduled' });
  return handle;
});
export const badHandle = mutation(async () => await createFunctionHandle(ref('nope')));
export const everyWay = query({ args: { id: v.string(), row: v.string() }, handler: async (ctx, { id, row }) => {
  const attempt = async (run: () => unknown) => {
    try { return await run(); } catch (error) { return (error as Error).message.split('\\n')[0]; }
  };
  const raw = (globalThis as any).Convex;
  const get = (args: object) => attempt(async () => JSON.parse(await raw.asyncSyscall('1.0/get', JSON.stringify(args))));
  return [
    await get({ id }), await get({ id: row, isSystem: true }),
    await attempt(() => (ctx.db.system as any).query('_scheduled_functions').withIndex('by_state').collect()),
    await attempt(() => (ctx.db.system as any).query('_storage').collect()),
    (await ctx.db.system.query('_scheduled_functions').order('desc').take(1)).length,
    ctx.db.system.normalizeId('_scheduled_functions', id) === id,
  ];
}});
export const writes = mutation({ args: { id: v.string() }, handler: async (ctx, { id }) => {
  const attempt = async (run: () => unknown) => {
    try { return await run(); } catch (error) { return (error as Error).message.split('\\n')[0]; }
  };
  const db = ctx.db as any;
  const insert = () => (globalThis as any).Convex.asyncSyscall('1.0/insert', JSON.stringify({ table: '_scheduled_functions', value: {} }));
  return [await attempt(insert), await attempt(() => db.delete(id)), await attempt(() => db.patch(id, {}))];
}});
export const takesId = query({ args: { id: v.id('_scheduled_functions') }, handler: async () => 'taken' });
`;

let t: TestExecutor;
beforeAll(async () => {
  t = await openTestExecutor(source);
});
afterAll(() => t[Symbol.asyncDispose]());

const hour = 3_600_000;
const later = async (name: string, args: object, delay = 0): Promise<string> =>
  idOf(await t.mutation('later', { name: `f:${name}`, args, delay }));
const jobNamed = async (id: string) => (await finishedJobsNow()).find(({ _id }) => _id === id);
const finishedJobsNow = () => finishedJobs(t);

test('a scheduled mutation runs once, without the identity of who scheduled it', async () => {
  valueOf(await t.mutation('clear'));
  const before = Date.now();
  const result = await t.mutation(
    'later',
    { name: 'f:put', args: { text: 'soon' }, delay: 0 },
    { identity: { tokenIdentifier: 'issuer|me' } },
  );
  const id = idOf(result);
  const job = await jobNamed(id);
  expect(job).toEqual({
    _id: id,
    _creationTime: expect.any(Number),
    name: 'f.js:put',
    args: [{ text: 'soon' }],
    scheduledTime: expect.any(Number),
    completedTime: expect.any(Number),
    state: { kind: 'success' },
  });
  expect(job?.scheduledTime).toBeGreaterThanOrEqual(before);
  expect(Number.isInteger(job?.scheduledTime)).toBe(true);
  expect(valueOf(await t.query('job', { id }))).toEqual(job);
  expect(valueOf(await t.query('rows'))).toMatchObject([{ text: 'soon', by: null }]);
});

test('a scheduled mutation sees its own job in progress', async () => {
  valueOf(await t.mutation('clear'));
  const id = await later('put', { text: 'seen' });
  await finishedJobs(t);
  const [row] = valueOf(await t.query('rows')) as unknown as { own: string[] }[];
  expect(row?.own.filter((kind) => kind === 'inProgress')).toEqual(['inProgress']);
  expect(valueOf(await t.query('job', { id }))).toMatchObject({ state: { kind: 'success' } });
});

test('a mutation that fails leaves nothing but the reason', async () => {
  valueOf(await t.mutation('clear'));
  const job = await jobNamed(await later('put', { text: 'fails' }));
  expect(job?.state.kind).toBe('failed');
  expect(job?.state.error).toMatch(/^Uncaught Error: on purpose\n {4}at .*f\.ts:\d+/);
  expect(valueOf(await t.query('texts'))).toEqual([]);
});

test('what fails schedules nothing, also when the failure is caught', async () => {
  valueOf(await t.mutation('clear'));
  errorOf(await t.mutation('scheduleAndFail'));
  valueOf(await t.mutation('parent'));
  await finishedJobs(t);
  expect(valueOf(await t.query('texts'))).toEqual(['of the other']);
});

test('jobs start in the order of their times', async () => {
  valueOf(await t.mutation('clear'));
  await Promise.all(
    Array.from({ length: 20 }, (_, n) => later('put', { text: String(n).padStart(2, '0') })),
  );
  await finishedJobs(t);
  const texts = valueOf(await t.query('texts'));
  expect(texts).toEqual(Array.from({ length: 20 }, (_, n) => String(n).padStart(2, '0')));
});

test('an action runs, and calls what it likes', async () => {
  valueOf(await t.mutation('clear'));
  const [done, thrown] = await Promise.all([
    later('act', { text: 'by the action' }),
    later('act', { text: 'throws' }),
  ]);
  expect(await jobNamed(done)).toMatchObject({ state: { kind: 'success' } });
  expect((await jobNamed(thrown))?.state.error).toMatch(/^Uncaught ConvexError: thrown\n/);
  expect(valueOf(await t.query('texts'))).toEqual(
    expect.arrayContaining(['by the action', 'throws']),
  );
});

test('an action schedules and cancels at once', async () => {
  valueOf(await t.mutation('clear'));
  const [id, second] = valueOf(await t.action('fromAction')) as string[];
  expect(await jobNamed(id ?? '')).toMatchObject({ state: { kind: 'success' } });
  expect(await jobNamed(second ?? '')).toMatchObject({ state: { kind: 'canceled' } });
  expect(valueOf(await t.query('texts'))).toEqual(['from an action']);
});

test('a canceled job never runs; one that has ended stays as it is', async () => {
  valueOf(await t.mutation('clear'));
  const id = await later('put', { text: 'canceled' }, hour);
  expect(await jobsOf(t)).toContainEqual(
    expect.objectContaining({ _id: id, state: { kind: 'pending' } }),
  );
  valueOf(await t.mutation('cancel', { id }));
  const job = await jobNamed(id);
  expect(job).toMatchObject({ state: { kind: 'canceled' }, completedTime: expect.any(Number) });
  valueOf(await t.mutation('cancel', { id }));
  expect(await jobNamed(id)).toEqual(job);
  expect(valueOf(await t.query('texts'))).toEqual([]);
});

test('only ids of jobs can be canceled, and a mutation not by itself', async () => {
  const row = idOf(await t.mutation('aRow'));
  expect(errorOf(await t.mutation('cancel', { id: row }))).toMatch(
    /Invalid scheduled function ID. The ID must be an ID on the '_scheduled_functions' table./,
  );
  expect(errorOf(await t.mutation('cancel', { id: 'x' }))).toMatch(/Unable to decode ID/);
  const job = await jobNamed(await later('cancelsItself', {}));
  expect(job?.state.error).toMatch(/A mutation cannot cancel itself/);
});

test('an action that is canceled while it runs ends, but starts nothing new', async () => {
  valueOf(await t.mutation('clear'));
  const id = await later('untilCanceled', {});
  await jobsWhen(t, (jobs) =>
    jobs.some((job) => job._id === id && job.state.kind === 'inProgress'),
  );
  const known = (await jobsOf(t)).length;
  valueOf(await t.mutation('cancel', { id }));
  const jobs = await jobsWhen(t, (all) => all.length === known + 2);
  expect(jobs.slice(-2).map(({ state }) => state.kind)).toEqual(['canceled', 'canceled']);
  expect(jobs.find(({ _id }) => _id === id)?.state.kind).toBe('canceled');
  expect(valueOf(await t.query('texts'))).toEqual([]);
});

test('the time and the function are checked when it is scheduled', async () => {
  const year = 366 * 24 * hour;
  const at = async (time: number) => errorOf(await t.mutation('at', { time }));
  expect(await at(Date.now() + 6 * year)).toMatch(/is more than 5 years in the future/);
  expect(await at(Date.now() - 6 * year)).toMatch(/is more than 5 years in the past/);
  expect(await at(-1)).toMatch(/cannot convert float seconds to Duration: value is negative/);
  expect(errorOf(await t.mutation('later', { name: 'nope:x', args: {}, delay: 0 }))).toMatch(
    /Attempted to schedule function at nonexistent path: nope\.js/,
  );
  expect(errorOf(await t.mutation('later', { name: 'f:nope', args: {}, delay: 0 }))).toMatch(
    /no exported function nope found in the file: f\.js\. Did you forget to export it\?/,
  );
});

test('its kind and its arguments are checked when it runs', async () => {
  const [query, bad] = await Promise.all([later('rows', {}), later('put', { text: 1 })]);
  expect((await jobNamed(query))?.state.error).toMatch(/Only Mutation and Action can be scheduled/);
  expect((await jobNamed(bad))?.state.error).toMatch(/^ArgumentValidationError: /);
});

test('a mutation schedules a thousand functions with 16 MiB of arguments, and no more', async () => {
  await using own = await openTestExecutor(source);
  expect(errorOf(await own.mutation('many', { count: 1001, size: 1 }))).toMatch(
    /Too many functions scheduled by this mutation \(limit: 1000\)/,
  );
  expect(errorOf(await own.mutation('many', { count: 17, size: 1 << 20 }))).toMatch(
    /Too large total size of the arguments of scheduled functions from this mutation \(limit: 16777216 bytes\)/,
  );
  valueOf(await own.mutation('many', { count: 3, size: 5 << 20 }));
  expect((await jobsOf(own)).map(({ state }) => state.kind)).toEqual(Array(3).fill('pending'));
});

test('a function handle stands for its function', async () => {
  valueOf(await t.mutation('clear'));
  expect(valueOf(await t.mutation('byHandle'))).toMatch(/^function:\/\//);
  await finishedJobs(t);
  expect(valueOf(await t.query('texts'))).toEqual(['called', 'scheduled']);
  expect(errorOf(await t.mutation('badHandle'))).toMatch(/Could not find function for 'f:nope'/);
});

test('system tables are read through db.system alone, and never written', async () => {
  const id = await later('put', { text: 'x' });
  const row = idOf(await t.mutation('aRow'));
  expect(valueOf(await t.query('everyWay', { id, row }))).toEqual([
    'System tables can only be accessed with db.system.',
    'User tables cannot be accessed with db.system.',
    'Index _scheduled_functions.by_state not found.',
    [],
    1,
    true,
  ]);
  expect(valueOf(await t.mutation('writes', { id }))).toEqual([
    '_scheduled_functions is a read-only table',
    'System tables can only be accessed with db.system.',
    'System tables can only be accessed with db.system.',
  ]);
  expect(valueOf(await t.query('takesId', { id }))).toBe('taken');
  expect(Object.keys(await t.executor.tableCounts())).toEqual(['rows']);
});
