import { expect, test } from 'vitest';
import { errorOf, openTestExecutor, valueOf } from '../support/test-executor.ts';

const schema = `
import { defineSchema, defineTable } from 'convex/server';
import { v } from 'convex/values';
export default defineSchema({
  notes: defineTable({ text: v.string(), owner: v.string(), vector: v.array(v.number()) })
    .vectorIndex('by_vector', { vectorField: 'vector', dimensions: 2, filterFields: ['owner'] }),
});
`;

const source = `
export const add = mutation(async ({ db }, note: any) => await db.insert('notes', note));
export const nearest = action(async (ctx: any, { vector, owners, limit }: any) => {
  const filter = (q: any) => q.or(...owners.map((owner: string) => q.eq('owner', owner)));
  return await ctx.vectorSearch('notes', 'by_vector', { vector, limit, ...(owners && { filter }) });
});
`;

test('an action searches vectors, among those of some owners, with the committed documents', async () => {
  await using t = await openTestExecutor(source, { schema });
  const add = async (owner: string, vector: number[]) =>
    valueOf(await t.mutation('add', { text: owner, owner, vector }));
  const east = await add('a', [3, 0]);
  const north = await add('b', [0, 1]);
  const west = await add('c', [-2, 0]);
  const nearest = async (args: object) => valueOf(await t.action('nearest', args));
  expect(await nearest({ vector: [1, 0] })).toEqual([
    { _id: east, _score: 1 },
    { _id: north, _score: 0 },
    { _id: west, _score: -1 },
  ]);
  expect(await nearest({ vector: [1, 0], owners: ['b', 'c'], limit: 1 })).toEqual([
    { _id: north, _score: 0 },
  ]);
  expect(errorOf(await t.action('nearest', { vector: [1, 0, 0] }))).toMatch(
    'Expected a vector with dimensions 2, received 3.',
  );
});
