/** Approvals through the real daemon: the real CLI asks, clients of both kinds answer. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { makeFunctionReference } from 'convex/server';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { BridgeConnection, BridgeEvent } from '../../src/control/connect-bridge.ts';
import { approvalFrame } from '../../src/control/frames.ts';
import { startDaemonProcess, type DaemonProcess } from '../support/daemon-process.ts';
import { codexBin, makeCodexHome } from '../support/scripted-model/codex-home.ts';
import { hold, patch, say, sayHalting, shell } from '../support/scripted-model/script.ts';
import {
  startScriptedModel,
  type ScriptedModel,
} from '../support/scripted-model/start-scripted-model.ts';
import { subscribe, threadsCreate, type Subscriber } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const listForThread = makeFunctionReference<
  'query',
  { threadDocId: string },
  { approvalId: string; state: string; decision?: string; decidedBy?: string }[]
>('approvals:listForThread');
const answerInConvex = makeFunctionReference<
  'mutation',
  { approvalId: string; decision: string },
  boolean
>('approvals:answer');

let folder: ReturnType<typeof temporaryFolder>;
let model: ScriptedModel;
let daemon: DaemonProcess;
let bridge: BridgeConnection;
let app: Subscriber;
let frames: BridgeEvent[];
let arrived: () => void;
let threadDocId: string;

beforeAll(async () => {
  folder = temporaryFolder();
  model = await startScriptedModel({
    'touch a file': [[shell('touch touched.txt')], [say('Tried.')]],
    'write a file': [[patch('*** Add File: written.txt', '+one')], [say('Tried.')]],
    'talk on': [[sayHalting('This and that.', 'talk')], [say('More.')]],
    held: [[say('So.'), hold('held')]],
  });
  makeCodexHome({ modelUrl: model.url, path: join(folder.path, 'codex') });
  await start();
});

afterAll(async () => {
  await stop();
  await model.close();
  folder[Symbol.dispose]();
});

beforeEach(async ({ task }) => {
  const cwd = join(folder.path, task.id);
  mkdirSync(cwd);
  threadDocId = await app.client.mutation(threadsCreate, { cwd });
});

async function start(env: Record<string, string> = {}): Promise<void> {
  daemon = await startDaemonProcess({
    folder: folder.path,
    env: {
      CODEX_BIN: codexBin,
      OPENAGENTS_SANDBOX: 'workspace-write',
      OPENAGENTS_APPROVALS: 'untrusted',
      ...env,
    },
  });
  app = subscribe(daemon);
  frames = [];
  bridge = await connect();
}

async function stop(): Promise<void> {
  bridge.close();
  await app[Symbol.asyncDispose]();
  await daemon[Symbol.asyncDispose]();
}

async function connect(): Promise<BridgeConnection> {
  const connection = await daemon.connect();
  connection.onFrame((frame) => {
    frames.push(frame);
    arrived?.();
  });
  return connection;
}

/** Resolves with the first frame, past or coming, that has these fields. */
async function told(fields: Record<string, unknown>): Promise<BridgeEvent> {
  return await seen((frame) => {
    const shown = new Map<string, unknown>(Object.entries(frame));
    return Object.entries(fields).every(([name, value]) => shown.get(name) === value);
  });
}

async function seen(fits: (frame: BridgeEvent) => boolean): Promise<BridgeEvent> {
  for (;;) {
    const found = frames.find(fits);
    if (found !== undefined) return found;
    await new Promise<void>((resolve) => (arrived = resolve));
  }
}

async function submit(text: string): Promise<string> {
  return (await bridge.request('run.submit', { threadDocId, text })).runId;
}

const asked = async (runId: string) =>
  approvalFrame.parse(await told({ type: 'bridge.approval', runId, state: 'open' }));
const ended = async (runId: string, state: string) =>
  await told({ type: 'bridge.run', runId, state });
const rows = async () => await app.client.query(listForThread, { threadDocId });
const made = (task: { id: string }, name: string) => existsSync(join(folder.path, task.id, name));

test('a command that is accepted is run; who decided is recorded', async ({ task }) => {
  const runId = await submit('touch a file');
  const { approvalId, ...approval } = await asked(runId);
  expect(approval).toMatchObject({ kind: 'command', command: 'touch touched.txt' });
  const reply = await bridge.request('approval.answer', { approvalId, decision: 'accept' });
  expect(reply).toMatchObject({ type: 'bridge.approval', state: 'answered', decision: 'accept' });
  expect(await ended(runId, 'completed')).toMatchObject({
    sandbox: 'workspace-write',
    approvals: 'untrusted',
  });
  expect(made(task, 'touched.txt')).toBe(true);
  await expect.poll(rows).toMatchObject([
    {
      approvalId,
      state: 'answered',
      decision: 'accept',
      decidedBy: expect.stringMatching(/^client-/),
    },
  ]);
  const late = bridge.request('approval.answer', { approvalId, decision: 'decline' });
  await expect(late).rejects.toMatchObject({ code: 'conflict' });
});

test('a change of files shows what it changes; declined, nothing is written', async ({ task }) => {
  const runId = await submit('write a file');
  const { approvalId, changes } = await asked(runId);
  expect(changes).toMatchObject([{ kind: 'add', content: 'one\n' }]);
  await bridge.request('approval.answer', { approvalId, decision: 'decline' });
  await ended(runId, 'completed');
  expect(made(task, 'written.txt')).toBe(false);
});

test('cancelled, the turn ends', async ({ task }) => {
  const runId = await submit('touch a file');
  const { approvalId } = await asked(runId);
  await bridge.request('approval.answer', { approvalId, decision: 'cancel' });
  await ended(runId, 'interrupted');
  expect(made(task, 'touched.txt')).toBe(false);
});

test('an app answers in Convex', async ({ task }) => {
  const runId = await submit('touch a file');
  const { approvalId } = await asked(runId);
  await expect.poll(rows).toMatchObject([{ state: 'open' }]);
  const answer = { approvalId, decision: 'accept' };
  expect(await app.client.mutation(answerInConvex, answer)).toBe(true);
  await ended(runId, 'completed');
  expect(made(task, 'touched.txt')).toBe(true);
});

test('a client that comes back finds what is open, and answers it', async ({ task }) => {
  const runId = await submit('touch a file');
  const { approvalId } = await asked(runId);
  bridge.close();
  bridge = await connect();
  expect(await bridge.request('approvals.list')).toMatchObject({ items: [{ approvalId, runId }] });
  await bridge.request('approval.answer', { approvalId, decision: 'decline' });
  await ended(runId, 'completed');
  expect(made(task, 'touched.txt')).toBe(false);
  expect(await bridge.request('approvals.list')).toMatchObject({ items: [] });
});

test('an interrupt withdraws what is open', async () => {
  const runId = await submit('touch a file');
  const { approvalId } = await asked(runId);
  await bridge.request('interrupt', { runId });
  await told({ type: 'bridge.approval', approvalId, state: 'withdrawn' });
  await ended(runId, 'interrupted');
  await expect.poll(rows).toMatchObject([{ state: 'withdrawn' }]);
});

test('a turn that goes on takes more words; one that has ended does not', async () => {
  const runId = await submit('talk on');
  await model.reached('talk');
  // The bridge may hear of its turn after the model does.
  await seen((frame) => {
    return frame.type === 'bridge.run' && frame.runId === runId && frame.turnAt !== undefined;
  });
  await bridge.request('run.steer', { runId, text: 'and talk on' });
  model.release('talk');
  await ended(runId, 'completed');
  await app.messages(threadDocId, (all) => all.some(({ text }) => text === 'and talk on'));
  const late = bridge.request('run.steer', { runId, text: 'more' });
  await expect(late).rejects.toMatchObject({ code: 'conflict' });
});

test('what nobody answers is declined', async ({ task }) => {
  await stop();
  await start({ OPENAGENTS_APPROVAL_TIMEOUT: '1' });
  const runId = await submit('touch a file');
  const { approvalId } = await asked(runId);
  expect(await told({ type: 'bridge.approval', approvalId, state: 'expired' })).toMatchObject({
    decision: 'decline',
    explanation: 'Nobody answered within 1 s, so it was declined.',
  });
  await ended(runId, 'completed');
  expect(made(task, 'touched.txt')).toBe(false);
  expect(await bridge.request('approvals.list')).toMatchObject({ items: [] });
});
