import { utimesSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { driverChoice } from '../../../src/actors/codex-process/driver-choice.ts';
import { probeAppServer } from '../../../src/actors/codex-process/probe-app-server.ts';
import { childEnvironment } from '../../../src/actors/codex-process/child-environment.ts';
import { shellProgram } from '../../support/codex-process.ts';
import { codexBin as realCodex } from '../../support/scripted-model/codex-home.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { processGone } from '../../support/daemon-process.ts';
import { until } from '../../support/until.ts';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => void (folder = temporaryFolder()));
afterEach(() => folder[Symbol.dispose]());

function choice(codexBin: string, codexArgs: string[] = [], codexDriver = 'auto' as const) {
  const pids: number[] = [];
  const guard = {
    add: (_runId: string, pid: number) => Promise.resolve(void pids.push(pid)),
    remove: () => {},
  };
  const env = childEnvironment(process.env, folder.path);
  const details: Record<string, string>[] = [];
  const log = (_: string, said: Record<string, string>) => void details.push(said);
  const { choose } = driverChoice({ codexBin, codexArgs, codexDriver }, { env, guard }, log);
  return { choose, pids, details };
}

/** Also as a zombie it has its number. */
function isReaped(pid: number): boolean {
  try {
    return !process.kill(pid, 0);
  } catch {
    return true;
  }
}

/** Answers each request with this refusal. */
function refusing(refusal: string): string {
  return shellProgram(
    folder.path,
    'while read -r line; do',
    `  id=$(echo "$line" | sed -n 's/^{"id":\\([0-9]*\\),.*/\\1/p')`,
    '  case $line in',
    `  *initialize\\"*) echo "{\\"id\\":$id,\\"result\\":{}}" ;;`,
    `  *) echo "{\\"id\\":$id,\\"error\\":{\\"code\\":-32600,\\"message\\":\\"${refusal}\\"}}" ;;`,
    '  esac',
    'done',
  );
}

test('the real Codex is found to have all that is needed, and is asked once', async () => {
  const { choose, pids } = choice(realCodex);
  expect(await Promise.all([choose(), choose()])).toEqual(['app-server', 'app-server']);
  expect(pids).toHaveLength(1);
});

test('one that lacks a method or a field is run by exec, until it is replaced', async () => {
  const program = refusing('unknown variant');
  const { choose, pids } = choice(program);
  expect(await choose()).toBe('exec');
  expect(await choose()).toBe('exec');
  expect(pids).toHaveLength(1);
  utimesSync(program, 1, 1);
  expect(await choose()).toBe('exec');
  expect(pids).toHaveLength(2);
});

test('one that knows the methods and not the field by which a prompt is found lacks that', async () => {
  const env = childEnvironment(process.env, folder.path);
  const guard = { add: () => Promise.resolve(), remove: () => {} };
  const bin = refusing('missing field threadId');
  expect(await probeAppServer({ bin, env, guard })).toBe('clientUserMessageId');
});

test('one that is silent, ignores signals and leaves children behind is given up, and ended', async () => {
  const bin = shellProgram(folder.path, `trap '' INT TERM HUP`, 'sleep 300 & sleep 300');
  const env = childEnvironment(process.env, folder.path);
  const pids: number[] = [];
  const guard = {
    add: (_runId: string, pid: number) => Promise.resolve(void pids.push(pid)),
    remove: () => {},
  };
  await expect(probeAppServer({ bin, env, guard }, 300)).rejects.toThrow('Codex has ended');
  expect(await processGone(pids[0] ?? 0)).toBe(true);
});

test('one that ends at once is run by exec, and the log has the words in which it said why', async () => {
  const bin = shellProgram(folder.path, 'echo "Error: no home of Codex" >&2', 'exit 1');
  const { choose, details } = choice(bin);
  expect(await choose()).toBe('exec');
  expect(details).toEqual([{ program: bin, reason: 'Error: no home of Codex' }]);
});

test('one that has ended before the ledger knew of it is heard all the same', async () => {
  const bin = shellProgram(folder.path, 'echo "Error: no home of Codex" >&2', 'exit 1');
  const env = childEnvironment(process.env, folder.path);
  const guard = {
    add: (_runId: string, pid: number) => until('we know that it has ended', () => isReaped(pid)),
    remove: () => {},
  };
  await expect(probeAppServer({ bin, env, guard })).rejects.toThrow('Error: no home of Codex');
});

test('one that ends in the middle of the questions has not shown a lack: it is asked again', async () => {
  const bin = shellProgram(folder.path, 'read -r line', `echo '{"id":1,"result":{}}'`);
  const { choose, pids } = choice(bin);
  expect(await choose()).toBe('exec');
  expect(await choose()).toBe('exec');
  expect(pids).toHaveLength(2);
});

test('one that cannot be written down is ended all the same', async () => {
  const bin = shellProgram(folder.path, 'sleep 300');
  const env = childEnvironment(process.env, folder.path);
  const pids: number[] = [];
  const guard = {
    add: (_runId: string, pid: number) => {
      pids.push(pid);
      return Promise.reject(new Error('the disk is full'));
    },
    remove: () => {},
  };
  await expect(probeAppServer({ bin, env, guard })).rejects.toThrow('the disk is full');
  expect(await processGone(pids[0] ?? 0)).toBe(true);
});

test('no program, or arguments that only exec takes: exec', async () => {
  expect(await choice('no-such-codex').choose()).toBe('exec');
  const { choose, pids } = choice(realCodex, ['--search']);
  expect(await choose()).toBe('exec');
  expect(pids).toEqual([]);
  expect(await choice(realCodex, ['-c', 'a=1', '--enable', 'b']).choose()).toBe('app-server');
});

test('a driver that is asked for is taken, unless the arguments speak against it', async () => {
  const asked = { codexBin: 'no-such-codex', codexDriver: 'app-server' } as const;
  const outside = { env: {}, guard: { add: () => Promise.resolve(), remove: () => {} } };
  const fitting = driverChoice({ ...asked, codexArgs: [] }, outside, () => {});
  expect(await fitting.choose()).toBe('app-server');
  const wrong = driverChoice({ ...asked, codexArgs: ['--search'] }, outside, () => {});
  await expect(wrong.choose()).rejects.toMatchObject({ code: 'config_invalid' });
});
