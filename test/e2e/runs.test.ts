/** Runs through the real daemon: queue, interrupts, failures, and what a restart makes of them. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { makeFunctionReference } from 'convex/server';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  ControlFailure,
  type BridgeConnection,
  type BridgeEvent,
  type Reply,
} from '../../src/control/connect-bridge.ts';
import { processGone, startDaemonProcess, type DaemonProcess } from '../support/daemon-process.ts';
import { codexBin, makeCodexHome } from '../support/scripted-model/codex-home.ts';
import { hold, refuse, say, shell } from '../support/scripted-model/script.ts';
import {
  startScriptedModel,
  type ScriptedModel,
} from '../support/scripted-model/start-scripted-model.ts';
import { subscribe, threadsCreate, type Subscriber } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const listForThread = makeFunctionReference<
  'query',
  { threadDocId: string },
  { _id: string; status: string; error?: string; exitCode?: number; text: string }[]
>('runs:listForThread');
const enqueue = makeFunctionReference<
  'mutation',
  { threadDocId: string; text: string },
  { runId: string }
>('runs:enqueue');

let folder: ReturnType<typeof temporaryFolder>;
let model: ScriptedModel;
let daemon: DaemonProcess;
let bridge: BridgeConnection;
let app: Subscriber;
let frames: BridgeEvent[];
let arrived: () => void;

beforeEach(async () => {
  folder = temporaryFolder();
  model = await startScriptedModel({
    quick: [[say('Quick.')]],
    held: [[say('Begun.'), hold('gate'), say('Ended.')]],
    command: [[shell('echo up; sleep 300 & wait', 60_000)], [say('Never.')]],
    refused: [[refuse(400, 'no credit')]],
  });
  makeCodexHome({ modelUrl: model.url, path: join(folder.path, 'codex') });
  mkdirSync(join(folder.path, 'project'));
  await start();
});

afterEach(async () => {
  bridge.close();
  await app[Symbol.asyncDispose]();
  await daemon[Symbol.asyncDispose]();
  await model.close();
  folder[Symbol.dispose]();
});

async function start(): Promise<void> {
  frames = [];
  arrived = () => {};
  daemon = await startDaemonProcess({ folder: folder.path, env: { CODEX_BIN: codexBin } });
  bridge = await daemon.connect();
  bridge.onFrame((frame) => {
    frames.push(frame);
    arrived();
  });
  app = subscribe(daemon);
}

async function restart(): Promise<void> {
  bridge.close();
  await app[Symbol.asyncDispose]();
  await start();
}

/** Resolves with the first `bridge.run` of this life, past or coming, that shows the run so. */
async function runIs(runId: unknown, state: string): Promise<Reply<'run.status'>> {
  // After a restart it may have been told before we were there.
  const now = await bridge.request('run.status', { runId: String(runId) }).catch(() => null);
  if (now?.['state'] === state) return now;
  for (;;) {
    const shown = frames
      .filter((frame) => frame.type === 'bridge.run')
      .filter((run) => run.runId === runId);
    const found = shown.find((frame) => frame.state === state);
    if (found !== undefined) return found;
    const end = shown.find((frame) => ENDS.includes(frame.state));
    if (end !== undefined) throw new Error(`The run ended otherwise: ${JSON.stringify(end)}`);
    await new Promise<void>((resolve) => (arrived = resolve));
  }
}

const ENDS = ['completed', 'failed', 'interrupted', 'timedOut'];

const newThread = async () =>
  await app.client.mutation(threadsCreate, { cwd: join(folder.path, 'project') });
const submit = async (threadDocId: string, text: string) =>
  (await bridge.request('run.submit', { threadDocId, text }))['runId'];
const rows = async (threadDocId: string) => await app.client.query(listForThread, { threadDocId });

test('one run at a time goes on in a thread, and the next goes on in its session', async () => {
  const thread = await newThread();
  const first = await submit(thread, 'held');
  const second = await submit(thread, 'quick');
  await model.reached('gate');
  expect(await bridge.request('runs.list')).toMatchObject({
    items: [
      { runId: second, state: 'queued' },
      { runId: first, state: 'running', sandbox: 'danger-full-access' },
    ],
  });
  expect(await bridge.request('bridge.status')).toMatchObject({
    runs: { active: 1, queued: 1 },
    lastThreadId: thread,
  });
  model.release('gate');
  const { resumeId } = await runIs(first, 'completed');
  expect(await runIs(second, 'completed')).toMatchObject({ resumeId, exitCode: 0 });
  // The frame comes first, the row a moment later.
  await expect
    .poll(async () => await rows(thread))
    .toMatchObject([
      { text: 'quick', status: 'done' },
      { text: 'held', status: 'done' },
    ]);
});

test('an interrupt ends a run in the middle of its stream, and withdraws one that waits', async () => {
  const thread = await newThread();
  const first = await submit(thread, 'held');
  const second = await submit(thread, 'quick');
  await model.reached('gate');
  await bridge.request('interrupt', { runId: second });
  await runIs(second, 'interrupted');
  await bridge.request('interrupt', { threadDocId: thread });
  expect(await runIs(first, 'interrupted')).toMatchObject({ driver: 'app-server', exitCode: 0 });
  expect(model.requests.map(({ prompt }) => prompt)).toEqual(['held']);
});

test('a run that fails says why, in the frame and in its row', async () => {
  const thread = await newThread();
  const runId = await submit(thread, 'refused');
  expect(await runIs(runId, 'failed')).toMatchObject({
    exitCode: 0,
    error: { code: 'codex_failed', message: 'Codex ended with an error: no credit' },
  });
  await expect
    .poll(async () => await rows(thread))
    .toMatchObject([
      { status: 'error', error: 'Codex ended with an error: no credit', exitCode: 0 },
    ]);
});

test('a thread that does not exist, and a directory that does not, are told as such', async () => {
  const unknown = bridge.request('run.submit', { threadDocId: 'nobody', text: 'quick' });
  await expect(unknown).rejects.toThrow(ControlFailure);
  await expect(unknown).rejects.toMatchObject({ code: 'not_found' });
  const thread = await app.client.mutation(threadsCreate, { cwd: join(folder.path, 'gone') });
  expect(await runIs(await submit(thread, 'quick'), 'failed')).toMatchObject({
    error: { code: 'working_directory_missing' },
  });
});

test('a run that an app puts into Convex is run as if it came over the control socket', async () => {
  const thread = await newThread();
  const { runId } = await app.client.mutation(enqueue, { threadDocId: thread, text: 'quick' });
  expect(await runIs(runId, 'completed')).toMatchObject({ threadDocId: thread });
});

test('SIGTERM ends a run with its commands, keeps what waits, and exits 0 in time', async () => {
  const thread = await newThread();
  const first = await submit(thread, 'command');
  const second = await submit(thread, 'quick');
  const { pid } = await runIs(first, 'running');
  await expect
    .poll(() =>
      frames.some((frame) => frame.type === 'codex.line' && frame.line.includes('echo up')),
    )
    .toBe(true);
  const begun = performance.now();
  daemon.kill('SIGTERM');
  expect(await daemon.exited).toMatchObject({ exitCode: 0 });
  expect(performance.now() - begun).toBeLessThan(10_000);
  expect(await processGone(Number(pid))).toBe(true);
  await restart();
  await runIs(second, 'completed');
  await expect
    .poll(async () => await rows(thread))
    .toMatchObject([
      { text: 'quick', status: 'done' },
      { text: 'command', status: 'interrupted' },
    ]);
});

test('kill -9 of the daemon ends its Codex; the run is closed with a reason, what waits is run', async () => {
  const thread = await newThread();
  const first = await submit(thread, 'held');
  const second = await submit(thread, 'quick');
  const { pid } = await runIs(first, 'running');
  await model.reached('gate');
  daemon.kill('SIGKILL');
  await daemon.exited;
  expect(await processGone(Number(pid))).toBe(true);
  await restart();
  expect(await runIs(first, 'interrupted')).toMatchObject({
    error: { message: 'The run was interrupted: the bridge ended while it went on' },
  });
  await runIs(second, 'completed');
  expect(model.requests.map(({ prompt }) => prompt)).toEqual(['held', 'quick']);
});
