import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ValidatorJSON } from 'convex/values';
import type { QueryJson } from '../../src/embedded-convex/query.ts';
import type { TableJson } from '../../src/embedded-convex/schema.ts';
import { Store } from '../../src/embedded-convex/store.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { collect, memoryStore, read, scanOf, schemaOf, write } from './support/memory-store.ts';

const byN: QueryJson = {
  source: {
    type: 'IndexRange',
    indexName: 't.by_n',
    range: [{ type: 'Gte', fieldPath: 'n', value: 98 }],
    order: 'desc',
  },
  operators: [],
};

describe('indexes', () => {
  test('are filled from the rows there are, and kept up to date from then on', () => {
    using database = filled();
    database.store.applySchema(schemaOf([table(['n'])]));
    expect(numbers(database.store)).toEqual([99, 98]);
    write(database.store, (transaction) => transaction.insert('t', { n: 98.5 }));
    expect(numbers(database.store)).toEqual([99, 98.5, 98]);
  });

  test('that are gone from the schema cannot be queried, and can come back', () => {
    using database = filled();
    database.store.applySchema(schemaOf([table(['n'])]));
    database.store.applySchema(schemaOf([table(null)]));
    expect(() => numbers(database.store)).toThrow('Index t.by_n not found.');
    write(database.store, (transaction) => transaction.insert('t', { n: 100 }));
    database.store.applySchema(schemaOf([table(['n'])]));
    expect(numbers(database.store)).toEqual([100, 99, 98]);
  });

  test('that change their fields under the same name are built anew', () => {
    using database = filled();
    database.store.applySchema(schemaOf([table(['other', 'n'])]));
    expect(() => numbers(database.store)).toThrow("didn't use the index fields in order");
    database.store.applySchema(schemaOf([table(['n'])]));
    expect(numbers(database.store)).toEqual([99, 98]);
  });

  test('survive a restart together with the validators', () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'convex.sqlite3');
    const first = Store.open(path);
    first.applySchema(schemaOf([table(['n'], { type: 'number' })]));
    write(first, (transaction) => transaction.insert('t', { n: 99 }));
    first.close();
    const second = Store.open(path);
    expect(numbers(second)).toEqual([99]);
    expect(() => write(second, (t) => t.insert('t', { n: 'x' }))).toThrow('does not match');
    second.close();
  });
});

describe('rows', () => {
  test('that do not fit keep the old schema in force, and are named', () => {
    using database = filled();
    database.store.applySchema(schemaOf([table(['n'], { type: 'number' })]));
    const [doc] = read(database.store, (transaction) => collect(transaction, scanOf('t')));
    const narrower = schemaOf([
      { ...table(['n', 'more'], { type: 'literal', value: 1 }) },
      { tableName: 'fresh', indexes: [] },
    ]);
    expect(() => database.store.applySchema(narrower)).toThrow(
      expect.objectContaining({
        code: 'SchemaValidationFailed',
        message: `Document with ID "${doc?.id}" in table "t" does not match the schema: \`0.0\` does not match literal validator \`v.literal(1.0)\`.Path: .n`,
      }),
    );
    expect(database.store.tableCounts()).toEqual({ t: 100 });
    expect(numbers(database.store)).toEqual([99, 98]);
    write(database.store, (transaction) => transaction.insert('t', { n: 100 }));
  });

  test('are not read again when the validator only became wider', () => {
    using database = filled();
    database.store.applySchema(schemaOf([table(null, { type: 'number' })]));
    const wider: ValidatorJSON = { type: 'union', value: [{ type: 'number' }, { type: 'null' }] };
    database.store.applySchema(schemaOf([table(null, wider)]));
    write(database.store, (transaction) => transaction.insert('t', { n: null }));
    expect(() => database.store.applySchema(schemaOf([table(null, { type: 'number' })]))).toThrow(
      'Value: null',
    );
  });

  test('may refer to tables that the same schema creates', () => {
    using database = memoryStore();
    const link: TableJson = table(null, { type: 'id', tableName: 'target' });
    database.store.applySchema(schemaOf([link, { tableName: 'target', indexes: [] }]));
    write(database.store, (t) => t.insert('t', { n: t.insert('target', {}) }));
    database.store.applySchema(null);
    database.store.applySchema(schemaOf([link]));
    expect(database.store.tableCounts()).toEqual({ t: 1, target: 1 });
  });
});

test('no schema change happens in the middle of a writing transaction', () => {
  using database = filled();
  const transaction = database.store.begin();
  expect(() => database.store.applySchema(null)).toThrow('has not ended');
  transaction.close();
});

test('table numbers are never used again', () => {
  using database = memoryStore({ tables: [{ tableName: 'a', indexes: [] }] });
  const first = write(database.store, (transaction) => transaction.insert('a', {}));
  database.store.applySchema(schemaOf([{ tableName: 'b', indexes: [] }]));
  write(database.store, (transaction) => transaction.insert('c', {}));
  database.store.applySchema(schemaOf([{ tableName: 'd', indexes: [] }]));
  const owners = ['a', 'b', 'c', 'd'].filter((name) =>
    read(database.store, (transaction) => transaction.normalizeId(name, first) !== null),
  );
  expect(owners).toEqual(['a']);
});

function table(fields: string[] | null, type: ValidatorJSON | null = null): TableJson {
  const field = (fieldType: ValidatorJSON) => ({ fieldType, optional: false });
  const indexes = fields === null ? [] : [{ indexDescriptor: 'by_n', fields }];
  const documentType: ValidatorJSON =
    type === null ? { type: 'any' } : { type: 'object', value: { n: field(type) } };
  const extra = fields?.filter((name) => name !== 'n') ?? [];
  const withExtra = Object.fromEntries(
    extra.map((name) => [name, { fieldType: { type: 'any' } as const, optional: true }]),
  );
  return documentType.type === 'object'
    ? {
        tableName: 't',
        indexes,
        documentType: { ...documentType, value: { ...documentType.value, ...withExtra } },
      }
    : { tableName: 't', indexes, documentType };
}

function filled(): ReturnType<typeof memoryStore> {
  const database = memoryStore();
  write(database.store, (transaction) => {
    for (let n = 0; n < 100; n += 1) transaction.insert('t', { n });
  });
  return database;
}

function numbers(store: Store): number[] {
  const docs = read(store, (transaction) => collect(transaction, byN));
  return docs.map(({ value }) => Number(value['n']));
}
