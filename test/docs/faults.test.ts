import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

test.each([
  ['docs/sync/faults.md', 49],
  ['docs/security.md', 19],
])('every test that %s names exists', (name, rows) => {
  // What stands before the threats says what is exposed, and names no tests.
  const page = readFileSync(join(root, name), 'utf8').split('## Threats').at(-1) ?? '';
  const cells = page
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\| (?:---|fault |threat )/.test(line))
    .map((line) => line.split(' | ').at(-1) ?? '');
  const titles = cells.flatMap((cell) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, title]) => title),
  );
  expect(cells.length).toBe(rows);
  expect(titles.length).toBeGreaterThanOrEqual(cells.length);
  const tests = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => readFileSync(join(root, 'test', name), 'utf8'));
  const missing = titles.filter(
    (title) =>
      !tests.some((text) => [`'${title}'`, `"${title}"`].some((quoted) => text.includes(quoted))),
  );
  expect(missing).toEqual([]);
});
