/** `oa-bridge backfill` as a person or a script runs it, against a real daemon. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { backfillFrame } from '../../src/control/frames.ts';
import { followBackfills, oldSessions } from '../support/backfills.ts';
import { commandLine, firstOutput } from '../support/command-line.ts';
import { startDaemonProcess, type DaemonProcess } from '../support/daemon-process.ts';
import { descendant, isAlive } from '../support/processes.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let folder: ReturnType<typeof temporaryFolder>;
let daemon: DaemonProcess;

beforeAll(async () => {
  folder = temporaryFolder();
  oldSessions(join(folder.path, 'codex'), 80, 3);
  daemon = await startDaemonProcess({
    folder: folder.path,
    env: { OPENAGENTS_CONVEX_SYNC: '0' },
  });
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const run = (...args: string[]) =>
  commandLine(folder.path, ['backfill', ...args], {
    OPENAGENTS_BIND: new URL(daemon.controlUrl).host,
    OPENAGENTS_BRIDGE_TOKEN: daemon.token,
  });

test('where nobody watches, it writes lines, then what was imported, and ends with 0', async () => {
  const { exitCode, stdout, stderr } = await run('--limit', '2');
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^Done\. 2 of 2 files, 0\.\d MB; \d+ messages new, 0 known\.$/);
  const again = await run('--limit', '2');
  expect([again.exitCode, again.stdout]).toEqual([
    0,
    expect.stringMatching(/^Done\. .*nothing in them is new\.$/),
  ]);
  const none = await run('--path', join(folder.path, 'openagents'));
  expect([none.exitCode, none.stdout]).toEqual([0, 'Done. There is no such session file.']);
  expect(stderr).toContain('scanning: looking at the files\n');
  expect(stderr).toContain('done: 2/2 files');
});

test('--json prints each frame as a line, the end last', async () => {
  const { exitCode, stdout } = await run('--limit', '2', '--json');
  const frames = stdout.split('\n').map((line) => backfillFrame.parse(JSON.parse(line)));
  expect(exitCode).toBe(0);
  expect(new Set(frames.map(({ jobId }) => jobId)).size).toBe(1);
  expect(frames.at(-1)).toMatchObject({ state: 'done', files: { total: 2, done: 2 } });
});

test.each([
  [['--limit', '0'], '--limit is "0"'],
  [['--since', 'yesterday'], '--since is "yesterday"'],
  [['--cancel', '--limit', '1'], '--attach and --cancel take the backfill that goes on'],
])('%j is told on standard error with exit code 2', async (args, message) => {
  const { exitCode, stderr } = await run(...args);
  expect([exitCode, stderr]).toEqual([2, expect.stringContaining(message)]);
});

test('without a backfill there is nothing to attach to, and nothing to cancel', async () => {
  for (const flag of ['--attach', '--cancel']) {
    const { exitCode, stderr } = await run(flag);
    expect([exitCode, stderr]).toEqual([1, 'oa-bridge: no backfill goes on.']);
  }
});

test('a path that is not there fails with a reason', async () => {
  const { exitCode, stderr } = await run('--path', join(folder.path, 'nowhere'));
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining('There is nothing at this path')]);
});

test('Ctrl-C ends the watching only; a conflict, --attach and --cancel find the job', async () => {
  const bridge = await daemon.connect();
  const followed = followBackfills(bridge);
  const backend = await descendant(daemon.pid, 'embedded-convex');
  const signalBackend = (signal: NodeJS.Signals) =>
    isAlive(backend?.pid ?? 0) && process.kill(backend?.pid ?? 0, signal);
  const watching = run();
  await firstOutput(watching, 'importing', 'stderr');
  // It cannot end before the commands below have found it.
  signalBackend('SIGSTOP');
  watching.kill('SIGINT');
  const conflict = run();
  const attached = run('--attach', '--json');
  const left = await watching;
  expect([left.exitCode, left.stderr]).toEqual([
    130,
    expect.stringContaining('"oa-bridge backfill --cancel" ends it'),
  ]);
  const refused = await conflict;
  expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining('[conflict]')]);
  const cancelled = await run('--cancel');
  expect([cancelled.exitCode, cancelled.stdout]).toEqual([
    0,
    expect.stringMatching(/^Cancelled\. \d+ of 80 files/),
  ]);
  const { exitCode, stdout } = await attached;
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout.split('\n').at(-1) ?? '')).toMatchObject({ state: 'cancelled' });

  // The bridge may have ended it meanwhile, because it did not answer.
  signalBackend('SIGCONT');
  const detached = await run('--detach');
  expect([detached.exitCode, detached.stdout]).toEqual([0, expect.stringContaining('goes on')]);
  await followed.first(({ state, files }) => state === 'done' && files.total === 80);
  bridge.close();
});
