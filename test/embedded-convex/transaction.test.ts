import { CommitTsPlaceholder } from 'convex/values';
import { describe, expect, test } from 'vitest';
import { FunctionError } from '../../src/embedded-convex/function-error.ts';
import type { TableJson } from '../../src/embedded-convex/schema.ts';
import type { Transaction } from '../../src/embedded-convex/transaction.ts';
import { nextDouble } from '../../src/embedded-convex/next-double.ts';
import { encodeId } from '../../src/embedded-convex/values/ids.ts';
import { collect, memoryStore, read, scanOf, write } from './support/memory-store.ts';

const foreignId = encodeId(99_999, new Uint8Array(16));

describe('insert', () => {
  test('creates the table, the id and a creation time that grows with each document', () => {
    using database = memoryStore({ now: () => 1_700_000_000_000 });
    const ids = write(database.store, (transaction) =>
      [1, 2, 3].map((n) => transaction.insert('notes', { n })),
    );
    const docs = read(database.store, (transaction) => collect(transaction, scanOf('notes')));
    expect(docs.map((doc) => doc.id)).toEqual(ids);
    expect(docs.map((doc) => doc.value['_creationTime'])).toEqual([
      1_700_000_000_000,
      nextDouble(1_700_000_000_000),
      nextDouble(nextDouble(1_700_000_000_000)),
    ]);
  });

  test('keeps creation times above those of earlier commits when the clock goes back', () => {
    let now = 2000;
    using database = memoryStore({ now: () => now });
    const first = write(database.store, (transaction) => transaction.insert('notes', {}));
    now = 1000;
    const second = write(database.store, (transaction) => transaction.insert('notes', {}));
    const docs = read(database.store, (transaction) => collect(transaction, scanOf('notes')));
    expect(docs.map((doc) => doc.id)).toEqual([first, second]);
  });

  test('tells the function the time that its first document will have', () => {
    using database = memoryStore({ now: () => 2000 });
    const transaction = database.store.begin();
    const doc = transaction.get(transaction.insert('notes', {}));
    expect(doc?.value['_creationTime']).toBe(transaction.now);
  });

  test('goes on telling the time when the clock goes back', () => {
    let now = 2000;
    using database = memoryStore({ now: () => now });
    write(database.store, (transaction) => transaction.insert('notes', {}));
    now = 1000;
    expect(write(database.store, (transaction) => transaction.now)).toBe(1000);
    now = 1001;
    expect(write(database.store, (transaction) => transaction.now)).toBe(1001);
  });

  test.each([
    ['_system', "Invalid table name _system starts with metadata prefix '_'"],
    ['my-table', 'Invalid table name: "my-table". Identifiers must start with a letter'],
  ])('refuses the table name %s', (name, message) => {
    using database = memoryStore();
    expect(() => database.store.begin().insert(name, {})).toThrow(message);
  });

  test('refuses fields that the system owns', () => {
    using database = memoryStore();
    const transaction = database.store.begin();
    expect(() => transaction.insert('notes', { _id: 'x' })).toThrow(
      /Provided document ID "\w+" doesn't match '_id' field "x"/,
    );
    expect(() => transaction.insert('notes', { _creationTime: 1 })).toThrow(
      /Provided creation time .* doesn't match '_creationTime' field in {_creationTime: 1.0}/,
    );
    expect(() => transaction.insert('notes', { _mine: 1 })).toThrow(
      "Field '_mine' starts with an underscore, which is only allowed for system fields like '_id'",
    );
  });

  test('writes the timestamp of the commit for db.vars.commitTs, wherever it stands', () => {
    using database = memoryStore();
    const transaction = database.store.begin();
    const at = new CommitTsPlaceholder();
    const id = transaction.insert('notes', { at, deep: [{ at }] });
    const commit = transaction.commit();
    const doc = read(database.store, (reader) => reader.get(id));
    expect(doc?.value).toMatchObject({ at: commit?.ts, deep: [{ at: commit?.ts }] });
  });
});

describe('patch, replace and remove', () => {
  test('patch merges at the top and removes what is undefined', () => {
    using database = memoryStore();
    const id = write(database.store, (t) => t.insert('notes', { a: 1, b: { x: 1 }, c: 3 }));
    write(database.store, (t) => t.patch(id, { a: undefined, b: { y: 2 } }));
    expect(valueOf(database.store.begin(), id)).toEqual({ b: { y: 2 }, c: 3 });
  });

  test('replace keeps only the system fields, and accepts them when they are unchanged', () => {
    using database = memoryStore();
    const id = write(database.store, (t) => t.insert('notes', { a: 1 }));
    const transaction = database.store.begin();
    const before = transaction.get(id)?.value ?? {};
    transaction.replace(id, { ...before, a: undefined, b: 2 });
    expect(valueOf(transaction, id)).toEqual({ b: 2 });
    expect(() => transaction.replace(id, { _creationTime: 5 })).toThrow("doesn't match");
  });

  test('writing the same again is no write', () => {
    using database = memoryStore();
    const id = write(database.store, (t) => t.insert('notes', { a: 1 }));
    const transaction = database.store.begin();
    transaction.patch(id, { a: 1 });
    expect(transaction.commit()).toBe(null);
  });

  test('remove returns the document and leaves nothing', () => {
    using database = memoryStore();
    const id = write(database.store, (t) => t.insert('notes', { a: 1 }));
    expect(write(database.store, (t) => t.remove(id)).value).toMatchObject({ a: 1 });
    read(database.store, (t) => {
      expect(t.get(id)).toBe(null);
      expect(t.count('notes')).toBe(0);
      expect(collect(t, scanOf('notes'))).toEqual([]);
    });
  });

  test.each<[string, (transaction: Transaction, id: string) => unknown]>([
    ['Update on nonexistent document ID', (t, id) => t.patch(id, {})],
    ['Replace on nonexistent document ID', (t, id) => t.replace(id, {})],
    ['Delete on nonexistent document ID', (t, id) => t.remove(id)],
  ])('%s, also right after it was removed', (message, run) => {
    using database = memoryStore();
    const id = write(database.store, (t) => t.insert('notes', {}));
    const transaction = database.store.begin();
    transaction.remove(id);
    expect(() => run(transaction, id)).toThrow(`${message} ${id}`);
  });
});

describe('ids', () => {
  const methods: [string, (t: Transaction, id: string, table?: string) => unknown][] = [
    ['db.get', (t, id, table) => t.get(id, table)],
    ['db.patch', (t, id, table) => t.patch(id, {}, table)],
    ['db.replace', (t, id, table) => t.replace(id, {}, table)],
    ['db.delete', (t, id, table) => t.remove(id, table)],
  ];

  test.each(methods)('%s says what is wrong with a text that is none', (method, run) => {
    using database = memoryStore();
    expect(() => run(database.store.begin(), 'abc')).toThrow(
      `Invalid argument \`id\` for \`${method}\`: Unable to decode ID: Invalid ID length 3`,
    );
  });

  test.each(methods)('%s says that the id belongs to another table', (method, run) => {
    using database = memoryStore();
    const id = write(database.store, (t) => t.insert('notes', {}));
    expect(() => run(database.store.begin(), id, 'users')).toThrow(
      `Invalid argument \`id\` for \`${method}\`: expected to be an Id<"users">, got Id<"notes"> instead.`,
    );
  });

  test('get finds nothing under the number of no table; the others refuse it', () => {
    using database = memoryStore();
    const transaction = database.store.begin();
    expect(transaction.get(foreignId)).toBe(null);
    expect(() => transaction.patch(foreignId, {})).toThrow(
      `Invalid argument \`id\` for \`db.patch\`: Table for ID "${foreignId}" not found`,
    );
  });

  test('normalizeId accepts ids of the table alone', () => {
    using database = memoryStore();
    const id = write(database.store, (t) => {
      t.insert('users', {});
      return t.insert('notes', {});
    });
    const transaction = database.store.begin();
    expect(transaction.normalizeId('notes', id)).toBe(id);
    expect(transaction.normalizeId('users', id)).toBe(null);
    expect(transaction.normalizeId('nowhere', id)).toBe(null);
    expect(transaction.normalizeId('notes', 'x')).toBe(null);
    transaction.remove(id);
    expect(transaction.normalizeId('notes', id)).toBe(id);
  });
});

describe('the schema', () => {
  const users: TableJson = {
    tableName: 'users',
    indexes: [],
    documentType: {
      type: 'object',
      value: { name: { fieldType: { type: 'string' }, optional: false } },
    },
  };

  test('is enforced on the final document', () => {
    using database = memoryStore({ tables: [users] });
    const transaction = database.store.begin();
    const id = transaction.insert('users', { name: 'a' });
    transaction.patch(id, { name: 'b' });
    const prefix =
      'Failed to insert or update a document in table "users" because it does not match the schema: ';
    expect(() => transaction.insert('users', {})).toThrow(
      `${prefix}Object is missing the required field \`name\`.`,
    );
    expect(() => transaction.patch(id, { name: undefined })).toThrow(prefix);
    expect(() => transaction.replace(id, { name: 'c', age: 1 })).toThrow(
      `${prefix}Object contains extra field \`age\``,
    );
    expect(valueOf(transaction, id)).toEqual({ name: 'b' });
  });

  test('says nothing about tables that it does not list', () => {
    using database = memoryStore({ tables: [users] });
    const id = write(database.store, (t) => t.insert('others', { any: 'thing' }));
    expect(valueOf(database.store.begin(), id)).toEqual({ any: 'thing' });
  });

  test('accepts ids of tables that this very transaction creates', () => {
    const link: TableJson = {
      tableName: 'links',
      indexes: [],
      documentType: {
        type: 'object',
        value: { to: { fieldType: { type: 'id', tableName: 'others' }, optional: false } },
      },
    };
    using database = memoryStore({ tables: [link] });
    const transaction = database.store.begin();
    const to = transaction.insert('others', {});
    expect(valueOf(transaction, transaction.insert('links', { to }))).toEqual({ to });
  });
});

describe('savepoints', () => {
  test('rolling back undoes documents, counts and tables; outer writes stay', () => {
    using database = memoryStore();
    const kept = write(database.store, (t) => t.insert('notes', { n: 1 }));
    const transaction = database.store.begin();
    const outer = transaction.insert('notes', { n: 2 });
    const savepoint = transaction.savepoint();
    transaction.patch(kept, { n: 10 });
    transaction.remove(outer);
    const lost = transaction.insert('fresh', {});
    transaction.rollbackTo(savepoint);
    transaction.release(savepoint);
    expect(valueOf(transaction, kept)).toEqual({ n: 1 });
    expect(valueOf(transaction, outer)).toEqual({ n: 2 });
    expect(transaction.get(lost)).toBe(null);
    expect(transaction.count('notes')).toBe(2);
    expect(transaction.normalizeId('fresh', lost)).toBe(null);
    transaction.commit();
    expect(database.store.tableCounts()).toEqual({ notes: 2 });
  });

  test('an id of a table that was rolled back never names another table', () => {
    using database = memoryStore();
    const transaction = database.store.begin();
    const savepoint = transaction.savepoint();
    const lost = transaction.insert('first', {});
    transaction.rollbackTo(savepoint);
    transaction.insert('second', {});
    expect(transaction.normalizeId('second', lost)).toBe(null);
    expect(transaction.get(lost)).toBe(null);
  });

  test('one that is over cannot be used', () => {
    using database = memoryStore();
    const transaction = database.store.begin();
    const outer = transaction.savepoint();
    const inner = transaction.savepoint();
    transaction.rollbackTo(outer);
    expect(() => transaction.rollbackTo(inner)).toThrow('savepoint 2');
  });
});

describe('limits', () => {
  test('of reading count every document that is looked at', () => {
    using database = memoryStore({ limits: { documentsRead: 3 } });
    write(database.store, (t) => [1, 2, 3, 4].map((n) => t.insert('notes', { n })));
    const help =
      'Consider using smaller limits in your queries, paginating your queries, or using indexed queries with a selective index range expressions.';
    expect(() => read(database.store, (t) => collect(t, scanOf('notes')))).toThrow(
      `Too many documents read in a single function execution (limit: 3). ${help}`,
    );
    const nothing = { ...scanOf('notes'), operators: [{ filter: { $literal: false } }] };
    expect(() => read(database.store, (t) => collect(t, nothing))).toThrow('Too many documents');
  });

  test('of reading count bytes too', () => {
    using database = memoryStore({ limits: { bytesRead: 2000 } });
    const id = write(database.store, (t) => t.insert('notes', { text: 'x'.repeat(1500) }));
    const transaction = database.store.begin({ readOnly: true });
    transaction.get(id);
    expect(() => transaction.get(id)).toThrow(
      'Too many bytes read in a single function execution (limit: 2000 bytes).',
    );
  });

  test('of reading count separate intervals, the same one only once', () => {
    using database = memoryStore({ limits: { databaseQueries: 10 } });
    const ids = write(database.store, (t) =>
      Array.from({ length: 11 }, (_, n) => t.insert('notes', { n })),
    );
    const transaction = database.store.begin({ readOnly: true });
    const [first = ''] = ids;
    for (let time = 0; time < 50; time += 1) transaction.get(first);
    const fresh = database.store.begin({ readOnly: true });
    expect(() => ids.map((id) => fresh.get(id))).toThrow(
      'Too many reads in a single function execution (limit: 10).',
    );
  });

  test('of writing count documents and bytes, and roll back with a savepoint', () => {
    using database = memoryStore({ limits: { documentsWritten: 2, bytesWritten: 1 << 20 } });
    const transaction = database.store.begin();
    const savepoint = transaction.savepoint();
    const half = 'x'.repeat(600_000);
    transaction.insert('notes', {});
    transaction.insert('notes', { half });
    expect(() => transaction.insert('notes', {})).toThrow(
      'Too many writes in a single function execution (limit: 2)',
    );
    transaction.rollbackTo(savepoint);
    transaction.insert('notes', { half });
    expect(() => transaction.insert('notes', { half })).toThrow(
      'Too many bytes written in a single function execution (limit: 1 MiB)',
    );
  });
});

describe('the life of a transaction', () => {
  test('one that only reads cannot write', () => {
    using database = memoryStore();
    const transaction = database.store.begin({ readOnly: true });
    expect(() => transaction.insert('notes', {})).toThrow(FunctionError);
  });

  test('there is one writer at a time, and the next one after it ended in any way', () => {
    using database = memoryStore();
    const first = database.store.begin();
    expect(() => database.store.begin()).toThrow('Another writing transaction has not ended');
    first.close();
    const second = database.store.begin();
    second.insert('notes', {});
    second.commit();
    second.close();
    expect(() => database.store.begin().close()).not.toThrow();
  });

  test('it cannot be used after its end, nor after another commit', () => {
    using database = memoryStore();
    const reader = database.store.begin({ readOnly: true });
    const writer = database.store.begin();
    const id = writer.insert('notes', {});
    const open = reader.openQuery(scanOf('notes'));
    writer.commit();
    expect(() => writer.get(id)).toThrow('The transaction has ended');
    expect(() => reader.get(id)).toThrow('another commit came after it began');
    expect(() => open.next()).toThrow('another commit came after it began');
  });

  test('a commit names the old and the new keys of what it wrote, in every index', () => {
    const tables = [{ tableName: 't', indexes: [{ indexDescriptor: 'by_a', fields: ['a'] }] }];
    using database = memoryStore({ tables });
    const id = write(database.store, (t) => t.insert('t', { a: 1 }));
    const transaction = database.store.begin();
    transaction.patch(id, { a: 2 });
    const commit = transaction.commit();
    const names = commit?.writes.map((entry) => entry.index);
    expect(names).toEqual(['t.by_id', 't.by_creation_time', 't.by_a', 't.by_a']);
  });

  test('a commit that creates a table names it to those who looked for it', () => {
    using database = memoryStore();
    const reader = database.store.begin({ readOnly: true });
    reader.normalizeId('notes', foreignId);
    const [dependency] = reader.readSet();
    const writer = database.store.begin();
    writer.insert('notes', {});
    expect(writer.commit()?.writes.map((entry) => entry.index)).toContain(dependency?.index);
  });
});

function valueOf(transaction: Transaction, id: string): unknown {
  const { _id, _creationTime, ...rest } = transaction.get(id)?.value ?? {};
  expect([_id, typeof _creationTime]).toEqual([id, 'number']);
  // Fields that are undefined are not there.
  return JSON.parse(JSON.stringify(rest));
}
