import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { Store } from '../../src/embedded-convex/store.ts';
import { StoreError } from '../../src/embedded-convex/store-error.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { collect, memoryStore, read, scanOf, write } from './support/memory-store.ts';

describe('the file', () => {
  test('is created with its folder, for its owner alone', () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'deep', 'convex.sqlite3');
    const store = Store.open(path);
    write(store, (transaction) => transaction.insert('t', {}));
    expect(modeOf(path)).toBe(0o600);
    expect(modeOf(`${path}-wal`)).toBe(0o600);
    store.close();
  });

  test('that others could read is closed to them', () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'convex.sqlite3');
    Store.open(path).close();
    chmodSync(path, 0o644);
    Store.open(path).close();
    expect(modeOf(path)).toBe(0o600);
  });

  test('holds everything when it is opened again', () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'convex.sqlite3');
    const values = { text: 'é\ud800\0', big: 2n ** 62n, float: -0, bytes: Uint8Array.of(1).buffer };
    const first = Store.open(path);
    const id = write(first, (transaction) => transaction.insert('t', values));
    const { lastTs } = first;
    first.close();
    const second = Store.open(path);
    expect(second.lastTs).toBe(lastTs);
    expect(second.tableCounts()).toEqual({ t: 1 });
    const doc = read(second, (transaction) => transaction.get(id));
    expect(doc?.value).toMatchObject(values);
    const next = write(second, (transaction) => transaction.insert('t', {}));
    const docs = read(second, (transaction) => collect(transaction, scanOf('t')));
    expect(docs.map(({ id: found }) => found)).toEqual([id, next]);
    second.close();
  });

  test('belongs to one store at a time', () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'convex.sqlite3');
    const store = Store.open(path);
    expect(() => Store.open(path, { lockWaitMs: 50 })).toThrow(
      expect.objectContaining({ code: 'DatabaseInUse', message: expect.stringContaining(path) }),
    );
    store.close();
    expect(() => Store.open(path).close()).not.toThrow();
  });
});

describe('a file that cannot be used is named and left alone', () => {
  const refusal = (code: string): unknown => expect.objectContaining({ name: 'StoreError', code });

  test('one that is no database', () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'convex.sqlite3');
    writeFileSync(path, 'not a database at all, '.repeat(100));
    const before = readFileSync(path);
    expect(() => Store.open(path)).toThrow(refusal('DatabaseCorrupt'));
    expect(readFileSync(path)).toEqual(before);
  });

  test('one that is damaged in the middle', () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'convex.sqlite3');
    const store = Store.open(path);
    write(store, (transaction) => {
      for (let n = 0; n < 500; n += 1) transaction.insert('t', { n, text: 'x'.repeat(200) });
    });
    store.close();
    const bytes = readFileSync(path);
    bytes.fill(0xab, bytes.length / 2, bytes.length / 2 + 20_000);
    writeFileSync(path, bytes);
    expect(() => Store.open(path)).toThrow(refusal('DatabaseCorrupt'));
    expect(readFileSync(path)).toEqual(bytes);
  });

  test("another program's database", () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'other.sqlite3');
    const other = new DatabaseSync(path);
    other.exec('CREATE TABLE mine (a); INSERT INTO mine VALUES (1)');
    other.close();
    const before = readFileSync(path);
    expect(() => Store.open(path)).toThrow(refusal('DatabaseForeign'));
    expect(readFileSync(path)).toEqual(before);
  });

  test('one of a newer version', () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'convex.sqlite3');
    Store.open(path).close();
    const newer = new DatabaseSync(path);
    newer.exec('PRAGMA user_version = 999');
    newer.close();
    expect(() => Store.open(path)).toThrow(refusal('DatabaseTooNew'));
  });

  test('a folder', () => {
    using folder = temporaryFolder();
    expect(() => Store.open(folder.path)).toThrow(refusal('DatabaseUnreadable'));
  });
});

describe('timestamps', () => {
  test('follow the clock in nanoseconds, and count on when it stands still or goes back', () => {
    let now = 1_700_000_000_000;
    using database = memoryStore({ now: () => now });
    const stamps = [0, 0, -5000, 5].map((change) => {
      now += change;
      write(database.store, (transaction) => transaction.insert('t', {}));
      return database.store.lastTs;
    });
    const start = 1_700_000_000_000_000_000n;
    expect(stamps).toEqual([start, start + 1n, start + 2n, start + 3n]);
    now += 10_000;
    write(database.store, (transaction) => transaction.insert('t', {}));
    expect(database.store.lastTs).toBe(start + 5_005_000_000n);
  });

  test('do not move for a transaction that wrote nothing', () => {
    using database = memoryStore();
    const before = database.store.lastTs;
    write(database.store, (transaction) => transaction.count('t'));
    expect(database.store.lastTs).toBe(before);
  });
});

describe('requests', () => {
  const request = { sessionId: 's', requestId: 7, result: '{"a":1}', logLines: ['[LOG] x'] };

  test('are found with their answer and timestamp, also after a restart', () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'convex.sqlite3');
    const store = Store.open(path);
    const transaction = store.begin();
    transaction.insert('t', {});
    const commit = transaction.commit({ request });
    store.close();
    const reopened = Store.open(path);
    expect(reopened.findRequest('s', 7)).toEqual({ ...request, ts: commit?.ts });
    expect(reopened.findRequest('s', 8)).toBe(null);
    expect(reopened.findRequest('other', 7)).toBe(null);
    reopened.close();
  });

  test('are recorded for mutations that wrote nothing', () => {
    using database = memoryStore();
    const commit = database.store.begin().commit({ request });
    expect(commit?.writes).toEqual([]);
    expect(database.store.findRequest('s', 7)?.ts).toBe(commit?.ts);
  });

  test('are gone with the transaction that is given up', () => {
    using database = memoryStore();
    const transaction = database.store.begin();
    transaction.insert('t', {});
    transaction.close();
    expect(database.store.findRequest('s', 7)).toBe(null);
  });

  test('are kept for two weeks', () => {
    const day = 24 * 60 * 60 * 1000;
    let now = 1_700_000_000_000;
    using database = memoryStore({ now: () => now });
    database.store.begin().commit({ request });
    now += 13 * day;
    database.store.begin().commit({ request: { ...request, requestId: 8 } });
    expect(database.store.findRequest('s', 7)).not.toBe(null);
    now += 2 * day;
    database.store.begin().commit({ request: { ...request, requestId: 9 } });
    expect(database.store.findRequest('s', 7)).toBe(null);
    expect(database.store.findRequest('s', 8)).not.toBe(null);
  });
});

describe('a commit that the disk refuses', () => {
  test('leaves the store as it was, and the next one works', () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'convex.sqlite3');
    const store = Store.open(path);
    write(store, (transaction) => transaction.insert('t', { n: 0 }));
    const { lastTs } = store;
    const failing = store.begin();
    failing.insert('t', { n: 1 });
    failing.insert('fresh', {});
    const request = { sessionId: 's', requestId: 1, result: 'null', logLines: [] };
    failing.commit({ request });
    const twice = store.begin();
    twice.insert('t', { n: 2 });
    twice.insert('other', {});
    // The same request again breaks a constraint in the middle of the commit.
    expect(() => twice.commit({ request })).toThrow(StoreError);
    expect(() => twice.get('x')).toThrow('decode');
    twice.close();
    expect(store.tableCounts()).toEqual({ t: 2, fresh: 1 });
    expect(store.lastTs).toBeGreaterThan(lastTs);
    write(store, (transaction) => transaction.insert('other', { n: 3 }));
    store.close();
    const reopened = Store.open(path);
    expect(reopened.tableCounts()).toEqual({ t: 2, fresh: 1, other: 1 });
    reopened.close();
  });
});

function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}
