/** Who may do what: the real daemon, its tokens, and official clients that have them or not. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ConvexClient, ConvexHttpClient } from 'convex/browser';
import { makeFunctionReference } from 'convex/server';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectBridge } from '../../src/control/connect-bridge.ts';
import { openTokenSigner } from '../../src/token-signer.ts';
import { startDaemonProcess } from '../support/daemon-process.ts';
import { descendants } from '../support/processes.ts';
import { freePort } from '../support/ports.ts';
import { codexBin, makeCodexHome } from '../support/scripted-model/codex-home.ts';
import { hold, say } from '../support/scripted-model/script.ts';
import { startScriptedModel } from '../support/scripted-model/start-scripted-model.ts';
import { createSession } from '../support/session-writer.ts';
import { subscribe, threadsCreate } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const listWithCounts = makeFunctionReference<'query', Record<string, never>, unknown[]>(
  'threads:listWithCounts',
);
const upsertFromStream = makeFunctionReference<'mutation'>('threads:upsertFromStream');
const mirrored = { machineId: 'm', thread: { resumeId: 'r', source: 'external' } };

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

const home = () => join(folder.path, 'openagents');
const keyFile = () => join(home(), 'convex-key.json');

test('nobody without a token gets an answer; an app may not write what the bridge mirrors', async () => {
  await using daemon = await startDaemonProcess({ folder: folder.path });
  const client = new ConvexHttpClient(daemon.convexUrl, { skipConvexDeploymentUrlCheck: true });
  const refusal = (code: string) => ({ data: { code } });
  await expect(client.query(listWithCounts, {})).rejects.toMatchObject(refusal('unauthenticated'));
  client.setAuth(await daemon.convexToken());
  expect(await client.query(listWithCounts, {})).toEqual([]);
  await expect(client.mutation(upsertFromStream, mirrored)).rejects.toMatchObject(
    refusal('forbidden'),
  );
  // With what only the bridge has, the same goes in.
  client.setAuth((await openTokenSigner(home()).sign('bridge')).token);
  await client.mutation(upsertFromStream, mirrored);
});

test('an app and nobody, side by side on the same query, see each their own', async () => {
  await using daemon = await startDaemonProcess({ folder: folder.path });
  await using app = subscribe(daemon);
  const stranger = new ConvexClient(daemon.convexUrl, { skipConvexDeploymentUrlCheck: true });
  const refused = new Promise<unknown>((resolve, reject) => {
    stranger.onUpdate(listWithCounts, {}, () => reject(new Error('it was answered')), resolve);
  });
  const session = createSession(join(folder.path, 'codex'));
  session.user('for those who may see it');
  await app.threads((threads) => threads.length === 1);
  expect(await refused).toMatchObject({ data: { code: 'unauthenticated' } });
  await stranger.close();
});

test('a key that was replaced: old tokens are refused, and apps come back by themselves', async () => {
  const env = {
    OPENAGENTS_CONVEX_PORT: String(await freePort()),
    OPENAGENTS_BIND: `127.0.0.1:${await freePort()}`,
  };
  const first = await startDaemonProcess({ folder: folder.path, env });
  await using app = subscribe(first);
  await app.threads(() => true);
  const old = await first.convexToken();
  await first[Symbol.asyncDispose]();
  rmSync(keyFile());

  await using next = await startDaemonProcess({ folder: folder.path, env });
  expect(await next.convexToken()).not.toBe(old);
  const stale = new ConvexHttpClient(next.convexUrl, { skipConvexDeploymentUrlCheck: true });
  stale.setAuth(old);
  await expect(stale.query(listWithCounts, {})).rejects.toThrow(/does this key match/);
  // The same client as before, with what its fetcher gets from the bridge of now.
  const session = createSession(join(folder.path, 'codex'));
  session.user('after the change');
  await app.threads((threads) => threads.some(({ title }) => title === 'after the change'));
});

test('an address of Convex and a token for it fit the address by which the bridge was reached', async () => {
  await using daemon = await startDaemonProcess({
    folder: folder.path,
    env: { OPENAGENTS_CONVEX_INTERFACE: '0.0.0.0' },
  });
  const url = daemon.controlUrl.replace('127.0.0.1', 'localhost');
  const bridge = await connectBridge({ url, token: daemon.token });
  const reply = await bridge.request('convex.token');
  bridge.close();
  expect(new URL(reply.url).hostname).toBe('localhost');
  expect(reply.expiresAt).toBeGreaterThan(Date.now() + 3_500_000);
  const client = new ConvexHttpClient(reply.url, { skipConvexDeploymentUrlCheck: true });
  client.setAuth(reply.token);
  expect(await client.query(listWithCounts, {})).toEqual([]);
});

test('no secret of the bridge is in the arguments or environment of a process below it, or in the log', async () => {
  const model = await startScriptedModel({ held: [[say('Begun.'), hold('gate'), say('Ended.')]] });
  makeCodexHome({ modelUrl: model.url, path: join(folder.path, 'codex') });
  const project = join(folder.path, 'project');
  mkdirSync(project);
  const env = { CODEX_BIN: codexBin, OPENAGENTS_LOG_LEVEL: 'trace' };
  await using daemon = await startDaemonProcess({ folder: folder.path, env });
  await using app = subscribe(daemon);
  const threadDocId = await app.client.mutation(threadsCreate, { cwd: project });
  const bridge = await daemon.connect();
  await bridge.request('run.submit', { threadDocId, text: 'held' });
  await app.messages(threadDocId, (rows) => rows.some(({ text }) => text === 'Begun.'));

  const below = await descendants(daemon.pid);
  expect(below.some(({ command }) => command.includes('app-server'))).toBe(true);
  const pids = below.map(({ pid }) => String(pid)).join(',');
  // `e` shows the environment behind the arguments, on Linux and on macOS.
  const shown = execFileSync('ps', ['eww', '-o', 'args=', '-p', pids], { encoding: 'utf8' });
  expect(shown).toContain('CODEX_HOME=');
  const secrets = [
    String(JSON.parse(readFileSync(keyFile(), 'utf8')).d),
    readFileSync(join(home(), 'convex', 'admin-key'), 'utf8').trim(),
    daemon.token,
  ];
  const log = JSON.stringify(daemon.log);
  for (const secret of secrets) {
    expect(shown).not.toContain(secret);
    expect(log).not.toContain(secret);
  }
  model.release('gate');
  bridge.close();
  await daemon[Symbol.asyncDispose]();
  await model.close();
});
