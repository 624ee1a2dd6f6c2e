import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { StoreError, translateError } from '../../src/embedded-convex/store-error.ts';

// Extended codes carry the primary one in their low byte, https://www.sqlite.org/rescode.html
test.each([
  ['SQLITE_CORRUPT', 11, 'DatabaseCorrupt'],
  ['SQLITE_CORRUPT_INDEX', 779, 'DatabaseCorrupt'],
  ['SQLITE_NOTADB', 26, 'DatabaseCorrupt'],
  ['SQLITE_BUSY', 5, 'DatabaseInUse'],
  ['SQLITE_FULL', 13, 'DiskFull'],
  ['SQLITE_IOERR_FSYNC', 1034, 'DatabaseUnreadable'],
  ['SQLITE_CANTOPEN', 14, 'DatabaseUnreadable'],
  ['SQLITE_READONLY', 8, 'DatabaseUnreadable'],
  ['SQLITE_CONSTRAINT', 19, 'DatabaseFailed'],
])('%s becomes a StoreError that names the file', (name, errcode, code) => {
  const thrown = Object.assign(new Error(name), { errcode });
  const error = translateError('/data/convex.sqlite3', thrown);
  expect(error).toBeInstanceOf(StoreError);
  expect(error).toMatchObject({
    code,
    cause: thrown,
    message: expect.stringContaining(`/data/convex.sqlite3 (${name})`),
  });
});

test('what node:sqlite really throws has such a code', () => {
  using database = new DatabaseSync(':memory:');
  database.exec('CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)');
  let thrown: unknown;
  try {
    database.exec('INSERT INTO t VALUES (1)');
  } catch (error) {
    thrown = error;
  }
  expect(translateError('file', thrown)).toMatchObject({ code: 'DatabaseFailed' });
});

test('other errors stay what they are', () => {
  const error = new TypeError('x');
  expect(translateError('file', error)).toBe(error);
});
