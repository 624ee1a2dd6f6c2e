import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

test('every test that the page of faults names exists', () => {
  const page = readFileSync(join(root, 'docs/sync/faults.md'), 'utf8');
  const cells = page
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\| (?:---|fault )/.test(line))
    .map((line) => line.split(' | ').at(-1) ?? '');
  const titles = cells.flatMap((cell) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, title]) => title),
  );
  expect(cells.length).toBe(19);
  expect(titles.length).toBeGreaterThanOrEqual(cells.length);
  const tests = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => readFileSync(join(root, 'test', name), 'utf8'));
  const missing = titles.filter((title) => !tests.some((text) => text.includes(`'${title}'`)));
  expect(missing).toEqual([]);
});
