/**
 * Two bridges, each with a home, a Codex, a driver and sessions of its own, on one Convex: who
 * runs what.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { makeFunctionReference } from 'convex/server';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { functionsSource } from '../../src/entries.ts';
import { spawnMain, type BackendProcess } from '../embedded-convex/support/backend-process.ts';
import { commandLine } from '../support/command-line.ts';
import { startDaemonProcess, type DaemonProcess } from '../support/daemon-process.ts';
import { codexBin, makeCodexHome } from '../support/scripted-model/codex-home.ts';
import { hold, say, shell } from '../support/scripted-model/script.ts';
import {
  startScriptedModel,
  type ScriptedModel,
} from '../support/scripted-model/start-scripted-model.ts';
import { expectFiledRows, filedRows, watchRows } from '../support/session-rows.ts';
import { subscribe, threadsCreate, type Subscriber } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

interface RunRow {
  status: string;
  error?: string;
  machineId?: string;
  sessionId?: string;
}
const byId = makeFunctionReference<'query', { id: string }, RunRow>('runs:byId');
const enqueue = makeFunctionReference<
  'mutation',
  { threadDocId: string; text: string },
  { runId: string }
>('runs:enqueue');

interface Bridge {
  folder: string;
  codexHome: string;
  daemon: DaemonProcess;
  machineId: string;
}

let folder: ReturnType<typeof temporaryFolder>;
let model: ScriptedModel;
let convex: BackendProcess;
let url: string;
let bridges: [Bridge, Bridge];
let app: Subscriber;

beforeAll(async () => {
  folder = temporaryFolder();
  model = await startScriptedModel({
    '*': [[say('I look.'), shell('echo up')], [say('Done.')]],
    'be held': [[say('Begun.'), hold('held'), say('Ended.')]],
  });
  const homes = ['one', 'other'].map((name) => join(folder.path, name));
  let keys = '';
  for (const home of homes) {
    mkdirSync(join(home, 'project'), { recursive: true });
    // What docs/sync/auth.md tells to do with a deployment.
    keys = (await commandLine(home, ['token', '--jwks', keys])).stdout.trim();
  }
  const source = functionsSource();
  const args = ['--db', join(folder.path, 'convex.sqlite3'), '--port', '0'];
  args.push('--functions', 'folder' in source ? source.folder : '');
  convex = spawnMain(...args, '--env', `OPENAGENTS_JWKS=${keys}`);
  ({ url } = await convex.ready);
  const [one = '', other = ''] = homes;
  bridges = [await startBridge(one, 'app-server'), await startBridge(other, 'exec')];
  app = subscribe(bridges[0].daemon);
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  for (const { daemon } of bridges) await daemon[Symbol.asyncDispose]();
  await convex[Symbol.asyncDispose]();
  await model.close();
  folder[Symbol.dispose]();
});

async function startBridge(home: string, driver: string): Promise<Bridge> {
  const codexHome = makeCodexHome({ modelUrl: model.url, path: join(home, 'codex') });
  const daemon = await startDaemonProcess({
    folder: home,
    env: {
      CODEX_BIN: codexBin,
      OPENAGENTS_CODEX_DRIVER: driver,
      OPENAGENTS_CONVEX_MODE: 'remote',
      OPENAGENTS_CONVEX_URL: url,
    },
  });
  const bridge = await daemon.connect();
  const { machineId } = bridge.hello;
  bridge.close();
  return { folder: home, codexHome, daemon, machineId };
}

async function endOf(id: string): Promise<RunRow> {
  const { promise, resolve } = Promise.withResolvers<RunRow>();
  const stop = app.client.onUpdate(byId, { id }, (row) => {
    if (row.status !== 'pending' && row.status !== 'processing') resolve(row);
  });
  return await promise.finally(stop);
}

test('what apps enqueue for nobody is run once each, by one of them, and then by the same', async () => {
  // Both may run it there.
  const cwd = folder.path;
  const threads = await Promise.all(
    Array.from({ length: 6 }, async () => await app.client.mutation(threadsCreate, { cwd })),
  );
  const watched = threads.map((thread) => watchRows(app, thread));
  const ask = async (text: string) =>
    await Promise.all(
      threads.map(
        async (threadDocId, index) =>
          (await app.client.mutation(enqueue, { threadDocId, text: `${text} ${index}` })).runId,
      ),
    );
  const runs = [...(await ask('first')), ...(await ask('second'))];
  const ends = await Promise.all(runs.map(endOf));
  expect(ends.map(({ status, error }) => error ?? status)).toEqual(runs.map(() => 'done'));
  const asked = model.requests.map(({ prompt, turnId }) => `${prompt} ${turnId}`);
  expect(new Set(asked).size).toBe(runs.length);
  for (const [index, thread] of threads.entries()) {
    const [first, second] = [ends[index], ends[index + threads.length]];
    expect(second).toMatchObject({ machineId: first?.machineId, sessionId: first?.sessionId });
    const by = bridges.find(({ machineId }) => machineId === first?.machineId);
    const filed = filedRows(by?.codexHome ?? '', first?.sessionId);
    const { seen, stop } = watched[index] ?? watchRows(app, thread);
    await expectFiledRows(app, thread, { filed, seen });
    stop();
  }
});

test('each runs what its own clients ask for, at the same time', async () => {
  const asked = bridges.map(async ({ daemon, folder: home, codexHome, machineId }) => {
    const bridge = await daemon.connect();
    const threadDocId = await app.client.mutation(threadsCreate, { cwd: join(home, 'project') });
    const { seen, stop } = watchRows(app, threadDocId);
    const { runId } = await bridge.request('run.submit', { threadDocId, text: 'by a client' });
    bridge.close();
    const end = await endOf(runId);
    expect(end).toMatchObject({ status: 'done', machineId });
    await expectFiledRows(app, threadDocId, { filed: filedRows(codexHome, end.sessionId), seen });
    stop();
  });
  await Promise.all(asked);
});

test('one that starts leaves alone what the other runs', async () => {
  const [one, other] = bridges;
  const bridge = await one.daemon.connect();
  const threadDocId = await app.client.mutation(threadsCreate, {
    cwd: join(one.folder, 'project'),
  });
  const { runId } = await bridge.request('run.submit', { threadDocId, text: 'be held' });
  bridge.close();
  await model.reached('held');
  other.daemon.kill('SIGKILL');
  await other.daemon.exited;
  bridges[1] = await startBridge(other.folder, 'exec');
  // It has seen the rows of all runs by the time that it has done one of its own.
  const next = await bridges[1].daemon.connect();
  const beside = await app.client.mutation(threadsCreate, { cwd: join(other.folder, 'project') });
  const asked = await next.request('run.submit', { threadDocId: beside, text: 'beside it' });
  next.close();
  expect(await endOf(asked.runId)).toMatchObject({ status: 'done' });
  expect(await app.client.query(byId, { id: runId })).toMatchObject({ status: 'processing' });
  model.release('held');
  expect(await endOf(runId)).toMatchObject({ status: 'done', machineId: one.machineId });
});
