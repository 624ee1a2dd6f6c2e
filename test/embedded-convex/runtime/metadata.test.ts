import { describe, expect, test } from 'vitest';
import { errorOf, openTestExecutor, valueOf } from '../support/test-executor.ts';

const withLog = `
  import { log } from 'convex/server';
  export const writeAndMeasure = mutation(async (ctx) => {
    const id = await ctx.db.insert('t', { text: 'x'.repeat(100) });
    await ctx.db.get(id);
    await ctx.db.get(id);
    await ctx.runMutation('f:writeAndThrow', {}).catch(() => {});
    return ctx.meta.getTransactionMetrics();
  });
  export const writeAndThrow = mutation(async (ctx) => {
    for (let n = 0; n < 3; n += 1) await ctx.db.insert('t', { n });
    throw new Error('undone');
  });
  export const write = mutation(async (ctx, { count }) => {
    for (let n = 0; n < count; n += 1) await ctx.db.insert('t', { n });
  });
  export const count = query(async (ctx) => (await ctx.db.query('t').collect()).length);
  export const get = query(async (ctx, { ids }) => {
    for (const id of ids) await ctx.db.get(id);
  });
  export const countTwice = query(async (ctx, { limits }) => {
    await ctx.runQuery('f:count', {}, { transactionLimits: limits }).catch((error) => {
      throw new Error('nested: ' + error.message);
    });
    return (await ctx.db.query('t').collect()).length;
  });
  export const getSome = mutation(async (ctx, { limits }) => {
    const docs = await ctx.db.query('t').take(5);
    const ids = docs.map((doc) => doc._id);
    await ctx.runQuery('f:get', { ids: Array(6).fill(ids[0]) }, { transactionLimits: limits });
    await ctx.runQuery('f:get', { ids }, { transactionLimits: limits });
  });
  export const writeTwice = mutation(async (ctx, { first, limits }) => {
    await ctx.runMutation('f:write', { count: first });
    await ctx.runMutation('f:write', { count: 2 }, { transactionLimits: limits });
  });
  export const onSnapshot = mutation(async (ctx, { limits }) => {
    return ctx.runQuery('f:count', {}, { transactionLimits: limits, useStaleSnapshot: true });
  });
  export const names = query(async (ctx) => (await ctx.meta.getFunctionMetadata()).name);
  export const inAction = action(async (ctx) => ctx.meta.getDeploymentMetadata());
  export const inQuery = query(async (ctx) => ctx.meta.getDeploymentMetadata());
  export const audited = mutation(async () => { await log.audit({ action: 'x' }); });
  export const auditedAction = action(async () => { await log.audit({ action: 'x' }); });
  export default names;
`;

describe('metadata', () => {
  test('of a transaction tells what it used, without what was undone', async () => {
    await using f = await openTestExecutor(withLog);
    const metrics = valueOf(await f.mutation('writeAndMeasure'));
    expect(metrics).toMatchObject({
      documentsWritten: { used: 1, remaining: 15_999 },
      documentsRead: { used: 2, remaining: 31_998 },
      databaseQueries: { used: 1, remaining: 4095 },
      functionsScheduled: { used: 0, remaining: 1000 },
      scheduledFunctionArgsBytes: { used: 0, remaining: 16_777_216 },
    });
  });

  test('of the deployment is there in every kind of function', async () => {
    await using f = await openTestExecutor(withLog);
    const expected = { name: 'embedded', region: null, class: 's16' };
    expect(valueOf(await f.query('inQuery'))).toEqual(expected);
    expect(valueOf(await f.action('inAction'))).toEqual(expected);
  });

  test('of a function names it as references do', async () => {
    await using f = await openTestExecutor(withLog);
    expect(valueOf(await f.query('names'))).toBe('f:names');
    expect(valueOf(await f.query('default'))).toBe('f');
  });
});

describe('audit logs', () => {
  test('go nowhere, and are refused in actions as upstream does', async () => {
    await using f = await openTestExecutor(withLog);
    expect(valueOf(await f.mutation('audited'))).toBeNull();
    expect(errorOf(await f.action('auditedAction'))).toContain(
      'Audit logging is not yet supported in actions',
    );
  });
});

describe('limits of a called function', () => {
  test('end it when it reads too much, and are gone after it', async () => {
    await using f = await openTestExecutor(withLog);
    await f.mutation('write', { count: 4 });
    const failed = await f.query('countTwice', { limits: { documentsRead: 3 } });
    expect(errorOf(failed)).toContain('nested: Uncaught Error: Too many documents read');
    expect(valueOf(await f.query('countTwice', { limits: { documentsRead: 4 } }))).toBe(4);
  });

  test('count from what its caller has used', async () => {
    await using f = await openTestExecutor(withLog);
    expect(
      valueOf(await f.mutation('writeTwice', { first: 5, limits: { documentsWritten: 2 } })),
    ).toBeNull();
    const failed = await f.mutation('writeTwice', { first: 5, limits: { documentsWritten: 1 } });
    expect(errorOf(failed)).toContain('Too many writes');
  });

  test('count what is read twice once', async () => {
    await using f = await openTestExecutor(withLog);
    await f.mutation('write', { count: 5 });
    expect(valueOf(await f.mutation('getSome', { limits: { databaseQueries: 4 } }))).toBeNull();
    const failed = await f.mutation('getSome', { limits: { databaseQueries: 3 } });
    expect(errorOf(failed)).toContain('Too many reads');
  });

  test('hold on a snapshot too', async () => {
    await using f = await openTestExecutor(withLog);
    await f.mutation('write', { count: 4 });
    expect(errorOf(await f.mutation('onSnapshot', { limits: { documentsRead: 3 } }))).toContain(
      'Too many documents read',
    );
  });

  test('must be numbers', async () => {
    await using f = await openTestExecutor(withLog);
    expect(errorOf(await f.query('countTwice', { limits: { documentsRead: 'x' } }))).toContain(
      'Invalid argument `transactionLimits` for `runUdf`',
    );
  });
});
