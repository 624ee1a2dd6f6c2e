import { randomBytes } from 'node:crypto';
import { createWriteStream, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  Uint8ArrayReader,
  Uint8ArrayWriter,
  TextReader,
  TextWriter,
  ZipReader,
  ZipWriter,
} from '@zip.js/zip.js';
import { describe, expect, test } from 'vitest';
import { Database } from '../../../src/embedded-convex/database.ts';
import {
  fromSnapshotLine,
  toSnapshotLine,
} from '../../../src/embedded-convex/snapshot/document-line.ts';
import { importSnapshot } from '../../../src/embedded-convex/snapshot/import-snapshot.ts';
import { writeSnapshot } from '../../../src/embedded-convex/snapshot/write-snapshot.ts';
import type { TableJson } from '../../../src/embedded-convex/schema.ts';
import { Store } from '../../../src/embedded-convex/store.ts';
import { encodeId } from '../../../src/embedded-convex/values/ids.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { until } from '../../support/until.ts';
import { adminKey, api, startBackend } from '../support/backend.ts';
import { collect, read, scanOf, schemaOf, write } from '../support/memory-store.ts';

const allTypes = {
  integer: 42,
  fraction: 0.1,
  huge: 1e21,
  largest: Number.MAX_SAFE_INTEGER,
  minusZero: -0,
  notANumber: NaN,
  infinite: -Infinity,
  int64: 2n ** 62n,
  small: -7n,
  bytes: new Uint8Array([0, 255]).buffer,
  text: 'two\u2028lines\n and 🙂 and \ud800',
  list: [1, 1n, null, [true]],
  nested: { a: { b: 3 } },
};

describe('a line of a snapshot', () => {
  test('is as Convex writes it: a point makes a float64', () => {
    const line = toSnapshotLine(
      '{"a":42,"b":{"$integer":"KgAAAAAAAAA="},"c":{"$float":"AAAAAAAAAIA="},"d":{"$float":"AAAAAAAA8H8="},"e":[-1.5,1e+21],"f":{"$bytes":"AP8="}}',
    );
    expect(line).toBe(
      '{"a":42.0,"b":42,"c":-0.0,"d":{"$float":"AAAAAAAA8H8="},"e":[-1.5,1e+21],"f":{"$bytes":"AP8="}}',
    );
  });

  test('is read by the same rule', () => {
    expect(fromSnapshotLine('{"a":42.0,"b":42,"c":-0.0,"d":9223372036854775808}')).toEqual({
      a: 42,
      b: 42n,
      c: -0,
      d: 2 ** 63,
    });
    expect(() => fromSnapshotLine('[1]')).toThrow('a document must be an object');
  });
});

test('export and import into an empty database give the same documents, ids, times and indexes', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'data.sqlite');
  const tables = [
    { tableName: 't', indexes: [{ indexDescriptor: 'by_integer', fields: ['integer'] }] },
  ];
  const store = Store.open(path);
  store.applySchema(schemaOf(tables.map(tableOf)));
  for (let n = 0; n < 700; n += 1) {
    write(store, (transaction) => {
      transaction.insert('t', { ...allTypes, integer: n % 10 });
      if (n % 2 === 0) transaction.insert('other', { n });
    });
  }
  const before = { t: rows(store, 't'), other: rows(store, 'other'), counts: store.tableCounts() };
  const { lastTs } = store;
  store.close();

  const file = await exported(path, folder.path);
  const target = join(folder.path, 'target.sqlite');
  expect(await importSnapshot(file, target)).toEqual({ tables: before.counts, replaced: null });
  const imported = Store.open(target);
  expect(imported.lastTs).toBeGreaterThan(lastTs);
  expect({
    t: rows(imported, 't'),
    other: rows(imported, 'other'),
    counts: imported.tableCounts(),
  }).toEqual(before);
  // Later rows come later, and indexes are built from the schema.
  imported.applySchema(schemaOf(tables.map(tableOf)));
  const id = write(imported, (transaction) => transaction.insert('t', { ...allTypes, integer: 3 }));
  const threes = read(imported, (transaction) =>
    collect(transaction, {
      source: {
        type: 'IndexRange',
        indexName: 't.by_integer',
        range: [{ type: 'Eq', fieldPath: 'integer', value: 3 }],
        order: 'asc',
      },
      operators: [],
    }),
  );
  expect(threes.length).toBe(71);
  expect(threes.at(-1)?.id).toBe(id);
  imported.close();
});

test('a running backend exports one state while it is written to, and leaves no copy behind', async () => {
  await using backend = await startBackend();
  using folder = temporaryFolder();
  const client = backend.client();
  const done = new AbortController();
  const writing = (async () => {
    // Each mutation is awaited, so a state that has one has all before it.
    for (let n = 0; !done.signal.aborted; n += 1) {
      await client.mutation(api.rooms.send, { room: 'r', body: `${n} ${'x'.repeat(5000)}` });
    }
  })();
  await client.mutation(api.rooms.send, { room: 'other', body: 'b' });
  const response = await fetch(`${backend.url}/api/snapshot`, {
    headers: { authorization: `Convex ${adminKey}` },
  });
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/zip']);
  const file = join(folder.path, 'snapshot.zip');
  await writeFile(file, new Uint8Array(await response.arrayBuffer()));
  done.abort();
  await writing;
  const path = join(folder.path, 'target.sqlite');
  await importSnapshot(file, path);
  const store = Store.open(path);
  const numbers = rows(store, 'messages')
    .filter((row) => row['room'] === 'r')
    .map((row) => Number.parseInt(JSON.stringify(row['body']).slice(1), 10));
  expect(numbers.length).toBeGreaterThan(0);
  expect(numbers).toEqual(numbers.map((_, position) => position));
  store.close();
  const beside = join(backend.databasePath, '..');
  await until(
    'its copy is gone',
    () => !readdirSync(beside).some((name) => name.includes('export')),
  );
});

test('a client that goes away in the middle of an export leaves no copy behind, and is no failure', async () => {
  using folder = temporaryFolder();
  const copy = join(folder.path, 'copy.sqlite');
  const store = Store.open(copy);
  write(store, (transaction) => {
    // Of what cannot be compressed, and more than the network takes unread.
    for (let n = 0; n < 16; n += 1) transaction.insert('t', { bytes: randomBytes(1e6).buffer });
  });
  store.close();
  await using backend = await startBackend({
    wrap: (executor) => ({ ...executor, copyDatabase: () => Promise.resolve(copy) }),
  });
  const leaving = new AbortController();
  const response = await fetch(`${backend.url}/api/snapshot`, {
    headers: { Authorization: `Convex ${adminKey}` },
    signal: leaving.signal,
  });
  await response.body?.getReader().read();
  expect(existsSync(copy)).toBe(true);
  leaving.abort();
  await until('the copy is gone', () => !existsSync(copy));
  expect(backend.failures).toEqual([]);
});

test('only the admin key gets a snapshot', async () => {
  await using backend = await startBackend();
  const response = await fetch(`${backend.url}/api/snapshot`);
  expect(response.status).toBe(403);
});

describe('an import', () => {
  test('leaves a database that is not empty alone, unless told to replace it, which keeps the old', async () => {
    using folder = temporaryFolder();
    const path = withRow(folder.path, 'first');
    const file = await exported(path, folder.path);
    const other = withRow(folder.path, 'second');
    await expect(importSnapshot(file, other)).rejects.toMatchObject({ code: 'DatabaseNotEmpty' });
    expect(namesIn(other)).toEqual(['second']);
    const { replaced } = await importSnapshot(file, other, { replace: true });
    expect(namesIn(other)).toEqual(['first']);
    expect(namesIn(replaced ?? '')).toEqual(['second']);
    expect(readdirSync(folder.path).filter((name) => name.includes('.import-'))).toEqual([]);
  });

  test('is refused while the database is in use', async () => {
    using folder = temporaryFolder();
    const path = withRow(folder.path, 'first');
    const file = await exported(path, folder.path);
    const store = Store.open(path);
    await expect(importSnapshot(file, path, { replace: true })).rejects.toMatchObject({
      code: 'DatabaseInUse',
    });
    store.close();
  });

  test('takes what Convex exports: ids of any kind, equal times, and no system tables', async () => {
    using folder = temporaryFolder();
    const id = (n: number) => encodeId(10_007, new Uint8Array(16).fill(n));
    const file = await archive(folder.path, {
      '_tables/documents.jsonl': '{"name":"users","id":10007}\n{"name":"empty","id":10003}\n',
      '_storage/documents.jsonl': '{"_id":"whatever"}\n',
      'users/documents.jsonl': [1, 2, 3]
        .map((n) => `{"_creationTime":1700000000000.25,"_id":"${id(n)}","age":${n}.0,"n":${n}}\n`)
        .join(''),
      'users/generated_schema.jsonl': '"uniform"\n',
      'empty/documents.jsonl': '',
    });
    const path = join(folder.path, 'data.sqlite');
    expect((await importSnapshot(file, path)).tables).toEqual({ users: 3, empty: 0 });
    const store = Store.open(path);
    expect(rows(store, 'users')).toMatchObject(
      [1, 2, 3].map((n) => ({ _id: id(n), age: n, n: BigInt(n) })),
    );
    store.close();
  });

  test('takes plain documents without ids, whose numbers are all float64', async () => {
    using folder = temporaryFolder();
    const file = await archive(folder.path, { 'users/documents.jsonl': '{"age":1}\n{"age":2}' });
    const path = join(folder.path, 'data.sqlite');
    await importSnapshot(file, path);
    const store = Store.open(path);
    expect(rows(store, 'users')).toMatchObject([{ age: 1 }, { age: 2 }]);
    store.close();
  });

  const own = encodeId(10_001, new Uint8Array(16));
  test.each([
    ['users/documents.jsonl', '{"age":1}\nnonsense', /users, line 2: .*JSON/],
    [
      'users/documents.jsonl',
      `{"_id":"${own}"}\n{"_id":"${own}"}`,
      /line 2: the id .* is there twice/,
    ],
    ['users/documents.jsonl', '{"_id":"short"}', /line 1: Unable to decode ID/],
    [
      'users/documents.jsonl',
      `{"_id":"${encodeId(10_002, new Uint8Array(16))}"}`,
      /of table 10002, not of 10001/,
    ],
    ['users/generated_schema.jsonl', '"normal_int"', /before 2025/],
    ['other.txt', '', /no <table>\/documents.jsonl/],
  ])('that cannot be done says where: %s %s', async (name, content, message) => {
    using folder = temporaryFolder();
    const file = await archive(folder.path, {
      ...(name.endsWith('.txt') ? {} : { 'users/documents.jsonl': '' }),
      [name]: content,
    });
    const path = join(folder.path, 'data.sqlite');
    await expect(importSnapshot(file, path)).rejects.toThrow(message);
    expect(readdirSync(folder.path)).toEqual(['snapshot.zip']);
  });

  test('of what is no ZIP file is refused', async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, 'snapshot.zip');
    writeFileSync(file, 'no archive');
    await expect(importSnapshot(file, join(folder.path, 'db'))).rejects.toThrow(
      'it is no ZIP file',
    );
  });

  test('of rows that the schema forbids is refused', async () => {
    using folder = temporaryFolder();
    const path = withRow(folder.path, 'first');
    const file = await exported(path, folder.path);
    const strict = join(folder.path, 'strict.sqlite');
    const store = Store.open(strict);
    const documentType = { type: 'object' as const, value: {} };
    store.applySchema(schemaOf([{ ...tableOf({ tableName: 't', indexes: [] }), documentType }]));
    store.close();
    await expect(importSnapshot(file, strict)).rejects.toThrow(/does not match the schema/);
    expect(readdirSync(folder.path).filter((name) => name.includes('.import-'))).toEqual([]);
  });
});

test('the archive has the layout of Convex', async () => {
  using folder = temporaryFolder();
  const file = await exported(withRow(folder.path, 'first'), folder.path);
  const zip = new ZipReader(new Uint8ArrayReader(new Uint8Array(await readFile(file))));
  const entries = await zip.getEntries();
  expect(entries.map(({ filename }) => filename)).toEqual([
    'README.md',
    '_tables/documents.jsonl',
    't/documents.jsonl',
    't/generated_schema.jsonl',
  ]);
  const [, tables] = entries;
  const text = tables?.directory === false ? await tables.getData(new TextWriter()) : '';
  expect(text).toBe('{"name":"t","id":10001}\n');
});

function rows(store: Store, table: string) {
  return read(store, (transaction) => collect(transaction, scanOf(table))).map(
    ({ value }) => value,
  );
}

function tableOf({ tableName, indexes }: Pick<TableJson, 'tableName' | 'indexes'>): TableJson {
  return {
    tableName,
    indexes,
    searchIndexes: [],
    vectorIndexes: [],
    documentType: { type: 'any' },
  };
}

function withRow(folder: string, name: string): string {
  const path = join(folder, `${name}.sqlite`);
  const store = Store.open(path);
  write(store, (transaction) => transaction.insert('t', { name }));
  store.close();
  return path;
}

function namesIn(path: string): unknown[] {
  const store = Store.open(path);
  const names = rows(store, 't').map((row) => row['name']);
  store.close();
  return names;
}

async function exported(path: string, folder: string): Promise<string> {
  const file = join(folder, 'snapshot.zip');
  const database = Database.open(path, 0);
  await writeSnapshot(database, createWriteStream(file));
  database.close();
  return file;
}

async function archive(folder: string, files: Record<string, string>): Promise<string> {
  const zip = new ZipWriter(new Uint8ArrayWriter(), { useWebWorkers: false });
  for (const [name, content] of Object.entries(files)) await zip.add(name, new TextReader(content));
  const file = join(folder, 'snapshot.zip');
  writeFileSync(file, await zip.close());
  return file;
}
