/** The same documents searched by convex-test and by our engine: both must find the same. */
import { convexTest as officialConvexTest } from 'convex-test';
import { defineSchema, defineTable } from 'convex/server';
import type {
  DataModelFromSchemaDefinition,
  GenericActionCtx,
  GenericDatabaseReader,
  GenericDatabaseWriter,
} from 'convex/server';
import { v } from 'convex/values';
import type { GenericId } from 'convex/values';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { convexTest } from '../../../src/embedded-convex/testing/convex-test.ts';

const schema = defineSchema({
  t: defineTable({ text: v.string(), kind: v.string(), vector: v.array(v.number()) })
    .searchIndex('by_text', { searchField: 'text', filterFields: ['kind'] })
    .vectorIndex('by_vector', { vectorField: 'vector', dimensions: 2, filterFields: ['kind'] }),
});

const modules = { './_generated/api.js': () => Promise.resolve({}) };

// The same interface, with types that the compiler cannot compare.
const theirConvexTest = officialConvexTest as unknown as typeof convexTest;

// Where convex-test's search means the same: words between spaces, and one word looked for,
// since it takes every word as the beginning of one, and Convex only the last.
const word = fc.constantFrom('a', 'ab', 'abc', 'b', 'Bar', 'foo', 'foobar', '42');
const kind = fc.constantFrom('m', 'n');
const part = fc.constantFrom(-1, 0.5, 1, 2);
const fields = fc.record({
  text: fc.array(word, { maxLength: 6 }).map((words) => words.join(' ')),
  kind,
  vector: fc.tuple(part, part),
});
const write = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('insert' as const), fields }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('replace' as const), at: fc.nat(20), fields }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), at: fc.nat(20) }) },
);
const search = fc.record({ word, kind: fc.option(kind), wanted: fc.tuple(part, part) });

test('a word, with and without a filter, and a vector find what they find in convex-test', async () => {
  const programs = fc.array(fc.array(write, { maxLength: 8 }), { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(
      programs,
      fc.array(search, { minLength: 1, maxLength: 4 }),
      async (writes, searches) => {
        const theirs = await run(theirConvexTest, writes, searches);
        const ours = await run(convexTest, writes, searches);
        expect(ours).toEqual(theirs);
      },
    ),
    { seed: 9, numRuns: 100 },
  );
});

type Write = typeof write extends fc.Arbitrary<infer Made> ? Made : never;
type Search = typeof search extends fc.Arbitrary<infer Made> ? Made : never;
type DataModel = DataModelFromSchemaDefinition<typeof schema>;
type Ids = GenericId<'t'>[];

/** What each search found, inside the transactions and after them: documents by their making. */
async function run(implementation: typeof convexTest, transactions: Write[][], searches: Search[]) {
  const backend = implementation(schema, modules);
  const ids: Ids = [];
  const inside: number[][][] = [];
  for (const writes of transactions) {
    const found = await backend.mutation(async ({ db }) => {
      for (const made of writes) await perform(db, made, ids);
      return findAll(db, searches, ids);
    });
    inside.push(found);
  }
  const after = await backend.query(({ db }) => findAll(db, searches, ids));
  const nearest = await backend.action(async (ctx) =>
    Promise.all(searches.map((one) => findNearest(ctx, one, ids))),
  );
  return { inside, after, nearest };
}

async function perform(db: GenericDatabaseWriter<DataModel>, made: Write, ids: Ids): Promise<void> {
  if (made.do === 'insert') {
    ids.push(await db.insert('t', made.fields));
    return;
  }
  const id = ids[made.at % Math.max(ids.length, 1)];
  if (id === undefined || (await db.get(id)) === null) return;
  if (made.do === 'replace') await db.replace(id, made.fields);
  else await db.delete(id);
}

async function findAll(
  db: GenericDatabaseReader<DataModel>,
  searches: Search[],
  ids: Ids,
): Promise<number[][]> {
  const found: number[][] = [];
  for (const { word, kind } of searches) {
    const documents = await db
      .query('t')
      .withSearchIndex('by_text', (q) => {
        const words = q.search('text', word);
        return kind === null ? words : words.eq('kind', kind);
      })
      .collect();
    found.push(documents.map(({ _id }) => ids.indexOf(_id)).sort((a, b) => a - b));
  }
  return found;
}

/** With their scores, to six digits: ours are of 32-bit vectors. */
async function findNearest(
  ctx: GenericActionCtx<DataModel>,
  { wanted, kind }: Search,
  ids: Ids,
): Promise<string[]> {
  const results = await ctx.vectorSearch('t', 'by_vector', {
    vector: wanted,
    limit: 256,
    ...(kind === null ? {} : { filter: (q) => q.eq('kind', kind) }),
  });
  return results.map(({ _id, _score }) => `${ids.indexOf(_id)}: ${_score.toFixed(6)}`).sort();
}
