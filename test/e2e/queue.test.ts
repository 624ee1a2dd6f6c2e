/** The queue, receipts, conflicts and projects, through the real daemon, backend and Codex. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { makeFunctionReference } from 'convex/server';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BridgeConnection } from '../../src/control/connect-bridge.ts';
import type { RunFrame } from '../../src/control/frames.ts';
import { startDaemonProcess, type DaemonProcess } from '../support/daemon-process.ts';
import { codexBin, makeCodexHome } from '../support/scripted-model/codex-home.ts';
import { hold, say } from '../support/scripted-model/script.ts';
import {
  startScriptedModel,
  type ScriptedModel,
} from '../support/scripted-model/start-scripted-model.ts';
import { subscribe, threadsCreate, type Subscriber } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

interface RunRow {
  _id: string;
  status: string;
  text: string;
  error?: string;
  state?: string;
  evidence?: { what: string; at: number };
  sessionId?: string;
}
const byId = makeFunctionReference<'query', { id: string }, RunRow>('runs:byId');
const recent = makeFunctionReference<'query', { limit?: number }, RunRow[]>('runs:recent');
const cancel = makeFunctionReference<'mutation', { runId: string }, boolean>('runs:cancel');
const edit = makeFunctionReference<'mutation', { runId: string; text: string }, null>('runs:edit');
const enqueue = makeFunctionReference<
  'mutation',
  { threadDocId: string; text: string; projectId?: string },
  { runId: string }
>('runs:enqueue');

const script = {
  quick: [[say('Quick.')]],
  held: [[say('Begun.'), hold('held'), say('Ended.')]],
  silent: [[say('Begun.'), hold('silent'), say('Ended.')]],
  quiet: [[say('Begun.'), hold('quiet'), say('Ended.')]],
  'open to refuse': [[say('Begun.'), hold('to refuse'), say('Ended.')]],
  'open to wait': [[say('Begun.'), hold('to wait'), say('Ended.')]],
  'open to fork': [[say('Begun.'), hold('to fork'), say('Ended.')]],
};

describe.each(['exec', 'app-server'] as const)('with the driver %s', (driver) => {
  let folder: ReturnType<typeof temporaryFolder>;
  let model: ScriptedModel;
  let codexHome: string;
  let project: string;
  let daemon: DaemonProcess;
  let bridge: BridgeConnection;
  let app: Subscriber;
  let frames: RunFrame[];
  let arrived: () => void;
  let thread: string;

  beforeAll(async () => {
    folder = temporaryFolder();
    model = await startScriptedModel(script);
    codexHome = makeCodexHome({ modelUrl: model.url, path: join(folder.path, 'codex') });
    project = join(folder.path, 'project');
    mkdirSync(project);
    await start();
  });

  afterAll(async () => {
    await stop();
    await model.close();
    folder[Symbol.dispose]();
  });

  beforeEach(async () => {
    thread = await app.client.mutation(threadsCreate, { cwd: project });
  });

  async function start(): Promise<void> {
    frames = [];
    arrived = () => {};
    daemon = await startDaemonProcess({
      folder: folder.path,
      env: {
        CODEX_BIN: codexBin,
        OPENAGENTS_CODEX_DRIVER: driver,
        OPENAGENTS_RUN_STALL: '3',
      },
    });
    bridge = await daemon.connect();
    bridge.on('bridge.run', (frame) => {
      frames.push(frame);
      arrived();
    });
    app = subscribe(daemon);
  }

  async function stop(): Promise<void> {
    bridge.close();
    await app[Symbol.asyncDispose]();
    await daemon[Symbol.asyncDispose]();
  }

  async function runIs(runId: string, state: string): Promise<RunFrame> {
    for (;;) {
      const found = frames.find((frame) => frame.runId === runId && frame.state === state);
      if (found !== undefined) return found;
      const end = frames.find((frame) => frame.runId === runId && frame.endedAt !== undefined);
      if (end !== undefined) throw new Error(`The run ended otherwise: ${JSON.stringify(end)}`);
      await new Promise<void>((resolve) => (arrived = resolve));
    }
  }

  const submit = async (text: string, more: object = {}) =>
    (await bridge.request('run.submit', { threadDocId: thread, text, ...more })).runId;

  test('a run that waits is edited and withdrawn through Convex and over the socket', async () => {
    const first = await submit('held');
    await model.reached('held');
    const edited = await submit('to be edited');
    const again = await submit('to be edited again');
    const withdrawn = await submit('to be withdrawn');
    await app.client.mutation(edit, { runId: edited, text: 'quick, by an app' });
    await bridge.request('run.edit', { runId: again, text: 'quick, by a client' });
    expect(await app.client.mutation(cancel, { runId: withdrawn })).toBe(true);
    await runIs(withdrawn, 'interrupted');
    model.release('held');
    await runIs(edited, 'completed');
    await runIs(again, 'completed');
    expect(model.requests.map(({ prompt }) => prompt)).toEqual([
      'held',
      'quick, by an app',
      'quick, by a client',
    ]);
    await expect
      .poll(async () => await app.client.query(byId, { id: first }))
      .toMatchObject({ status: 'done' });
  });

  test('a run that goes on is ended by an app that only has Convex', async () => {
    const { runId } = await app.client.mutation(enqueue, { threadDocId: thread, text: 'silent' });
    await runIs(runId, 'running');
    await app.client.mutation(cancel, { runId });
    expect(await runIs(runId, 'interrupted')).toMatchObject({
      error: { message: 'The run was interrupted: an app asked for it' },
    });
  });

  test('a run that shows no sign of life is stalled, in its row too, and goes on after', async () => {
    const runId = await submit('quiet');
    await model.reached('quiet');
    await runIs(runId, 'stalled');
    // Where Codex comes up slowly, it was so once before, and had no session then.
    await until('its row says the same', async () => {
      const frame = frames.findLast((each) => each.runId === runId);
      const row = await app.client.query(byId, { id: runId });
      const isStalled = frame?.state === 'stalled' && row.state === 'stalled';
      return isStalled && !!row.sessionId && isDeepStrictEqual(row.evidence, frame.evidence);
    });
    model.release('quiet');
    expect(await runIs(runId, 'completed')).toMatchObject({
      spawnedAt: expect.any(Number),
      sessionAt: expect.any(Number),
      turnAt: expect.any(Number),
      usage: { totalTokens: expect.any(Number) },
    });
  });

  test('the same id is the same run, also after a restart; with another text it is a conflict', async () => {
    const id = `receipt of ${thread}`;
    const ask = async (text: string) =>
      await bridge.request('run.submit', { id, threadDocId: thread, text });
    const { runId } = await ask('quick');
    expect(await ask('quick')).toMatchObject({ runId });
    await runIs(runId, 'completed');
    await expect(ask('quick, and other')).rejects.toMatchObject({ code: 'conflict' });
    await stop();
    await start();
    const before = (await app.client.query(recent, {})).length;
    expect(await ask('quick')).toMatchObject({ runId, state: 'completed' });
    expect(await app.client.query(recent, {})).toHaveLength(before);
  });

  describe('of a session that another Codex has open', () => {
    let holder: ChildProcess;
    let session: string;

    /** Another Codex, in the middle of a turn of the thread's session. */
    async function open(gate: string): Promise<void> {
      session = String((await runIs(await submit('quick'), 'completed')).resumeId);
      const args = ['exec', '--json', '--skip-git-repo-check', 'resume', session, '-'];
      const env = { ...process.env, CODEX_HOME: codexHome };
      holder = spawn(codexBin, args, { env, cwd: project, stdio: ['pipe', 'ignore', 'ignore'] });
      holder.stdin?.end(`open ${gate}`);
      await model.reached(gate);
    }

    afterEach(async () => {
      if (holder.exitCode === null && holder.signalCode === null) {
        holder.kill('SIGINT');
        await once(holder, 'exit');
      }
    });

    test('a run fails and says who has it; none begins afresh', async () => {
      await open('to refuse');
      const { error } = await runIs(await submit('quick'), 'failed');
      expect(error).toMatchObject({
        code: 'session_conflict',
        message: expect.stringMatching(/process \d+ \(.*codex/),
      });
    });

    test('a run waits for it, and goes on with it', async () => {
      await open('to wait');
      const runId = await submit('quick', { onConflict: 'wait' });
      expect(await runIs(runId, 'waiting')).toMatchObject({
        holder: expect.stringMatching(/process \d+/),
      });
      model.release('to wait');
      expect(await runIs(runId, 'completed')).toMatchObject({ resumeId: session });
    });

    test('a run goes on in a copy', async () => {
      await open('to fork');
      const { resumeId } = await runIs(await submit('quick', { onConflict: 'fork' }), 'completed');
      expect(resumeId).not.toBe(session);
      const next = await runIs(await submit('quick'), 'completed');
      expect(next.resumeId).toBe(resumeId);
    });
  });

  test('a project gives directory, permissions and instructions; a request beats it', async () => {
    const directory = join(folder.path, 'site');
    mkdirSync(directory, { recursive: true });
    const file = join(folder.path, 'openagents', 'projects', 'site');
    mkdirSync(file, { recursive: true });
    writeFileSync(
      join(file, 'PROJECT.md'),
      `---\nname: Site\nworkingDir: ${directory}\nsandbox: read-only\ninstructions: Answer in rhymes.\n---\n`,
    );
    await expect(submit('quick', { projectId: 'nowhere' })).rejects.toMatchObject({
      code: 'not_found',
    });
    // The file is mirrored in a moment.
    let runId = '';
    await until('the project is there', async () => {
      runId = await submit('quick', { projectId: 'site' }).catch(() => '');
      return runId !== '';
    });
    expect(await runIs(runId, 'completed')).toMatchObject({ cwd: directory, sandbox: 'read-only' });
    expect(model.requests.at(-1)?.told).toContain('Answer in rhymes.');
    const { runId: ofApp } = await app.client.mutation(enqueue, {
      threadDocId: thread,
      text: 'quick',
    });
    expect(await runIs(ofApp, 'completed')).toMatchObject({ cwd: directory });
    const asked = await submit('quick', { sandbox: 'workspace-write' });
    expect(await runIs(asked, 'completed')).toMatchObject({ sandbox: 'workspace-write' });
  });
});
