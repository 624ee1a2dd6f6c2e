/** A Codex that misbehaves, under the real daemon: each run has one clear end, and nothing else notices. */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFunctionReference } from 'convex/server';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BridgeConnection } from '../../src/control/connect-bridge.ts';
import type { RunFrame } from '../../src/control/frames.ts';
import { processGone, startDaemonProcess, type DaemonProcess } from '../support/daemon-process.ts';
import { subscribe, threadsCreate, type Subscriber } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const session = `echo '{"type":"thread.started","thread_id":"01a21610-1106-7890-9203-3f18b838f17d"}'`;
const turn = `echo '{"type":"turn.started"}'; echo '{"type":"turn.completed","usage":{}}'`;
const enqueue = makeFunctionReference<
  'mutation',
  { threadDocId: string; text: string },
  { runId: string }
>('runs:enqueue');
const PARTS = new Set(['runs', 'gateway', 'convexLink', 'convexWriter', 'sessionsWatch']);
const ENDS = ['completed', 'failed', 'interrupted', 'timedOut'];

let folder: ReturnType<typeof temporaryFolder>;
let daemon: DaemonProcess;
let bridge: BridgeConnection;
let app: Subscriber;
let frames: Map<string, RunFrame>;
let arrived: () => void;
let thread: string;

beforeAll(async () => {
  folder = temporaryFolder();
  mkdirSync(join(folder.path, 'project'));
  install('exit 0');
  frames = new Map();
  arrived = () => {};
  [daemon, bridge] = await start(folder.path);
  app = subscribe(daemon);
});

async function start(
  home: string,
  env: Record<string, string> = {},
): Promise<[DaemonProcess, BridgeConnection]> {
  const started = await startDaemonProcess({
    folder: home,
    env: {
      CODEX_BIN: join(folder.path, 'fake-codex'),
      OPENAGENTS_CODEX_DRIVER: 'exec',
      OPENAGENTS_RUN_STALL: '2',
      ...env,
    },
  });
  const connection = await started.connect();
  connection.on('bridge.run', (frame) => {
    frames.set(`${frame.runId} ${frame.state}`, frame);
    if (frame.sessionAt !== undefined) frames.set(`${frame.runId} with a session`, frame);
    arrived();
  });
  return [started, connection];
}

afterAll(async () => {
  bridge.close();
  await app[Symbol.asyncDispose]();
  await daemon[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

beforeEach(async () => {
  thread = await app.client.mutation(threadsCreate, { cwd: join(folder.path, 'project') });
});

/** The bridge asks a program that was replaced for its version: then it misbehaves in nothing. */
const version = `[ "$1" = --version ] && echo 0.0.0 && exit`;

/** Under another inode, as an update of Codex does it; what runs goes on with the old one. */
function install(...lines: string[]): void {
  const file = join(folder.path, 'fake-codex');
  writeFileSync(`${file}.new`, ['#!/bin/sh', version, ...lines, ''].join('\n'));
  chmodSync(`${file}.new`, 0o755);
  renameSync(`${file}.new`, file);
}

/** Only Linux tells it in a file; elsewhere 0. */
function residentMegabytes(): number {
  if (process.platform !== 'linux') return 0;
  const [, kilobytes] =
    /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}

const submit = async (text = 'hello') =>
  (await bridge.request('run.submit', { threadDocId: thread, text })).runId;

async function runIs(runId: string, ...states: string[]): Promise<RunFrame> {
  for (;;) {
    const found = states.map((state) => frames.get(`${runId} ${state}`)).find(Boolean);
    if (found !== undefined) return found;
    const end = ENDS.map((state) => frames.get(`${runId} ${state}`)).find(Boolean);
    if (end !== undefined) throw new Error(`The run ended otherwise: ${JSON.stringify(end)}`);
    await new Promise<void>((resolve) => (arrived = resolve));
  }
}

/** It has told its session: so the program has been read. */
const begun = async (runId: string) => await runIs(runId, 'with a session');
const endOf = async (runId: string) => await runIs(runId, ...ENDS);
const interrupt = async (runId: string) => await bridge.request('interrupt', { runId });

async function expectNothingElseNoticed(): Promise<void> {
  const { actors } = await bridge.request('bridge.status');
  const parts = actors.filter(({ machine }) => PARTS.has(machine));
  expect(parts.length).toBe(PARTS.size);
  expect(parts.filter(({ restarts, status }) => restarts > 0 || status !== 'active')).toEqual([]);
}

describe('a program that', () => {
  test('ends at once, again and again, fails each run; the tree stays as it is', async () => {
    install('echo "Error: no licence" >&2', 'exit 1');
    for (let count = 0; count < 10; count += 1) {
      expect(await endOf(await submit())).toMatchObject({
        state: 'failed',
        exitCode: 1,
        error: { code: 'codex_failed', message: 'Codex ended with an error: Error: no licence' },
      });
    }
    await expectNothingElseNoticed();
  });

  test('prints nonsense and ends well has not done the run, and it is said what to look at', async () => {
    install('echo "hello, I am no Codex"', 'exit 0');
    expect(await endOf(await submit())).toMatchObject({
      state: 'failed',
      exitCode: 0,
      error: { code: 'codex_without_turn', message: expect.stringContaining('oa-bridge doctor') },
    });
    await expectNothingElseNoticed();
  });

  test('is too old for the arguments says so itself', async () => {
    install(`echo "error: unexpected argument '--json' found" >&2`, 'exit 2');
    expect(await endOf(await submit())).toMatchObject({
      state: 'failed',
      error: { message: expect.stringContaining("unexpected argument '--json'") },
    });
  });

  test('prints without end is followed in bounded memory, and can be ended', async () => {
    install(session, 'yes "a line that means nothing"');
    const before = residentMegabytes();
    const runId = await submit();
    const { pid } = await begun(runId);
    // Signs of life all the time: it is not stalled, and others go on beside it.
    install(session, turn);
    const other = await app.client.mutation(threadsCreate, { cwd: join(folder.path, 'project') });
    const { runId: beside } = await bridge.request('run.submit', {
      threadDocId: other,
      text: 'beside',
    });
    expect(await endOf(beside)).toMatchObject({ state: 'completed' });
    await interrupt(runId);
    expect(await endOf(runId)).toMatchObject({ state: 'interrupted' });
    expect(await processGone(Number(pid))).toBe(true);
    expect(residentMegabytes() - before).toBeLessThan(200);
    await expectNothingElseNoticed();
  });

  test('shows what its command has printed 20,000 times at once is followed to its end', async () => {
    const item = {
      id: 'item_1',
      type: 'command_execution',
      command: 'make',
      status: 'in_progress',
    };
    const update = JSON.stringify({
      type: 'item.updated',
      item: { ...item, aggregated_output: 'x', exit_code: null },
    });
    install(session, `yes '${update}' | head -n 20000`, turn);
    expect(await endOf(await submit())).toMatchObject({ state: 'completed' });
    await expectNothingElseNoticed();
  });

  test('prints 100 MB on one line is followed in bounded memory', async () => {
    install(session, `head -c 100000000 /dev/zero | tr '\\0' x`, 'echo', turn);
    const before = residentMegabytes();
    expect(await endOf(await submit())).toMatchObject({ state: 'completed' });
    expect(residentMegabytes() - before).toBeLessThan(100);
  });

  test('never reads its prompt blocks nobody, and is ended when it takes too long', async () => {
    install(session, 'exec sleep 300');
    using home = temporaryFolder();
    const [impatient, own] = await start(home.path, { OPENAGENTS_RUN_LIMIT: '5' });
    await using _ended = impatient;
    await using itsApp = subscribe(impatient);
    const threadDocId = await itsApp.client.mutation(threadsCreate, { cwd: folder.path });
    const { runId } = await own.request('run.submit', { threadDocId, text: 'x'.repeat(900_000) });
    const { pid } = await runIs(runId, 'running');
    expect(await endOf(runId)).toMatchObject({
      state: 'timedOut',
      error: { code: 'run_timed_out' },
    });
    expect(await processGone(Number(pid))).toBe(true);
    own.close();
  });

  test('ignores signals and hangs is shown as stalled, and ended by force with its children', async () => {
    install(
      `trap '' INT TERM`,
      'sleep 300 & echo $! > child.pid',
      session,
      'while :; do sleep 1; done',
    );
    const runId = await submit();
    await begun(runId);
    const { pid } = await runIs(runId, 'stalled');
    const child = Number(readFileSync(join(folder.path, 'project', 'child.pid'), 'utf8'));
    await interrupt(runId);
    expect(await endOf(runId)).toMatchObject({ state: 'interrupted' });
    expect(await processGone(Number(pid))).toBe(true);
    expect(await processGone(child)).toBe(true);
  });

  test('is stopped by a signal is shown as stalled, goes on when it is woken, and can be ended', async () => {
    install(session, 'while :; do echo "{}"; sleep 0.2; done');
    const runId = await submit();
    const { pid } = await begun(runId);
    frames.delete(`${runId} stalled`);
    process.kill(-Number(pid), 'SIGSTOP');
    await runIs(runId, 'stalled');
    frames.delete(`${runId} running`);
    process.kill(-Number(pid), 'SIGCONT');
    await runIs(runId, 'running');
    await interrupt(runId);
    expect(await endOf(runId)).toMatchObject({ state: 'interrupted' });
  });

  test('is replaced while it runs goes on as it was; the next run has the new one', async () => {
    install(session, 'until [ -e go ]; do sleep 0.05; done', turn);
    const first = await submit();
    await begun(first);
    install('echo "Error: the new one" >&2', 'exit 1');
    writeFileSync(join(folder.path, 'project', 'go'), '');
    expect(await endOf(first)).toMatchObject({ state: 'completed' });
    expect(await endOf(await submit())).toMatchObject({
      error: { message: expect.stringContaining('the new one') },
    });
  });

  test('is not there is told as such', async () => {
    rmSync(join(folder.path, 'fake-codex'));
    expect(await endOf(await submit())).toMatchObject({
      state: 'failed',
      error: { code: 'codex_missing' },
    });
    await expectNothingElseNoticed();
  });
});

describe('a prompt', () => {
  test.each([['--help'], ['-'], ['a\0b'], ['\u2028 ü 🙂'], ['{"not":"a config"}']])(
    'of %j comes to Codex as it is, on its standard input',
    async (text) => {
      install('cat > prompt', 'echo "$@" > arguments', session, turn);
      expect(await endOf(await submit(text))).toMatchObject({ state: 'completed' });
      expect(readFileSync(join(folder.path, 'project', 'prompt'), 'utf8')).toBe(text);
      expect(readFileSync(join(folder.path, 'project', 'arguments'), 'utf8')).toMatch(/ -\n$/);
    },
  );

  test('that is empty, or too long, is refused with its reason', async () => {
    await expect(submit('')).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(submit(' \n')).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(submit('x'.repeat(1_000_001))).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(submit('x'.repeat(2_000_000))).rejects.toMatchObject({ code: 'too_large' });
    const byApp = app.client.mutation(enqueue, {
      threadDocId: thread,
      text: 'x'.repeat(2_000_000),
    });
    await expect(byApp).rejects.toMatchObject({ data: { code: 'text_too_long' } });
    await expect(bridge.request('run.status', { runId: 'nobody' })).rejects.toMatchObject({
      code: 'not_found',
    });
    // On the same connection, as if nothing had been.
    install(session, turn);
    expect(await endOf(await submit())).toMatchObject({ state: 'completed' });
  });
});
