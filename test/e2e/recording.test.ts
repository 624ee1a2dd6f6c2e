/** `oa-bridge record` and `replay`: a real daemon at work, and its machines again without it. */
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBusyDaemon, type BusyDaemon } from '../support/busy-daemon.ts';
import { openUrl } from '../support/browser.ts';
import { commandLine } from '../support/command-line.ts';
import { hold, say, shell } from '../support/scripted-model/script.ts';

let daemon: BusyDaemon;
let file: string;

beforeAll(async () => {
  daemon = await startBusyDaemon([
    [say('Answer of the model.'), shell('echo printed by a command'), hold('gate')],
    [say('Ended.')],
  ]);
  file = join(daemon.folder, 'recording.jsonl');
});

afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
});

test('a daemon at work is recorded until Ctrl-C', async () => {
  const recording = commandLine(daemon.folder, ['record', '--out', file], daemon.env);
  // Told when it is being told everything.
  await once(recording.stderr, 'data');
  const bridge = await daemon.connect();
  const isOver = new Promise<void>((resolve) => {
    bridge.on('bridge.run', ({ state }) => state === 'completed' && resolve());
  });
  await daemon.submit();
  await daemon.model.reached('gate');
  daemon.model.release('gate');
  await isOver;
  const isBack = new Promise<void>((resolve) => {
    let wasAway = false;
    bridge.on('bridge.convex_status', ({ state }) => {
      wasAway ||= state === 'backingOff';
      if (wasAway && state === 'online') resolve();
    });
  });
  await daemon.killBackend();
  await isBack;
  bridge.close();
  recording.kill('SIGINT');
  expect(await recording).toMatchObject({ exitCode: 0, stdout: file });
});

const replay = (...args: string[]) => commandLine(daemon.folder, ['replay', ...args], daemon.env);

test('the machines go the same way again, over a run and a killed backend', async () => {
  const { exitCode, stdout } = await replay(file);
  expect(stdout).toMatch(/work\.starting.* → running\.work\.turn/);
  expect(stdout).toMatch(/work\.settling.* → completed \(done\)/);
  expect(stdout).toMatch(/convex +online → backingOff/);
  expect(stdout).toMatch(/convex +starting\.deploying → online/);
  expect(stdout).toMatch(/: the same states\.$/);
  expect(exitCode).toBe(0);
});

test('the recording holds neither what was said nor a secret, and is its owner’s alone', () => {
  const text = readFileSync(file, 'utf8');
  for (const said of ['What is in', 'Answer of', 'printed by', 'Ended.', daemon.token]) {
    expect(text).not.toContain(said);
  }
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('a machine that goes elsewhere is told with the line, and the exit code is 1', async () => {
  const other = join(daemon.folder, 'other.jsonl');
  const lines = readFileSync(file, 'utf8').split('\n');
  const at = lines.findIndex((line) => line.includes('"value":"backingOff"'));
  lines[at] = lines[at]?.replace('"value":"backingOff"', '"value":"failed"') ?? '';
  writeFileSync(other, lines.join('\n'));
  const { exitCode, stdout } = await replay(other);
  expect(stdout).toContain(`line ${at + 1}: recorded was failed`);
  expect(exitCode).toBe(1);
});

test('a file that is no recording is refused', async () => {
  const { exitCode, stderr } = await replay(join(daemon.folder, 'codex', 'config.toml'));
  expect(stderr).toContain('[recording_invalid]');
  expect(exitCode).toBe(1);
});

test('the replay can be seen in the inspector, and gone back through', async () => {
  const inspect = replay(file, '--inspect');
  const url = await addressOf(inspect);
  await using browser = await openUrl(url, { width: 1440, height: 900 });
  const { page } = browser;
  await page.getByRole('status').getByText('recording').waitFor();
  await page.getByRole('treeitem', { name: /^convex;/ }).click();
  await page.locator('.statechart [data-state="online"].active').waitFor();
  await page.getByRole('searchbox').fill('convex');
  await page.getByRole('button', { name: 'online → backingOff' }).click();
  await page.locator('.statechart [data-state="backingOff"].active').waitFor();
  expect(browser.errors).toEqual([]);
  inspect.kill('SIGINT');
  expect((await inspect).exitCode).toBe(0);
});

function addressOf(command: ReturnType<typeof commandLine>): Promise<string> {
  return new Promise((resolve) => {
    createInterface({ input: command.stdout }).on('line', (line) => {
      if (line.startsWith('http://127.0.0.1')) resolve(line);
    });
  });
}
