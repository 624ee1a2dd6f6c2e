/** The whole way: the real Codex CLI, the real daemon, the real backend, official clients. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openPage } from '../support/browser.ts';
import { startDaemonProcess, type DaemonProcess } from '../support/daemon-process.ts';
import { codexBin, makeCodexHome, runCodex } from '../support/scripted-model/codex-home.ts';
import { patch, reason, say, shell, type Script } from '../support/scripted-model/script.ts';
import {
  startScriptedModel,
  type ScriptedModel,
} from '../support/scripted-model/start-scripted-model.ts';
import { subscribe, threadsCreate, type MessageRow } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const script: Script = {
  'fix the greeting': [
    [reason('The file is missing.'), say('I will look first.'), shell('echo looking')],
    [patch('*** Add File: greeting.txt', '+hello')],
    [say('The greeting is there now.')],
  ],
  'by hand': [[say('Answered outside of the bridge.')]],
};

interface Stage extends AsyncDisposable {
  daemon: DaemonProcess;
  model: ScriptedModel;
  codexHome: string;
  project: string;
}

async function setTheStage(): Promise<Stage> {
  const folder = temporaryFolder();
  const model = await startScriptedModel(script);
  const codexHome = makeCodexHome({ modelUrl: model.url, path: join(folder.path, 'codex') });
  const project = join(folder.path, 'project');
  mkdirSync(project);
  const daemon = await startDaemonProcess({ folder: folder.path, env: { CODEX_BIN: codexBin } });
  return {
    daemon,
    model,
    codexHome,
    project,
    async [Symbol.asyncDispose]() {
      await daemon[Symbol.asyncDispose]();
      await model.close();
      folder[Symbol.dispose]();
    },
  };
}

const conversation = (messages: MessageRow[]) =>
  messages.filter(({ kind }) => kind === 'message').map(({ role, text }) => [role, text]);

const isFinal = (messages: MessageRow[]) => messages.every((row) => row.provisional !== true);

test('a submitted run and one started by hand are seen live by an official client, each item once, in order', async () => {
  await using stage = await setTheStage();
  const { daemon, codexHome, project } = stage;
  await using app = subscribe(daemon);
  const bridge = await daemon.connect();
  const lines: string[] = [];
  const ended = Promise.withResolvers<string>();
  bridge.onFrame((frame) => {
    if (frame.type === 'codex.line' && frame.stream === 'stdout') lines.push(frame.line);
    if (frame.type === 'bridge.run' && ['completed', 'failed'].includes(frame.state)) {
      ended.resolve(frame.state);
    }
  });

  const threadDocId = await app.client.mutation(threadsCreate, { cwd: project });
  const accepted = await bridge.request('run.submit', { threadDocId, text: 'fix the greeting' });
  expect(accepted).toMatchObject({ type: 'bridge.run', threadDocId });

  const streamed = await app.messages(threadDocId, (rows) => conversation(rows).length === 3);
  expect(await ended.promise).toBe('completed');
  expect(lines.map((line) => (JSON.parse(line) as { method?: string }).method)).toContain(
    'turn/completed',
  );

  const final = await app.messages(
    threadDocId,
    (rows) => isFinal(rows) && rows.some(({ kind }) => kind === 'turn'),
  );
  expect(conversation(final)).toEqual([
    ['user', 'fix the greeting'],
    ['assistant', 'I will look first.'],
    ['assistant', 'The greeting is there now.'],
  ]);
  for (const kind of ['reason', 'cmd', 'file']) {
    expect(
      final.filter((row) => row.kind === kind),
      kind,
    ).toHaveLength(1);
  }
  // What a subscriber saw while it streamed kept its identity.
  const finalIds = new Set(final.map((row) => row._id));
  expect(streamed.every((row) => finalIds.has(row._id))).toBe(true);
  expect(final.map((row) => row.ts)).toEqual(final.map((row) => row.ts).toSorted((a, b) => a - b));

  const outside = await runCodex({ codexHome, cwd: project, prompt: 'by hand' });
  expect(outside.exitCode).toBe(0);
  const threads = await app.threads((rows) => rows.some((row) => row.title === 'by hand'));
  expect(threads).toHaveLength(2);
  const external = threads.find((row) => row.title === 'by hand');
  expect(external).toMatchObject({ source: 'external', cwd: project });
  const second = await app.messages(
    external?.threadId ?? '',
    (rows) => conversation(rows).length === 2,
  );
  expect(conversation(second)).toEqual([
    ['user', 'by hand'],
    ['assistant', 'Answered outside of the bridge.'],
  ]);
  expect(stage.model.surprises).toEqual([]);
  bridge.close();
});

test('a page with convex/react shows both conversations as they grow, each item once, in order', async () => {
  await using stage = await setTheStage();
  const { daemon, codexHome, project } = stage;
  await using browser = await openPage('main.tsx', {
    control: daemon.controlUrl,
    token: daemon.token,
  });
  await using app = subscribe(daemon);
  const bridge = await daemon.connect();
  const threadDocId = await app.client.mutation(threadsCreate, { cwd: project });
  await bridge.request('run.submit', { threadDocId, text: 'fix the greeting' });
  const { page } = browser;
  const thread = page.locator(`[data-thread="${threadDocId}"]`);
  await thread.getByText('The greeting is there now.').waitFor();
  expect(await thread.locator('[data-kind="message"]').allTextContents()).toEqual([
    'fix the greeting',
    'I will look first.',
    'The greeting is there now.',
  ]);

  await runCodex({ codexHome, cwd: project, prompt: 'by hand' });
  const external = page.locator('#threads > li', { hasText: 'by hand' });
  await external.getByText('Answered outside of the bridge.').waitFor();
  expect(await external.locator('[data-kind="message"]').allTextContents()).toEqual([
    'by hand',
    'Answered outside of the bridge.',
  ]);
  expect(browser.errors).toEqual([]);
  bridge.close();
});
