import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { signalGroup } from '../../../src/actors/codex-process/kill-tree.ts';
import {
  descendantsOf,
  findProcess,
  listProcesses,
} from '../../../src/actors/codex-process/process-table.ts';
import { startReaper, type Reaper } from '../../../src/actors/codex-process/reaper.ts';
import { RunsLedger } from '../../../src/actors/codex-process/runs-ledger.ts';
import { shellProgram } from '../../support/codex-process.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { until } from '../../support/until.ts';

let folder: ReturnType<typeof temporaryFolder>;
let groups: number[];
beforeEach(() => {
  folder = temporaryFolder();
  groups = [];
});
afterEach(async () => {
  for (const group of groups) signalGroup(group, 'SIGKILL');
  // So that the next test, which looks at our children, does not meet it.
  for (const group of groups) await until(`${group} is gone`, async () => await isGone(group));
  folder[Symbol.dispose]();
});

const isGone = async (pid: number) => (await findProcess(pid)) === undefined;
const stubborn = [`trap '' INT TERM`, 'while :; do sleep 0.05; done'];

/** A program in a group of its own, as Codex runs; ready when it has printed its first line. */
async function detached(...lines: string[]): Promise<number> {
  const child = spawn(shellProgram(folder.path, 'echo up', ...lines), {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  groups.push(child.pid ?? 0);
  await once(child.stdout, 'data');
  return child.pid ?? 0;
}

test('no Codex outlives a bridge that is killed with SIGKILL', async () => {
  const entry = fileURLToPath(new URL('../../support/bridge-with-reaper.ts', import.meta.url));
  const program = shellProgram(folder.path, 'exec sleep 300');
  const bridge = spawn(process.execPath, [entry, join(folder.path, 'ledger.json'), program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(createInterface({ input: bridge.stdout }), 'line');
  const { child } = JSON.parse(line);
  groups.push(child);
  expect(await isGone(child)).toBe(false);
  bridge.kill('SIGKILL');
  await until('the child is gone', async () => await isGone(child));
});

describe('the reaper', () => {
  let reaper: Reaper;
  afterEach(async () => await reaper.close());

  test('ends what is registered when its pipe ends, by force if it must', async () => {
    reaper = startReaper(1);
    const gentle = await detached('exec sleep 300');
    const hard = await detached(...stubborn);
    reaper.add(gentle);
    reaper.add(hard);
    await reaper.close();
    expect(await isGone(gentle)).toBe(true);
    expect(await isGone(hard)).toBe(true);
  });

  test('leaves alone what was taken off its list', async () => {
    reaper = startReaper(1);
    const kept = await detached('exec sleep 300');
    const ended = await detached('exec sleep 300');
    reaper.add(kept);
    reaper.add(ended);
    reaper.remove(kept);
    await reaper.close();
    expect(await isGone(ended)).toBe(true);
    expect(await isGone(kept)).toBe(false);
  });

  test('is replaced when it is killed itself, and knows the list again', async () => {
    reaper = startReaper(1);
    const child = await detached('exec sleep 300');
    reaper.add(child);
    const own = async () =>
      descendantsOf(process.pid, await listProcesses()).filter(
        ({ pid, group }) => pid === group && pid !== child,
      );
    const [first] = await own();
    process.kill(first?.pid ?? 0, 'SIGKILL');
    await until('another is there', async () => {
      const [second] = await own();
      return second !== undefined && second.pid !== first?.pid;
    });
    await reaper.close();
    expect(await isGone(child)).toBe(true);
  });
});

describe('the ledger', () => {
  const file = () => join(folder.path, 'home', 'runs-ledger.json');

  test('lets the next life end what the last one has left', async () => {
    const pid = await detached(...stubborn);
    await new RunsLedger(file()).add('r1', pid);
    expect(await new RunsLedger(file()).settle(200)).toEqual({ ended: ['r1'] });
    await until('it is gone', async () => await isGone(pid));
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toEqual([]);
  });

  test('does not touch another process that got the same id', async () => {
    const pid = await detached('exec sleep 300');
    await new RunsLedger(file()).add('r1', pid);
    const [entry] = JSON.parse(readFileSync(file(), 'utf8'));
    writeFileSync(file(), JSON.stringify([{ ...entry, startedAt: 'another time' }]));
    expect(await new RunsLedger(file()).settle(200)).toEqual({ ended: [] });
    expect(await isGone(pid)).toBe(false);
  });

  test('forgets a process that has ended', async () => {
    const ledger = new RunsLedger(file());
    const pid = await detached('exec sleep 300');
    await ledger.add('r1', pid);
    ledger.remove(pid);
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toEqual([]);
  });

  test('that is missing or damaged ends nothing and is written anew', async () => {
    expect(await new RunsLedger(file()).settle()).toEqual({ ended: [] });
    writeFileSync(file(), '[{"pid":');
    expect(await new RunsLedger(file()).settle()).toEqual({ ended: [] });
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toEqual([]);
  });
});
