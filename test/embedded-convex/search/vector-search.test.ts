import * as fc from 'fast-check';
import { compareValues, convexToJson } from 'convex/values';
import type { JSONValue, Value } from 'convex/values';
import { describe, expect, test } from 'vitest';
import type { DocValue } from '../../../src/embedded-convex/doc.ts';
import type { TableJson } from '../../../src/embedded-convex/schema.ts';
import { vectorSearch } from '../../../src/embedded-convex/search/vector-query.ts';
import type { Store } from '../../../src/embedded-convex/store.ts';
import { memoryStore, schemaOf, write } from '../support/memory-store.ts';

const byVector = {
  indexDescriptor: 'by_vector',
  vectorField: 'vector',
  dimensions: 3,
  filterFields: ['kind', 'owner'],
};

describe('a vector search', () => {
  test('gives the nearest by cosine, best first, whatever their length', () => {
    using database = filled([
      { vector: [0, 1, 0], name: 'up' },
      { vector: [5, 0, 0], name: 'same' },
      { vector: [3, 4, 0], name: 'between' },
      { vector: [-1, 0, 0], name: 'opposite' },
      { vector: [0, 0, 0], name: 'zero' },
    ]);
    const results = search(database.store, { vector: [2, 0, 0] });
    expect(results.map(({ score }) => Number(score.toFixed(3)))).toEqual([1, 0.6, 0, 0, -1]);
    expect(results[0]?.id).toBe(database.ids[1]);
  });

  test('finds only vectors of its dimensions, made of finite numbers', () => {
    using database = filled([
      { vector: [1, 0, 0] },
      { vector: [1, 0] },
      { vector: [1, 0, NaN] },
      { vector: [1, 0, 1n] },
      { vector: 'no' },
      {},
    ]);
    const results = search(database.store, { vector: [1, 0, 0] });
    expect(results.map(({ id }) => id)).toEqual([database.ids[0]]);
  });

  test('gives ten results unless asked, and 256 at most', () => {
    using database = filled(Array.from({ length: 300 }, (_, n) => ({ vector: [1, n, 0] })));
    const vector = [1, 0, 0];
    expect(search(database.store, { vector })).toHaveLength(10);
    expect(search(database.store, { vector, limit: 256 })).toHaveLength(256);
    expect(() => search(database.store, { vector, limit: 257 })).toThrow(
      'Vector queries can fetch at most 256 results, requested 257.',
    );
    for (const limit of [0, -1, 1.5, 'x']) {
      expect(() => search(database.store, { vector, limit })).toThrow('`limit` is not a whole');
    }
  });

  test.each<[{ [name: string]: JSONValue }, string]>([
    [{ vector: [1, 2] }, 'Expected a vector with dimensions 3, received 2.'],
    [{ vector: [1, 2, null] }, '`vector` is not an array of numbers'],
    [{ indexName: 't.none' }, 'Index t.none not found.'],
    [{ indexName: 't.by_id' }, 'Index t.by_id is not a vector index'],
    [
      { expressions: eq('other', 1) },
      'Vector query against t.by_vector contains a filter on "other" but that field isn\'t indexed for filtering in `filterFields`.',
    ],
    [
      { expressions: { $gt: [{ $field: 'kind' }, { $literal: 1 }] } },
      'Filters should be a combination of `q.eq` and `q.or`.',
    ],
    [
      { expressions: { $eq: [{ $literal: 1 }, { $field: 'kind' }] } },
      '`q.eq` must take a field path as its first argument and a value as its second',
    ],
    [
      { expressions: { $or: Array.from({ length: 65 }, (_, n) => eq('kind', n)) } },
      'Vector query against t.by_vector has too many conditions. Max: 64 Actual: 65',
    ],
  ])('%j is refused', (changes, message) => {
    using database = filled([]);
    expect(() => search(database.store, { vector: [1, 0, 0], ...changes })).toThrow(message);
  });

  test('of a table that nothing was ever put into finds nothing', () => {
    using database = memoryStore();
    expect(search(database.store, { vector: [1] })).toEqual([]);
  });
});

describe('random documents', () => {
  const part = fc.constantFrom(-2, -1, 0, 0.5, 1, 3);
  const vector = fc.array(part, { minLength: 3, maxLength: 3 });
  const kind = fc.constantFrom<Value | undefined>(undefined, null, 1, 'x');
  const fields = fc.record({ vector, kind, owner: kind }, { requiredKeys: [] });
  const change = fc.record({ at: fc.nat(20), fields: fc.option(fields) });
  const conditions = fc.option(
    fc.array(fc.record({ field: fc.constantFrom('kind', 'owner'), value: kind }), {
      minLength: 1,
      maxLength: 3,
    }),
  );

  test('are found as comparing with each of them finds them', () => {
    fc.assert(
      fc.property(
        fc.array(fields, { maxLength: 20, size: 'max' }),
        fc.array(change, { maxLength: 8 }),
        vector,
        conditions,
        (inserts, changes, wanted, filter) => {
          using database = filled(inserts);
          const documents = new Map(inserts.map((given, at) => [database.ids[at] ?? '', given]));
          for (const { at, fields: next } of changes) {
            const id = [...documents.keys()][at % Math.max(documents.size, 1)];
            if (id === undefined) continue;
            write(database.store, (t) => (next === null ? t.remove(id) : t.replace(id, next)));
            if (next === null) documents.delete(id);
            else documents.set(id, next);
          }
          const expressions =
            filter === null ? null : { $or: filter.map(({ field, value }) => eq(field, value)) };
          const results = search(database.store, { vector: wanted, limit: 256, expressions });
          const expected = [...documents].filter(
            ([, { vector: own, ...document }]) =>
              own !== undefined &&
              (filter ?? [{ field: 'none', value: undefined }]).some(
                ({ field, value }) => compareValues(document[field as 'kind'], value) === 0,
              ),
          );
          expect(results.map(({ id }) => id).sort()).toEqual(expected.map(([id]) => id).sort());
          for (const [at, { id, score }] of results.entries()) {
            expect(score).toBeCloseTo(cosine(wanted, documents.get(id)?.vector ?? []), 6);
            expect(score).toBeLessThanOrEqual(results[at - 1]?.score ?? 1.000001);
          }
        },
      ),
      { seed: 8, numRuns: 200 },
    );
  });
});

test('the index is filled from the rows there are, and goes with the schema', () => {
  using database = memoryStore();
  const id = write(database.store, (t) => t.insert('t', { vector: [1, 2, 3] }));
  database.store.applySchema(schemaOf([table]));
  expect(search(database.store, { vector: [1, 2, 3] })).toMatchObject([{ id }]);
  database.store.applySchema(schemaOf([{ ...table, vectorIndexes: [] }]));
  expect(() => search(database.store, { vector: [1, 2, 3] })).toThrow('not found');
});

const table: TableJson = {
  tableName: 't',
  indexes: [],
  vectorIndexes: [byVector],
  documentType: { type: 'any' },
};

function filled(documents: DocValue[]) {
  const database = memoryStore({ tables: [table] });
  const ids = write(database.store, (transaction) =>
    documents.map((document) => transaction.insert('t', document)),
  );
  return Object.assign(database, { ids });
}

function search(store: Store, query: { [name: string]: JSONValue }) {
  return store.searchVectors(vectorSearch({ indexName: 't.by_vector', ...query }));
}

function eq(field: string, value: Value | undefined): JSONValue {
  const literal = value === undefined ? { $undefined: null } : convexToJson(value);
  return { $eq: [{ $field: field }, { $literal: literal }] };
}

function cosine(a: number[], b: number[]): number {
  const dot = (x: number[], y: number[]) => x.reduce((sum, n, at) => sum + n * (y[at] ?? 0), 0);
  const lengths = Math.sqrt(dot(a, a) * dot(b, b));
  return lengths === 0 ? 0 : dot(a, b) / lengths;
}
