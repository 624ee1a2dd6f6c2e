import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RunsLedger } from '../../../src/actors/codex-process/runs-ledger.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let folder: ReturnType<typeof temporaryFolder>;
let file: string;

beforeEach(() => {
  folder = temporaryFolder();
  file = join(folder.path, 'runs-ledger.json');
});

afterEach(() => folder[Symbol.dispose]());

const written = (): unknown => JSON.parse(readFileSync(file, 'utf8'));

test('names the processes that go on, and no other', async () => {
  const ledger = new RunsLedger(file);
  await ledger.add('r1', process.pid);
  await ledger.add('r2', process.ppid);
  expect(written()).toMatchObject([{ runId: 'r1' }, { runId: 'r2' }]);
  ledger.remove(process.pid);
  expect(written()).toMatchObject([{ runId: 'r2', pid: process.ppid }]);
});

test('that cannot be written says so when a run begins, never when it ends, and goes on after', async () => {
  const ledger = new RunsLedger(file);
  // As a full disk: what is to replace the file cannot.
  mkdirSync(join(file, 'in the way'), { recursive: true });
  await expect(ledger.add('r1', process.pid)).rejects.toThrow(/runs-ledger/);
  ledger.remove(process.pid);
  rmSync(file, { recursive: true });
  await ledger.add('r2', process.ppid);
  expect(written()).toMatchObject([{ runId: 'r2' }]);
});
