/**
 * Runs beside and behind one another, copies of sessions, and sessions of older versions, in
 * both drivers: at the end the rows are the session files', and those that were seen to come.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { BridgeConnection } from '../../src/control/connect-bridge.ts';
import type { RunFrame } from '../../src/control/frames.ts';
import { startAppServer } from '../support/app-server.ts';
import { fixture } from '../support/codex-files.ts';
import { startDaemonProcess, type DaemonProcess } from '../support/daemon-process.ts';
import { codexBin, makeCodexHome } from '../support/scripted-model/codex-home.ts';
import { hold, reason, say, shell, type Reply } from '../support/scripted-model/script.ts';
import {
  startScriptedModel,
  type ScriptedModel,
} from '../support/scripted-model/start-scripted-model.ts';
import { expectFiledRows, filedRows, watchRows } from '../support/session-rows.ts';
import { subscribe, threadsCreate, type Subscriber } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const held = (gate: string): Reply[] => [[say('Begun.'), hold(gate), say('Ended.')]];
const script = {
  '*': [[reason('**Thinking**'), say('I do.')]],
  'with a command': [[shell('echo up')], [say('Done.')]],
  'first of five': held('five'),
  'beside 0': held('beside 0'),
  'beside 1': held('beside 1'),
  'beside 2': held('beside 2'),
  'beside 3': held('beside 3'),
  'by somebody else': held('elsewhere'),
};

const threadAnswer = z.object({ thread: z.object({ id: z.string() }) });
const sessionMeta = z.object({ payload: z.object({ id: z.string(), cwd: z.string() }) });
/** Of the three formats that session files had before 0.148. */
const OLDER = ['0.42.0/cmd', '0.87.0/fill', '0.130.0/mcp'];
const ENDS = ['completed', 'failed', 'interrupted', 'timedOut'];

describe.each(['exec', 'app-server'] as const)('with the driver %s', (driver) => {
  let folder: ReturnType<typeof temporaryFolder>;
  let model: ScriptedModel;
  let codexHome: string;
  let project: string;
  /** The ids of recorded sessions, by what they recorded. */
  let older: Map<string, string>;
  let daemon: DaemonProcess;
  let bridge: BridgeConnection;
  let app: Subscriber;
  let ended: Map<string, RunFrame>;
  let waiting: Set<() => void>;

  beforeAll(async () => {
    folder = temporaryFolder();
    model = await startScriptedModel(script);
    codexHome = makeCodexHome({ modelUrl: model.url, path: join(folder.path, 'codex') });
    project = join(folder.path, 'project');
    mkdirSync(project);
    // Before the first Codex of today looks: it takes down then what there is.
    older = new Map(OLDER.map((name) => [name, placeSession(fixture(`${name}/rollout.jsonl`))]));
    daemon = await startDaemonProcess({
      folder: folder.path,
      env: { CODEX_BIN: codexBin, OPENAGENTS_CODEX_DRIVER: driver },
    });
    bridge = await daemon.connect();
    ended = new Map();
    waiting = new Set();
    bridge.on('bridge.run', (frame) => {
      if (!ENDS.includes(frame.state)) return;
      ended.set(frame.runId, frame);
      for (const look of waiting) look();
    });
    app = subscribe(daemon);
  });

  afterAll(async () => {
    bridge.close();
    await app[Symbol.asyncDispose]();
    await daemon[Symbol.asyncDispose]();
    await model.close();
    folder[Symbol.dispose]();
  });

  const newThread = async () => await app.client.mutation(threadsCreate, { cwd: project });
  const submit = async (threadDocId: string, text: string, more: object = {}) =>
    (await bridge.request('run.submit', { threadDocId, text, ...more })).runId;

  async function endOf(runId: string): Promise<RunFrame> {
    const { promise, resolve } = Promise.withResolvers<RunFrame>();
    const look = () => {
      const frame = ended.get(runId);
      if (frame !== undefined) resolve(frame);
    };
    waiting.add(look);
    look();
    return await promise;
  }

  const stateOf = async (runId: string) => (await bridge.request('run.status', { runId })).state;

  test('five runs of one thread go on one behind the other, in order, in one session', async () => {
    const thread = await newThread();
    const { seen, stop } = watchRows(app, thread);
    const prompts = ['first of five', 'second', 'third, with a command', 'fourth', 'fifth'];
    const runs: string[] = [];
    for (const prompt of prompts) runs.push(await submit(thread, prompt));
    await model.reached('five');
    expect(await Promise.all(runs.map(stateOf))).toEqual([
      'running',
      'queued',
      'queued',
      'queued',
      'queued',
    ]);
    model.release('five');
    const ends = await Promise.all(runs.map(endOf));
    expect(ends.map(({ state }) => state)).toEqual(prompts.map(() => 'completed'));
    expect(new Set(ends.map(({ resumeId }) => resumeId)).size).toBe(1);
    const times = ends.flatMap(({ spawnedAt = 0, endedAt = 0 }) => [spawnedAt, endedAt]);
    expect(times).toEqual(times.toSorted((one, other) => one - other));
    const filed = filedRows(codexHome, ends[0]?.resumeId);
    const rows = await expectFiledRows(app, thread, { filed, seen });
    stop();
    expect(rows.filter(({ role }) => role === 'user').map(({ text }) => text)).toEqual(prompts);
  });

  test('four threads go on at once; the fifth waits for one of them', async () => {
    const threads = await Promise.all(Array.from({ length: 5 }, newThread));
    const watched = threads.map((thread) => watchRows(app, thread));
    const runs: string[] = [];
    for (const [index, thread] of threads.entries()) {
      runs.push(await submit(thread, `beside ${index}`));
    }
    const gates = [0, 1, 2, 3].map((index) => `beside ${index}`);
    await Promise.all(gates.map((gate) => model.reached(gate)));
    expect(await stateOf(runs[4] ?? '')).toBe('queued');
    model.release('beside 2');
    await Promise.all([endOf(runs[2] ?? ''), endOf(runs[4] ?? '')]);
    expect(await stateOf(runs[0] ?? '')).toBe('running');
    for (const gate of gates) model.release(gate);
    const ends = await Promise.all(runs.map(endOf));
    expect(ends.map(({ state }) => state)).toEqual(runs.map(() => 'completed'));
    for (const [index, { seen, stop }] of watched.entries()) {
      const filed = filedRows(codexHome, ends[index]?.resumeId);
      await expectFiledRows(app, threads[index] ?? '', { filed, seen });
      stop();
    }
  });

  test('a copy of a session goes on beside it: the thread has the copy, and all that it copied', async () => {
    const thread = await newThread();
    const { seen, stop } = watchRows(app, thread);
    const { resumeId: session } = await endOf(await submit(thread, 'to be copied'));
    const args = ['exec', '--json', '--skip-git-repo-check', 'resume', String(session), '-'];
    const env = { ...process.env, CODEX_HOME: codexHome };
    const holder = spawn(codexBin, args, {
      env,
      cwd: project,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    holder.stdin.end('by somebody else');
    await model.reached('elsewhere');
    const copied = await endOf(await submit(thread, 'in the copy', { onConflict: 'fork' }));
    expect(copied).toMatchObject({ state: 'completed' });
    expect(copied.resumeId).not.toBe(session);
    model.release('elsewhere');
    await once(holder, 'exit');
    const next = await endOf(await submit(thread, 'in the copy, again'));
    expect(next).toMatchObject({ state: 'completed', resumeId: copied.resumeId });
    // The copy ends the turn that was going on in what it copied: one row all the same.
    const filed = [session, copied.resumeId].flatMap((id) => filedRows(codexHome, id));
    const union = [...new Map(filed.map((row) => [row.key, row])).values()];
    await expectFiledRows(app, thread, { filed: union, seen });
    stop();
  });

  test.each(OLDER)('a session of Codex %s is gone on with', async (name) => {
    const threadId = older.get(name) ?? '';
    const isIt = (thread: { threadId: string }) => thread.threadId === threadId;
    const thread = (await app.threads((all) => all.some(isIt))).find(isIt)?._id ?? '';
    const { seen, stop } = watchRows(app, threadId);
    for (const prompt of ['go on', 'go on with a command']) {
      const end = await endOf(await submit(thread, prompt));
      expect(end).not.toHaveProperty('error');
      expect(end).toMatchObject({ state: 'completed', driver, resumeId: threadId });
      await expectFiledRows(app, threadId, { filed: filedRows(codexHome, threadId), seen });
    }
    stop();
  });

  test('a session that Codex of today keeps in the older way is gone on with', async () => {
    const server = await startAppServer({ codexHome, cwd: project });
    const given = { cwd: project, approvalPolicy: 'never', sandbox: 'danger-full-access' };
    const { thread } = threadAnswer.parse(
      await server.request('thread/start', { ...given, historyMode: 'legacy' }),
    );
    const input = [{ type: 'text', text: 'with a command' }];
    await server.request('turn/start', { threadId: thread.id, input });
    await server.notified(({ method }) => method === 'turn/completed');
    await server[Symbol.asyncDispose]();
    const threads = await app.threads((all) => all.some((each) => each.threadId === thread.id));
    const { seen, stop } = watchRows(app, thread.id);
    const row = threads.find((each) => each.threadId === thread.id)?._id ?? '';
    const end = await endOf(await submit(row, 'go on with a command'));
    expect(end).toMatchObject({ state: 'completed', resumeId: thread.id });
    const filed = filedRows(codexHome, thread.id);
    await expectFiledRows(app, thread.id, { filed, seen });
    stop();
  });

  /** A recorded session, as if it had been this home's, project's and model's. Returns its id. */
  function placeSession(lines: readonly string[]): string {
    const { payload } = sessionMeta.parse(JSON.parse(lines[0] ?? ''));
    const day = join(codexHome, 'sessions', '2026', '11', '23');
    mkdirSync(day, { recursive: true });
    const text = lines
      .join('\n')
      .replaceAll(payload.cwd, project)
      .replaceAll('"model_provider":"mock"', '"model_provider":"scripted"')
      .replaceAll(/"model":"[^"]*"/g, '"model":"gpt-5.5"');
    writeFileSync(join(day, `rollout-2026-11-23T09-00-00-${payload.id}.jsonl`), `${text}\n`);
    return payload.id;
  }
});
