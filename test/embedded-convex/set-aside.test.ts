import { copyFileSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { loadFunctions } from '../../src/embedded-convex/runtime/bundle.ts';
import type { SetAside } from '../../src/embedded-convex/set-aside.ts';
import { Store } from '../../src/embedded-convex/store.ts';
import { walDamage } from '../../src/embedded-convex/wal-damage.ts';
import { openExecutor } from '../../src/embedded-convex/worker-executor.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { functionsFolder } from './support/backend.ts';
import { write } from './support/memory-store.ts';

const ROWS = 300;
const COMMITS = 20;
const functions = { code: await loadFunctions({ folder: functionsFolder }) };

describe('a database is set aside, and a new one begun, when', () => {
  const changes: Array<[string, (path: string) => void]> = [
    ['its header is overwritten', (path) => overwrite(path, 0, Buffer.alloc(100, 0xab))],
    [
      'a page in its middle is overwritten',
      (path) => overwrite(path, 0.5, Buffer.alloc(20_000, 7)),
    ],
    ['it is cut off', (path) => truncateSync(path, readFileSync(path).length / 2)],
    ['it is empty', (path) => truncateSync(path, 0)],
    [
      'it is something else',
      (path) => writeFileSync(path, 'no database, but dear to me'.repeat(99)),
    ],
    ['what it must always hold is gone', (path) => sql(path, 'DELETE FROM meta')],
  ];
  test.each(changes)('%s', async (_, damage) => {
    using folder = temporaryFolder();
    const path = filled(folder.path);
    damage(path);
    const damaged = readFileSync(path);
    const { setAside, rows } = await openAndCount(path);
    expect(rows).toEqual({ messages: 0 });
    expect(setAside?.file).toMatch(/data\.sqlite\.damaged-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ$/);
    expect(setAside?.reason).toMatch(/^The database file is damaged/);
    expect(readFileSync(setAside?.file ?? '')).toEqual(damaged);
    // Said once: the new one is whole.
    expect(await openAndCount(path)).toEqual({ setAside: null, rows: { messages: 0 } });
  });

  test('its log is damaged before its end', async () => {
    using folder = temporaryFolder();
    const path = killed(folder.path);
    flipByte(`${path}-wal`, 0.5);
    const log = readFileSync(`${path}-wal`);
    const { setAside, rows } = await openAndCount(path);
    expect(rows).toEqual({ messages: 0 });
    expect(setAside?.reason).toContain(`${path}-wal (a frame at byte `);
    expect(readFileSync(`${setAside?.file}-wal`)).toEqual(log);
  });

  test('the header of its log is damaged', async () => {
    using folder = temporaryFolder();
    const path = killed(folder.path);
    overwrite(`${path}-wal`, 0, Buffer.alloc(16));
    expect((await openAndCount(path)).setAside?.reason).toContain('-wal (the header');
  });

  test('it is empty but has a log', async () => {
    using folder = temporaryFolder();
    const path = killed(folder.path);
    truncateSync(path, 0);
    const { setAside } = await openAndCount(path);
    expect(readFileSync(`${setAside?.file}-wal`).length).toBeGreaterThan(0);
  });
});

test('two that are set aside in the same second have names of their own', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'data.sqlite');
  const files = new Set<string | undefined>();
  for (const text of ['one', 'two', 'three']) {
    writeFileSync(path, text.repeat(999));
    files.add((await openAndCount(path)).setAside?.file);
  }
  expect([...files].map((file) => readFileSync(file ?? '', 'utf8').slice(0, 5))).toEqual([
    'oneon',
    'twotw',
    'three',
  ]);
});

test('the new one begins after every timestamp that a client may have seen', async () => {
  using folder = temporaryFolder();
  const path = filled(folder.path);
  const store = Store.open(path);
  const before = store.lastTs;
  store.close();
  overwrite(path, 0, Buffer.alloc(100));
  await openAndCount(path);
  const fresh = Store.open(path);
  expect(fresh.lastTs).toBeGreaterThanOrEqual(before);
  fresh.close();
});

describe('a database stays where it is when', () => {
  test('its log was cut off by a crash, in the middle of a commit', async () => {
    using folder = temporaryFolder();
    const path = killed(folder.path);
    truncateSync(`${path}-wal`, readFileSync(`${path}-wal`).length - 3000);
    expect(walDamage(`${path}-wal`)).toBe(null);
    // The commit that was cut off had not been acknowledged.
    expect(await openAndCount(path)).toEqual({ setAside: null, rows: { messages: ROWS - 1 } });
  });

  test('another process uses it', async () => {
    using folder = temporaryFolder();
    const path = filled(folder.path);
    const other = Store.open(path);
    write(other, (transaction) => transaction.insert('messages', { room: 'r', body: 'b' }));
    // As if it were looked at in the middle of being written.
    overwrite(`${path}-wal`, 0, Buffer.alloc(16));
    expect(await failure(path)).toMatchObject({ code: 'DatabaseInUse' });
    other.close();
    expect(readdirSync(folder.path)).toEqual(['data.sqlite']);
  });

  test('it is of another program', async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'data.sqlite');
    sql(path, 'CREATE TABLE mine (a)');
    expect(await failure(path)).toMatchObject({ code: 'DatabaseForeign' });
    expect(readdirSync(folder.path)).toEqual(['data.sqlite']);
  });

  test('its path is a directory', async () => {
    using folder = temporaryFolder();
    expect(await failure(folder.path)).toMatchObject({ code: 'DatabaseUnreadable' });
  });
});

/** A closed database with rows, and no log. */
function filled(folder: string): string {
  const path = join(folder, 'data.sqlite');
  const store = Store.open(path);
  fill(store);
  store.close();
  return path;
}

/** As kill -9 leaves it: all commits are in the log. */
function killed(folder: string): string {
  const path = join(folder, 'data.sqlite');
  const original = join(folder, 'original.sqlite');
  const store = Store.open(original);
  fill(store);
  for (const end of ['', '-wal']) copyFileSync(`${original}${end}`, `${path}${end}`);
  store.close();
  return path;
}

/** In some commits of many rows, and as many again of one. */
function fill(store: Store): void {
  const rows = Array.from({ length: ROWS }, (_, n) => ({ room: 'r', body: `${n}`.repeat(100) }));
  const size = ROWS / COMMITS - 1;
  for (let at = 0; at < size * COMMITS; at += size) insert(store, rows.slice(at, at + size));
  for (const row of rows.slice(size * COMMITS)) insert(store, [row]);
}

function insert(store: Store, rows: { room: string; body: string }[]): void {
  write(store, (transaction) => {
    for (const row of rows) transaction.insert('messages', row);
  });
}

/** `at`: where, as a part of the file. */
function overwrite(path: string, at: number, bytes: Buffer): void {
  const content = readFileSync(path);
  bytes.copy(content, Math.floor(content.length * at));
  writeFileSync(path, content);
}

function flipByte(path: string, at: number): void {
  const content = readFileSync(path);
  const position = Math.floor(content.length * at);
  content.writeUInt8((content[position] ?? 0) ^ 0xff, position);
  writeFileSync(path, content);
}

function sql(path: string, text: string): void {
  const database = new DatabaseSync(path);
  database.exec(text);
  database.close();
}

async function openAndCount(path: string) {
  let setAside: SetAside | null = null;
  const executor = await openExecutor({
    databasePath: path,
    functions,
    onSetAside: (damaged) => (setAside = damaged),
  });
  const rows = await executor.tableCounts();
  await executor.close();
  // The callback has set it, which the compiler cannot see.
  return { setAside: setAside as SetAside | null, rows };
}

/** Of the opening, which must fail. */
async function failure(path: string): Promise<unknown> {
  const [result] = await Promise.allSettled([openAndCount(path)]);
  return result.status === 'rejected' ? result.reason : new Error('It opened');
}
