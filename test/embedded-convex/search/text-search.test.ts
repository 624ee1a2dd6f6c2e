import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { QueryJson } from '../../../src/embedded-convex/query.ts';
import type { TableJson } from '../../../src/embedded-convex/schema.ts';
import { Store } from '../../../src/embedded-convex/store.ts';
import type { Transaction } from '../../../src/embedded-convex/transaction.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { collect, memoryStore, read, schemaOf, write } from '../support/memory-store.ts';

const byText = {
  indexDescriptor: 'by_text',
  searchField: 'body.text',
  filterFields: ['kind', 'owner'],
};

describe('a text search', () => {
  test('ranks by how well a document fits, and the newest first among equals', () => {
    using database = filled('parse the file', 'parse', 'nothing', 'parse parse errors', 'parse');
    expect(found(database.store, 'parse')).toEqual([
      'parse parse errors',
      'parse',
      'parse',
      'parse the file',
    ]);
    const times = read(database.store, (transaction) =>
      collect(transaction, search('parse')).map((doc) => Number(doc.value['_creationTime'])),
    );
    expect(times[1]).toBeGreaterThan(times[2] ?? NaN);
  });

  test('takes the last term as the beginning of one, and puts whole matches first', () => {
    using database = filled('handler', 'hand', 'handle it', 'other', 'more', 'rows', 'here');
    expect(found(database.store, 'hand')[0]).toBe('hand');
    expect(found(database.store, 'hand').sort()).toEqual(['hand', 'handle it', 'handler']);
    expect(found(database.store, 'hand other').sort()).toEqual(['hand', 'other']);
  });

  test('with nothing to look for finds nothing', () => {
    using database = filled('a');
    expect(found(database.store, '')).toEqual([]);
    expect(found(database.store, ' … ')).toEqual([]);
    expect(found(database.store, 'a'.repeat(32))).toEqual([]);
  });

  test('looks at sixteen terms', () => {
    using database = filled('first', 'sixteenth', 'seventeenth');
    const words = ['first', ...Array.from({ length: 14 }, (_, n) => `w${n}`), 'sixteenth'];
    expect(found(database.store, [...words, 'seventeenth'].join(' ')).sort()).toEqual([
      'first',
      'sixteenth',
    ]);
  });

  test('takes no query syntax from its text', () => {
    using database = filled('one', 'two', 'NOT', 'terms');
    expect(found(database.store, 'one" OR "two')).toHaveLength(2);
    expect(found(database.store, 'terms : NOT').sort()).toEqual(['NOT', 'terms']);
    expect(found(database.store, '¶0 -one *')).toEqual(['one']);
  });

  test('stops at 1024 documents, and says so', () => {
    using database = filled(...Array.from({ length: 1100 }, () => 'same'));
    expect(() => found(database.store, 'same')).toThrow(
      'Search query scanned too many documents (fetched 1024). Consider using a smaller limit, paginating the query, or using a filter field to limit the number of documents pulled from the search index.',
    );
    const limited = { ...search('same'), operators: [{ limit: 1024 }] };
    expect(read(database.store, (transaction) => collect(transaction, limited))).toHaveLength(1024);
  });
});

describe('filters', () => {
  test('must all hold, and tell all values apart', () => {
    using database = memoryStore({ tables: [table()] });
    const kinds = [undefined, null, 0, -0, 1n, 1, '1', true, 'x'.repeat(50), [1], { a: 1 }];
    write(database.store, (transaction) => {
      for (const kind of kinds) {
        transaction.insert('t', {
          body: { text: 'same' },
          owner: 'me',
          ...(kind === undefined ? {} : { kind }),
        });
      }
    });
    const json = [
      { $undefined: null },
      null,
      0,
      { $float: 'AAAAAAAAAIA=' },
      { $integer: 'AQAAAAAAAAA=' },
    ];
    for (const value of [...json, 1, '1', true, 'x'.repeat(50), [1], { a: 1 }]) {
      const only = { type: 'Eq', fieldPath: 'kind', value };
      expect(found(database.store, 'same', [only]), JSON.stringify(value)).toHaveLength(1);
      const owners = [only, { type: 'Eq', fieldPath: 'owner', value: 'you' }];
      expect(found(database.store, 'same', owners)).toEqual([]);
    }
  });
});

describe('a search that the index does not serve is refused', () => {
  const eq = (fieldPath: string) => ({ type: 'Eq', fieldPath, value: 1 });
  const text = (fieldPath: string, value = 'a') => ({ type: 'Search', fieldPath, value });
  test.each([
    [
      [eq('kind')],
      'Search query against t.by_text does not contain any search filters. You must include a search filter like `q.search("field", searchText)`.',
    ],
    [
      [text('kind')],
      'Search query against t.by_text contains a search filter against "kind", which doesn\'t match the indexed `searchField` "body.text".',
    ],
    [
      [text('body.text'), text('body.text')],
      'Search query against t.by_text contains multiple search filters against "body.text". Only one is allowed.',
    ],
    [
      [text('body.text'), eq('other')],
      'Search query against t.by_text contains an equality filter on "other" but that field isn\'t indexed for filtering in `filterFields`.',
    ],
    [
      [text('body.text'), ...Array.from({ length: 9 }, () => eq('kind'))],
      'Search query against t.by_text has too many filter conditions. Max: 8 Actual: 9',
    ],
    [[{ type: 'Near', fieldPath: 'x', value: 1 }], 'unknown search filter {"type":"Near"'],
    [[{ ...text('body.text'), value: 1 }], 'unknown search filter 1'],
  ])('%j', (filters, message) => {
    using database = filled('a');
    expect(() => run(database.store, { indexName: 't.by_text', filters })).toThrow(message);
  });

  test('when the index is missing, of another kind, or staged', () => {
    using database = memoryStore({ tables: [table({ stagedSearchIndexes: [staged] })] });
    const filters = [text('body.text')];
    const searching = (indexName: string) => () => run(database.store, { indexName, filters });
    expect(searching('t.none')).toThrow('Index t.none not found.');
    expect(searching('t.by_kind')).toThrow('Index t.by_kind is not a search index');
    expect(searching('t.later')).toThrow(
      'Index t.later is currently staged and not available to query until it is enabled.',
    );
    const range = { type: 'IndexRange', indexName: 't.by_text', range: [], order: null } as const;
    expect(() =>
      read(database.store, (transaction) =>
        collect(transaction, { source: { ...range, range: [] }, operators: [] }),
      ),
    ).toThrow('Index t.by_text is not a database index');
  });
});

describe('what a search depends on', () => {
  test('is its index and the documents it found, and not other fields of other documents', () => {
    using database = filled('found', 'other');
    const [foundId, otherId] = read(database.store, (transaction) =>
      ['found', 'other'].map((text) => collect(transaction, search(text))[0]?.id ?? ''),
    );
    const readSet = read(database.store, (transaction) => {
      collect(transaction, search('found'));
      return transaction.readSet();
    });
    const touches = (change: (transaction: Transaction) => void): boolean => {
      const transaction = database.store.begin();
      change(transaction);
      const commit = transaction.commit();
      return (commit?.writes ?? []).some(({ index, key }) =>
        readSet.some(
          (interval) =>
            interval.index === index &&
            Buffer.compare(interval.from, key) <= 0 &&
            (interval.to === null || Buffer.compare(key, interval.to) < 0),
        ),
      );
    };
    expect(touches((t) => t.patch(otherId ?? '', { unrelated: 1 }))).toBe(false);
    expect(touches((t) => t.patch(foundId ?? '', { unrelated: 1 }))).toBe(true);
    expect(touches((t) => t.patch(otherId ?? '', { kind: 'new' }))).toBe(true);
    expect(touches((t) => t.insert('t', { body: { text: 'found' } }))).toBe(true);
    expect(touches((t) => t.insert('t', { body: { number: 1 } }))).toBe(false);
    expect(touches((t) => t.remove(otherId ?? ''))).toBe(true);
  });

  test('of a table that does not exist, is the tables there are', () => {
    using database = memoryStore();
    const transaction = database.store.begin({ readOnly: true });
    expect(collect(transaction, search('a'))).toEqual([]);
    expect(transaction.readSet().map(({ index }) => index)).toContain('_tables.by_name');
  });
});

describe('the index', () => {
  test('is filled from the rows there are, changes with its definition, and goes', () => {
    using database = memoryStore();
    write(database.store, (t) => t.insert('t', { body: { text: 'early' }, other: 'words' }));
    database.store.applySchema(schemaOf([table()]));
    expect(found(database.store, 'early')).toEqual(['early']);
    const other = table({ searchIndexes: [{ ...byText, searchField: 'other' }] });
    database.store.applySchema(schemaOf([other]));
    const filters = [{ type: 'Search', fieldPath: 'other', value: 'words' }];
    expect(run(database.store, { indexName: 't.by_text', filters })).toEqual(['early']);
    database.store.applySchema(schemaOf([table({ searchIndexes: [] })]));
    expect(() => found(database.store, 'early')).toThrow('Index t.by_text not found.');
    database.store.applySchema(schemaOf([table()]));
    expect(found(database.store, 'early')).toEqual(['early']);
  });

  test('stays as it was when a schema is refused after it was changed', () => {
    using database = filled('one', 'two');
    const strict = table({
      searchIndexes: [{ ...byText, filterFields: [] }],
      documentType: { type: 'object', value: {} },
    });
    expect(() => database.store.applySchema({ ...schemaOf([strict]) })).toThrow(/./);
    expect(found(database.store, 'one')).toEqual(['one']);
    write(database.store, (t) => t.insert('t', { body: { text: 'one more' } }));
    expect(found(database.store, 'one')).toEqual(['one', 'one more']);
    const wider = table({ searchIndexes: [{ ...byText, filterFields: ['kind'] }] });
    database.store.applySchema(schemaOf([wider]));
    expect(found(database.store, 'one')).toEqual(['one', 'one more']);
  });

  test('survives a restart', () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'convex.sqlite3');
    const first = Store.open(path);
    first.applySchema(schemaOf([table({ stagedSearchIndexes: [staged] })]));
    write(first, (t) => t.insert('t', { body: { text: 'kept' } }));
    first.close();
    const second = Store.open(path);
    expect(found(second, 'kept')).toEqual(['kept']);
    write(second, (t) => t.remove(collect(t, search('kept'))[0]?.id ?? ''));
    expect(found(second, 'kept')).toEqual([]);
    expect(() =>
      run(second, { indexName: 't.later', filters: search('x').source.filters }),
    ).toThrow('staged');
    second.close();
  });
});

const staged = { ...byText, indexDescriptor: 'later', filterFields: ['kind'] };

function table(changes: Partial<TableJson> = {}): TableJson {
  return {
    tableName: 't',
    indexes: [{ indexDescriptor: 'by_kind', fields: ['kind'] }],
    searchIndexes: [byText],
    documentType: { type: 'any' },
    ...changes,
  };
}

function filled(...texts: string[]) {
  const database = memoryStore({ tables: [table()] });
  write(database.store, (transaction) => {
    for (const text of texts) transaction.insert('t', { body: { text } });
  });
  return database;
}

type Search = Extract<QueryJson['source'], { type: 'Search' }>;

function search(value: string, filters: Search['filters'] = []): QueryJson & { source: Search } {
  const text = { type: 'Search', fieldPath: 'body.text', value };
  const source = { type: 'Search' as const, indexName: 't.by_text', filters: [text, ...filters] };
  return { source, operators: [] };
}

function found(store: Store, text: string, filters: Search['filters'] = []): string[] {
  return textsOf(store, search(text, filters));
}

function run(store: Store, source: Omit<Search, 'type'>): string[] {
  return textsOf(store, { source: { type: 'Search', ...source }, operators: [] });
}

function textsOf(store: Store, query: QueryJson): string[] {
  return read(store, (transaction) =>
    collect(transaction, query).map((doc) => {
      const text = doc.field(['body', 'text']);
      return typeof text === 'string' ? text : '';
    }),
  );
}
