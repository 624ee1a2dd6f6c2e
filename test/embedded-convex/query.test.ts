import type { JSONValue } from 'convex/values';
import { describe, expect, test } from 'vitest';
import type { QueryJson, RangeExpression } from '../../src/embedded-convex/query.ts';
import type { TableJson } from '../../src/embedded-convex/schema.ts';
import type { Store } from '../../src/embedded-convex/store.ts';
import { afterKey, encodeKey } from '../../src/embedded-convex/values/keys.ts';
import { collect, memoryStore, read, scanOf, write } from './support/memory-store.ts';

const tables: TableJson[] = [
  { tableName: 't', indexes: [{ indexDescriptor: 'by_a_b', fields: ['a', 'b'] }] },
];

function range(type: RangeExpression['type'], fieldPath: string, value: JSONValue) {
  return { type, fieldPath, value };
}

function indexed(indexName: string, ...expressions: RangeExpression[]): QueryJson {
  return {
    source: { type: 'IndexRange', indexName, range: expressions, order: null },
    operators: [],
  };
}

describe('a range', () => {
  test('takes equalities in any order', () => {
    using database = filled();
    const query = indexed('t.by_a_b', range('Eq', 'b', 2), range('Eq', 'a', 1));
    expect(numbers(database.store, query)).toEqual(['1/2']);
  });

  test('takes one lower and one upper bound behind the equalities', () => {
    using database = filled();
    const query = indexed(
      't.by_a_b',
      range('Eq', 'a', 1),
      range('Gt', 'b', 0),
      range('Lte', 'b', 2),
    );
    expect(numbers(database.store, query)).toEqual(['1/1', '1/2']);
  });

  test('may go on to _creationTime and _id', () => {
    using database = filled();
    const [doc] = read(database.store, (t) => collect(t, indexed('t.by_a_b', range('Eq', 'a', 2))));
    const time = doc?.value['_creationTime'] as number;
    const exact = indexed(
      't.by_a_b',
      range('Eq', 'a', 2),
      range('Eq', 'b', 0),
      range('Eq', '_creationTime', time),
      range('Eq', '_id', doc?.id ?? ''),
    );
    expect(numbers(database.store, exact)).toEqual(['2/0']);
    const other = exact.source.type === 'IndexRange' ? exact.source.range.slice(0, 3) : [];
    const after = indexed('t.by_a_b', ...other, range('Gt', '_id', doc?.id ?? ''));
    expect(numbers(database.store, after)).toEqual([]);
    const upTo = indexed('t.by_a_b', ...other, range('Lte', '_id', doc?.id ?? ''));
    expect(numbers(database.store, upTo)).toEqual(['2/0']);
    const later = indexed('t.by_creation_time', range('Gt', '_creationTime', time));
    expect(numbers(database.store, later)).toEqual(['2/1', '2/2']);
    expect(numbers(database.store, indexed('t.by_id', range('Eq', '_id', doc?.id ?? '')))).toEqual([
      '2/0',
    ]);
  });

  test('that is empty finds nothing', () => {
    using database = filled();
    const query = indexed('t.by_a_b', range('Gt', 'a', 2), range('Lt', 'a', 1));
    expect(numbers(database.store, query)).toEqual([]);
  });

  test.each<[string, RangeExpression[], string]>([
    [
      'FieldNotInIndex',
      [range('Eq', 'c', 1)],
      'The index range included a comparison with "c", but t.by_a_b with fields ["a", "b", "_creationTime"] doesn\'t index this field.',
    ],
    [
      'InvalidIndexRange',
      [range('Eq', 'b', 1)],
      'Tried to query index t.by_a_b but the query didn\'t use the index fields in order.\nIndex fields: ["a", "b", "_creationTime"]\nQuery fields: ["b"]\nFirst incorrect field: "b"\n',
    ],
    [
      'InvalidIndexRange',
      [range('Gt', 'a', 1), range('Eq', 'b', 1)],
      'Query fields: ["b", "a"]\nFirst incorrect field: "b"',
    ],
    [
      'AlreadyDefinedBound',
      [range('Eq', 'a', 1), range('Eq', 'a', 2)],
      'Already defined equality bound in index range. Can\'t add "a" == 1.0.',
    ],
    [
      'AlreadyDefinedBound',
      [range('Gt', 'a', 1), range('Gte', 'a', 2)],
      'Already defined lower bound in index range. Can\'t add "a" >= 2.0.',
    ],
    [
      'AlreadyDefinedBound',
      [range('Eq', 'a', 1), range('Lt', 'a', 2)],
      'Already defined inequality bound in index range. Can\'t add "a" == 1.0.',
    ],
    [
      'BoundsOnMultipleFields',
      [range('Gt', 'a', 1), range('Lt', 'b', 2)],
      'Upper and lower bounds in `range` can only be applied to a single index field. This query against index t.by_a_b attempted to set a range bound on both "a" and "b".',
    ],
  ])('that does not fit the index: %s', (code, expressions, message) => {
    using database = filled();
    const open = (): unknown =>
      database.store.begin().openQuery(indexed('t.by_a_b', ...expressions));
    expect(open).toThrow(expect.objectContaining({ code }));
    using other = filled();
    expect(() => other.store.begin().openQuery(indexed('t.by_a_b', ...expressions))).toThrow(
      message,
    );
  });
});

describe('a source', () => {
  test('of a table that does not exist is empty, and sees it appear', () => {
    using database = memoryStore();
    const reader = database.store.begin({ readOnly: true });
    expect(collect(reader, scanOf('later'))).toEqual([]);
    expect(reader.readSet().map((interval) => interval.index)).toEqual(['later.by_creation_time']);
    const writer = database.store.begin();
    writer.insert('later', {});
    expect(writer.commit()?.writes.map((entry) => entry.index)).toContain('later.by_creation_time');
  });

  test('needs its index', () => {
    using database = filled();
    expect(() => numbers(database.store, indexed('t.by_c'))).toThrow('Index t.by_c not found.');
    expect(() => numbers(database.store, indexed('u.by_c'))).toThrow('Index u.by_c not found.');
  });

  test('of a kind that is not known is refused', () => {
    using database = filled();
    const source = { type: 'Nearby', indexName: 't.by_place' };
    // What a newer `convex` package might send.
    const query = { source, operators: [] } as unknown as QueryJson;
    expect(() => database.store.begin().openQuery(query)).toThrow(
      'Invalid argument `query` for `queryStream`: unknown source type "Nearby"',
    );
  });
});

describe('operators', () => {
  test('apply in their order, and a limit stops the reading', () => {
    using database = filled();
    const isOdd = {
      filter: { $eq: [{ $mod: [{ $field: 'b' }, { $literal: 2 }] }, { $literal: 1 }] },
    };
    const scan = scanOf('t', 'desc');
    expect(numbers(database.store, { ...scan, operators: [{ limit: 3 }, isOdd] })).toEqual(['2/1']);
    expect(numbers(database.store, { ...scan, operators: [isOdd, { limit: 2 }] })).toEqual([
      '2/1',
      '1/1',
    ]);
    expect(numbers(database.store, { ...scan, operators: [{ limit: 0 }] })).toEqual([]);
  });

  test('a stream that was cut by a limit has read up to its last document only', () => {
    using database = filled();
    const reader = database.store.begin({ readOnly: true });
    const docs = collect(reader, { ...scanOf('t'), operators: [{ limit: 2 }] });
    const last = encodeKey([docs[1]?.value['_creationTime']]);
    expect(reader.readSet()).toEqual([
      { index: 't.by_creation_time', from: new Uint8Array(0), to: afterKey(last) },
    ]);
  });

  test('there may be 256 of them', () => {
    using database = filled();
    const operators = Array.from({ length: 257 }, () => ({ limit: 1 }));
    const open = (count: number): unknown =>
      database.store
        .begin({ readOnly: true })
        .openQuery({ ...scanOf('t'), operators: operators.slice(0, count) });
    expect(() => open(256)).not.toThrow();
    expect(() => open(257)).toThrow('Query has too many operators: 257');
  });
});

describe('a long scan', () => {
  test.each(['asc', 'desc'] as const)('%s, page after page, sees own writes in place', (order) => {
    using database = memoryStore({ tables });
    const ids = write(database.store, (t) =>
      Array.from({ length: 700 }, (_, n) => t.insert('t', { a: n % 7, b: n })),
    );
    const transaction = database.store.begin();
    for (const [n, id] of ids.entries()) {
      if (n % 5 === 0) transaction.remove(id);
      else if (n % 3 === 0) transaction.patch(id, { a: 8 });
      if (n % 50 === 0) transaction.insert('t', { a: 3, b: -n });
    }
    const source = { type: 'IndexRange', indexName: 't.by_a_b', range: [], order } as const;
    const query: QueryJson = { source: { ...source, range: [] }, operators: [] };
    const found = collect(transaction, query).map((doc) => doc.value);
    const sorted = found.toSorted((x, y) => {
      const sign = order === 'asc' ? 1 : -1;
      return sign * (Number(x['a']) - Number(y['a']) || Number(x['b']) - Number(y['b']));
    });
    expect(found).toEqual(sorted);
    expect(found).toHaveLength(700 - 140 + 14);
    transaction.commit();
    const after = read(database.store, (t) => collect(t, query).map((doc) => doc.id));
    expect(after).toEqual(found.map((value) => value['_id']));
  });
});

function filled(): ReturnType<typeof memoryStore> {
  const database = memoryStore({ tables });
  write(database.store, (transaction) => {
    for (const a of [0, 1, 2]) for (const b of [0, 1, 2]) transaction.insert('t', { a, b });
  });
  return database;
}

function numbers(store: Store, query: QueryJson): string[] {
  const docs = read(store, (transaction) => collect(transaction, query));
  return docs.map(({ value }) => `${Number(value['a'])}/${Number(value['b'])}`);
}
