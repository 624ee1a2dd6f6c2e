import { execa } from 'execa';
import { expect, test } from 'vitest';
import {
  descendantsOf,
  findProcess,
  listProcesses,
  parsePsLine,
  parseStat,
} from '../../../src/actors/codex-process/process-table.ts';

test('a name with spaces and brackets does not shift the fields of /proc', () => {
  const rest = Array.from({ length: 20 }, (_, index) => String(100 + index)).join(' ');
  const row = parseStat(7, `7 (a) b (c)) S 1 5 ${rest}`);
  expect(row).toEqual({ pid: 7, parent: 1, group: 5, startedAt: '116' });
});

test('a zombie is no process any more', () => {
  const rest = '0 '.repeat(20);
  expect(parseStat(7, `7 (sh) Z 1 5 ${rest}`)).toBeUndefined();
  expect(parsePsLine('  7     1     5 Z+   Mon Nov 23 20:00:00 2026')).toEqual([]);
});

test('a line of ps is read with its start time whole', () => {
  expect(parsePsLine('  712     1   712 Ss   Mon Nov 23 20:00:00 2026 ')).toEqual([
    { pid: 712, parent: 1, group: 712, startedAt: 'Mon Nov 23 20:00:00 2026' },
  ]);
  expect(parsePsLine('')).toEqual([]);
});

test('descendants are all below, not the process itself, not its siblings', () => {
  const row = (pid: number, parent: number) => ({ pid, parent, group: pid, startedAt: '' });
  const table = [row(1, 0), row(2, 1), row(3, 2), row(4, 3), row(5, 1)];
  expect(descendantsOf(2, table).map(({ pid }) => pid)).toEqual([3, 4]);
});

test.skipIf(process.platform === 'win32')('this machine’s own processes are found', async () => {
  const child = execa('sleep', ['300'], { reject: false });
  const pid = child.pid ?? 0;
  const found = await findProcess(pid);
  expect(found).toMatchObject({ pid, parent: process.pid });
  expect(descendantsOf(process.pid, await listProcesses())).toContainEqual(found);
  child.kill();
  await child;
  expect(await findProcess(pid)).toBeUndefined();
});
