/** What a function passes on from its client as it came: it fails the function, never the engine. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorOf, openTestExecutor, valueOf } from '../support/test-executor.ts';
import type { TestExecutor } from '../support/test-executor.ts';

const source = `
export const fill = mutation({ args: {}, handler: async ({ db }) => {
  for (let n = 0; n < 5; n++) await db.insert('numbers', { n });
} });
export const ordered = query({ args: { order: v.any() }, handler: async ({ db }, { order }) =>
  (await db.query('numbers').order(order).collect()).map(({ n }) => n) });
export const page = query({ args: { numItems: v.any() }, handler: async ({ db }, { numItems }) =>
  (await db.query('numbers').paginate({ cursor: null, numItems })).page.length });
export const raw = query({ args: { query: v.string() }, handler: (_, { query }) =>
  Convex.syscall('1.0/queryStream', '{"query":' + query + '}') });
`;

let t: TestExecutor;
beforeAll(async () => {
  t = await openTestExecutor(source);
  await t.mutation('fill');
});
afterAll(() => t[Symbol.asyncDispose]());

test('an order is one of two words, and never a part of a statement', async () => {
  expect(valueOf(await t.query('ordered', { order: 'desc' }))).toEqual([4, 3, 2, 1, 0]);
  for (const order of ['', 'DESC', 'asc, (SELECT 1)', 'asc LIMIT 1 --', 1, {}]) {
    expect(errorOf(await t.query('ordered', { order }))).toMatch(/unknown order .*expected "asc"/);
  }
});

test('a page has a whole number of rows', async () => {
  expect(valueOf(await t.query('page', { numItems: 2 }))).toBe(2);
  expect(errorOf(await t.query('page', { numItems: 1.5 }))).toContain('1.5 is not a whole number');
  expect(errorOf(await t.query('page', { numItems: 0 }))).toContain('at least 1 document');
  expect(errorOf(await t.query('page', { numItems: 1e300 }))).toContain('too many items');
});

describe('a query that convex/server would not write is refused:', () => {
  const scan = { type: 'FullTableScan', tableName: 'numbers', order: null };
  const range = { type: 'IndexRange', indexName: 'numbers.by_id', range: [], order: null };
  const eq = { type: 'Eq', fieldPath: '_id', value: 1 };
  const cases: Array<[string, unknown]> = [
    ['nothing', null],
    ['no source', { source: null, operators: [] }],
    ['a table that is no text', { source: { ...scan, tableName: 5 }, operators: [] }],
    ['an index that is no text', { source: { ...range, indexName: {} }, operators: [] }],
    ['a range that is no list', { source: { ...range, range: {} }, operators: [] }],
    ['a bound of no kind', { source: { ...range, range: [{ ...eq, type: 5 }] }, operators: [] }],
    [
      'a bound without value',
      { source: { ...range, range: [{ ...eq, value: undefined }] }, operators: [] },
    ],
    [
      'a bound that is no value',
      { source: { ...range, range: [{ ...eq, value: { $integer: 5 } }] }, operators: [] },
    ],
    ['an operator that is none', { source: scan, operators: ['limit'] }],
    ['a part of a row', { source: scan, operators: [{ limit: 1.5 }] }],
    ['fewer than no rows', { source: scan, operators: [{ limit: -1 }] }],
    [
      'searches that are no list',
      { source: { ...range, type: 'Search', filters: {} }, operators: [] },
    ],
  ];
  test.each(cases)('%s', async (_, query) => {
    const result = await t.query('raw', { query: JSON.stringify(query) });
    expect(errorOf(result)).toContain('Invalid argument `query`');
  });
});
