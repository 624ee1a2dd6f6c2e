import { beforeEach, describe, expect, test } from 'vitest';
import { SessionFiles, type StoredCursor } from '../../../src/actors/sessions/session-files.ts';

const A = '/s/a.jsonl';
const MTIME_MS = 1_700_000_000_000;
const facts = (size: number, { mtime = MTIME_MS, ino = 7n } = {}) => ({
  size: BigInt(size),
  mtimeNs: BigInt(mtime) * 1_000_000n,
  ino,
  dev: 1n,
});
const cursor = (offset: number, more: Partial<StoredCursor> = {}): StoredCursor => ({
  path: A,
  fingerprint: '',
  device: '1',
  inode: '7',
  offset,
  tailHash: '',
  generation: 0,
  quarantine: [],
  parserVersion: 1,
  ...more,
});
const quarantined = { offset: 0, length: 5, sha256: '', reason: '', parserVersion: 1 };

let files: SessionFiles;
beforeEach(() => {
  files = new SessionFiles(1);
});

describe('of several files of a thread', () => {
  const nameAt = (time: string) => `rollout-${time}-019b7000-0000-7000-8000-000000000001.jsonl`;
  const here = `/s/1/${nameAt('T00')}`;
  const there = `/s/2/${nameAt('T00')}`;
  const renamed = `/s/2/${nameAt('T01')}`;

  test('those that are there are told before those that are gone', () => {
    files.restore([cursor(100, { path: here })]);
    expect(files.missed()).toEqual([here]);
    files.see(renamed, facts(100));
    expect(files.untold(here)).toEqual([renamed]);
    files.committed(renamed, cursor(100, { path: renamed }), 0);
    expect(files.untold(renamed)).toEqual([here]);
    files.committed(here, cursor(100, { path: here, deleted: true }), 0);
    expect(files.untold(renamed)).toEqual([]);
  });

  test('one that is back, or empty when the thread is known, is behind', () => {
    files.restore([cursor(100, { path: here, deleted: true })]);
    expect(files.see(here, facts(100))).toBe(true);
    expect(files.see(there, facts(0))).toBe(true);
  });

  test('a new one may go on from the furthest of its name', () => {
    files.restore([
      cursor(100, { path: here }),
      cursor(900, { path: renamed }),
      cursor(50, { path: `${there}.zst`, generation: 1 }),
    ]);
    expect(files.cursorElsewhere(there)?.path).toBe(`${there}.zst`);
    expect(files.cursorElsewhere(A)).toBeUndefined();
  });
});

test.each([
  ['as its cursor says', cursor(100), facts(100), false],
  ['longer than its cursor says', cursor(60), facts(100), true],
  ['shorter than its cursor says', cursor(160), facts(100), true],
  ['another inode', cursor(100), facts(100, { ino: 8n }), true],
  ['changed after the cursor moved', cursor(100, { updatedAt: MTIME_MS - 1 }), facts(100), true],
  ['not changed after the cursor moved', cursor(100, { updatedAt: MTIME_MS }), facts(100), false],
  [
    'with lines that this parser set aside',
    cursor(100, { quarantine: [quarantined] }),
    facts(100),
    false,
  ],
])('a file met for the first time that is %s', (_, stored, seen, isBehind) => {
  files.restore([stored]);
  expect(files.see(A, seen)).toBe(isBehind);
  expect(files.isBehind(A)).toBe(isBehind);
  expect(files.counts).toMatchObject({ known: 1, behind: isBehind ? 1 : 0 });
});

test('a cursor goes back to Convex as it came, without the time that Convex added', () => {
  files.restore([cursor(100, { updatedAt: 1 })]);
  expect(files.cursor(A)).toEqual(cursor(100));
});

test('lines that an older parser set aside make a file worth reading', () => {
  files = new SessionFiles(2);
  files.restore([cursor(100, { quarantine: [quarantined] })]);
  expect(files.see(A, facts(100))).toBe(true);
  expect(files.counts).toMatchObject({ behind: 1, quarantined: 1 });
});

test('an empty file nobody knows is not behind', () => {
  expect(files.see(A, facts(0))).toBe(false);
  expect(files.see(A, facts(10))).toBe(true);
});

test('a change that is noticed while the file is read makes it behind again', () => {
  files.see(A, facts(100));
  const notices = files.notices(A);
  files.notice(A);
  files.finished(A, facts(100), notices);
  expect(files.isBehind(A)).toBe(true);
  files.finished(A, facts(100), files.notices(A));
  expect(files.isBehind(A)).toBe(false);
});

test('the sums follow every change', () => {
  files.see(A, facts(100));
  files.see('/s/b.jsonl', facts(50));
  expect(files.counts).toMatchObject({ known: 2, behind: 2, bytesPending: 150, bytesRead: 0 });
  files.committed(A, cursor(80, { quarantine: [quarantined] }), 80);
  expect(files.counts).toMatchObject({ bytesPending: 70, bytesRead: 80, quarantined: 1 });
  // A torn line is pending, but there is nothing to do about it.
  files.finished(A, facts(100), 0);
  expect(files.counts).toMatchObject({ behind: 1, bytesPending: 70 });
  files.remove('/s/b.jsonl');
  expect(files.counts).toMatchObject({ known: 1, behind: 0, bytesPending: 20 });
  files.clear();
  expect(files.counts).toMatchObject({ known: 0, bytesPending: 0, quarantined: 0, bytesRead: 80 });
});

test('a file that comes back goes on where it stood', () => {
  files.see(A, facts(100));
  files.committed(A, cursor(100), 100);
  files.remove(A);
  expect(files.see(A, facts(100))).toBe(false);
  expect(files.cursor(A)?.offset).toBe(100);
});

test('what a sweep does not meet is told', () => {
  files.see(A, facts(1));
  files.beginPass();
  files.see('/s/b.jsonl', facts(1));
  expect(files.unseen()).toEqual([A]);
});
