import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LogFile, logFilePath, olderLogFile } from '../src/log-file.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

test('at most two files of the limit are kept, the newest lines last, for their owner alone', () => {
  using home = temporaryFolder();
  const path = logFilePath(home.path);
  const file = new LogFile(path, 100);
  for (let n = 0; n < 50; n += 1) file.write(`line ${n}\n`);
  const both = [olderLogFile(path), path].map((name) => readFileSync(name, 'utf8'));
  expect(both.every((text) => text.length <= 100)).toBe(true);
  const lines = both.join('').trim().split('\n');
  expect(lines.at(-1)).toBe('line 49');
  expect(lines).toEqual(
    Array.from({ length: lines.length }, (_, n) => `line ${50 - lines.length + n}`),
  );
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('the next life goes on where the last one ended, within the same limit', () => {
  using home = temporaryFolder();
  const path = logFilePath(home.path);
  new LogFile(path, 20).write('first life\n');
  new LogFile(path, 20).write('second life\n');
  expect(readFileSync(olderLogFile(path), 'utf8')).toBe('first life\n');
  expect(readFileSync(path, 'utf8')).toBe('second life\n');
});

test('a place that cannot be written loses lines, and is tried again', () => {
  using home = temporaryFolder();
  writeFileSync(join(home.path, 'logs'), 'a file');
  const file = new LogFile(logFilePath(home.path));
  expect(() => file.write('lost\n')).not.toThrow();
  rmSync(join(home.path, 'logs'));
  mkdirSync(join(home.path, 'logs'));
  file.write('kept\n');
  expect(readFileSync(logFilePath(home.path), 'utf8')).toBe('kept\n');
});
