import type { ValidatorJSON } from 'convex/values';
import { describe, expect, test } from 'vitest';
import { defineSchema, defineTable } from 'convex/server';
import { v } from 'convex/values';
import { SchemaError } from '../../src/embedded-convex/schema-error.ts';
import { parseSchema } from '../../src/embedded-convex/schema.ts';
import type { IndexJson, SchemaJson, TableJson } from '../../src/embedded-convex/schema.ts';

describe('parseSchema', () => {
  test('reads what defineSchema exports', () => {
    const schema = defineSchema({
      messages: defineTable({ body: v.string(), meta: v.object({ at: v.number() }) })
        .index('by_time', ['meta.at', 'body'])
        .searchIndex('by_text', { searchField: 'body' }),
      anything: defineTable(v.any()),
    });
    const { tables } = parseSchema(exported(schema));
    expect(tables.map(({ name, indexes }) => ({ name, indexes }))).toEqual([
      { name: 'messages', indexes: [{ name: 'by_time', fields: ['meta.at', 'body'] }] },
      { name: 'anything', indexes: [] },
    ]);
    expect(tables.map(({ validator }) => validator === null)).toEqual([false, true]);
  });

  test('checks no documents when schemaValidation is off', () => {
    const schema = defineSchema(
      { messages: defineTable({ body: v.string() }).index('by_x', ['nowhere' as 'body']) },
      { schemaValidation: false },
    );
    expect(parseSchema(exported(schema)).tables[0]?.validator).toBe(null);
  });

  test('leaves staged indexes unbuilt', () => {
    const schema = defineSchema({
      t: defineTable({ a: v.string() }).index('by_a', { fields: ['a'], staged: true }),
    });
    expect(parseSchema(exported(schema)).tables[0]?.indexes).toEqual([]);
  });

  const table = (name: string, indexes: IndexJson[] = [], rest: Partial<TableJson> = {}) => ({
    tableName: name,
    indexes,
    ...rest,
  });
  const index = (indexDescriptor: string, ...fields: string[]) => ({ indexDescriptor, fields });
  const many = Array.from({ length: 65 }, (_, at) => index(`i${at}`, `f${at}`));

  test.each<[string, TableJson]>([
    ['TableNameReserved', table('_users')],
    ['InvalidTableName', table('my-table')],
    ['IndexNameReserved', table('t', [index('by_id', 'a')])],
    ['IndexNameReserved', table('t', [index('by_creation_time', 'a')])],
    ['IndexNameReserved', table('t', [index('_x', 'a')])],
    ['InvalidIndexName', table('t', [index('1x', 'a')])],
    ['InvalidIndexName', table('t', [index('x'.repeat(65), 'a')])],
    ['IndexNamesNotUnique', table('t', [index('x', 'a'), index('x', 'b')])],
    [
      'IndexNamesNotUnique',
      table('t', [index('x', 'a')], {
        searchIndexes: [{ indexDescriptor: 'x', searchField: 'a', filterFields: [] }],
      }),
    ],
    [
      'IndexNamesNotUnique',
      table('t', [index('x', 'a')], { stagedVectorIndexes: [vectorIndex('x')] }),
    ],
    [
      'SearchIndexFieldNotUnique',
      table('t', [], {
        searchIndexes: [searchIndex('x', 'a', 'b', 'c')],
        stagedSearchIndexes: [searchIndex('y', 'a', 'c', 'b', 'b')],
      }),
    ],
    [
      'VectorIndexFieldNotUnique',
      table('t', [], { vectorIndexes: [vectorIndex('x'), vectorIndex('y')] }),
    ],
    ['InvalidVectorDimensionError', table('t', [], { vectorIndexes: [vectorIndex('x', 1)] })],
    ['InvalidVectorDimensionError', table('t', [], { vectorIndexes: [vectorIndex('x', 4097)] })],
    ['InvalidVectorDimensionError', table('t', [], { vectorIndexes: [vectorIndex('x', 2.5)] })],
    [
      'IndexTooManyFilterFields',
      table('t', [], {
        searchIndexes: [searchIndex('x', 'a', ...many.slice(0, 17).flatMap((i) => i.fields))],
      }),
    ],
    ['InvalidIndexField', table('t', [], { searchIndexes: [searchIndex('x', 'a b')] })],
    [
      'SchemaDefinitionError',
      table('t', [], { vectorIndexes: [vectorIndex('x')], documentType: ofStrings('v') }),
    ],
    [
      'SchemaDefinitionError',
      table('t', [], {
        stagedSearchIndexes: [searchIndex('x', 'a', 'b')],
        documentType: ofStrings('a'),
      }),
    ],
    ['IndexNotUnique', table('t', [index('x', 'a', 'b'), index('y', 'a', 'b')])],
    ['EmptyIndex', table('t', [index('x')])],
    ['TooManyIndexes', table('t', many)],
    ['IndexTooManyFields', table('t', [index('x', ...many.slice(0, 17).flatMap((i) => i.fields))])],
    ['FieldsNotUniqueWithinIndex', table('t', [index('x', 'a', 'a')])],
    ['IndexFieldsContainId', table('t', [index('x', '_id')])],
    ['IndexFieldsContainCreationTime', table('t', [index('x', 'a', '_creationTime')])],
    ['IndexFieldNameReserved', table('t', [index('x', '_y')])],
    ['InvalidIndexField', table('t', [index('x', 'a b')])],
    ['InvalidTopLevelTypeInSchemaError', table('t', [], { documentType: { type: 'string' } })],
    [
      'SchemaDefinitionError',
      table('t', [index('x', 'a.b')], {
        documentType: {
          type: 'object',
          value: { a: { fieldType: { type: 'string' }, optional: false } },
        },
      }),
    ],
    ['InvalidSchema', table('t', [], { documentType: { type: 'nonsense' } as never })],
  ])('refuses with %s', (code, bad) => {
    const error = thrownBy(() => parseSchema({ tables: [bad], schemaValidation: true }));
    expect(error).toBeInstanceOf(SchemaError);
    expect(error).toMatchObject({ code });
  });

  test('takes indexes over system fields and over any array of numbers there may be', () => {
    const array = { type: 'array' as const, value: { type: 'number' as const } };
    const numbers = { type: 'union' as const, value: [{ type: 'null' as const }, array] };
    const documentType: ValidatorJSON = {
      type: 'object',
      value: {
        a: { fieldType: { type: 'string' }, optional: true },
        v: { fieldType: numbers, optional: true },
      },
    };
    const good = table('t', [], {
      searchIndexes: [searchIndex('x', 'a', '_creationTime', '_id')],
      vectorIndexes: [vectorIndex('y')],
      documentType,
    });
    const schema = parseSchema({ tables: [good], schemaValidation: true });
    expect(schema.tables).toMatchObject([
      { textIndexes: [{ name: 'x', filterFields: ['_creationTime', '_id'] }], vectorIndexes: [{}] },
    ]);
  });

  test('says in which table and index what is wrong', () => {
    const bad = { tables: [table('t', [index('x', 'a', 'a')])], schemaValidation: false };
    expect(() => parseSchema(bad)).toThrow(
      'In table "t": In index "x": Duplicate field "a". Index fields must be unique within an index.',
    );
  });
});

function exported(schema: object): SchemaJson {
  // `export` is what the bundler calls; it is not in the public types.
  return JSON.parse((schema as { export(): string }).export()) as SchemaJson;
}

function searchIndex(indexDescriptor: string, searchField: string, ...filterFields: string[]) {
  return { indexDescriptor, searchField, filterFields };
}

function vectorIndex(indexDescriptor: string, dimensions = 3) {
  return { indexDescriptor, vectorField: 'v', dimensions, filterFields: [] };
}

function ofStrings(...names: string[]): ValidatorJSON {
  const field = { fieldType: { type: 'string' as const }, optional: false };
  return { type: 'object', value: Object.fromEntries(names.map((name) => [name, field])) };
}

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return null;
}
