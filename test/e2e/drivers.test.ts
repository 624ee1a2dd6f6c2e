/**
 * Both drivers, the real CLI, the real daemon and backend: at the end the rows are the
 * session file's, each once, and they are the rows that a subscriber saw come.
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BridgeConnection, EventOf } from '../../src/control/connect-bridge.ts';
import { processGone, startDaemonProcess, type DaemonProcess } from '../support/daemon-process.ts';
import { codexBin, makeCodexHome } from '../support/scripted-model/codex-home.ts';
import {
  fail,
  hold,
  mcp,
  patch,
  plan,
  reason,
  refuse,
  say,
  sayHalting,
  shell,
} from '../support/scripted-model/script.ts';
import {
  startScriptedModel,
  type ScriptedModel,
} from '../support/scripted-model/start-scripted-model.ts';
import { expectFiledRows, filedRows, watchRows } from '../support/session-rows.ts';
import {
  subscribe,
  threadsCreate,
  type MessageRow,
  type Subscriber,
} from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';
import { verified } from '../support/verifying.ts';

const script = {
  'write a note': [
    [reason('**Thinking** of it'), say('I look first.'), plan({ look: 'in_progress' })],
    [shell('echo one; sleep 0.3; echo two')],
    [shell('echo wrong; exit 3')],
    [patch('*** Add File: note.txt', '+one')],
    [mcp('demo', 'echo', { text: 'hi' }), mcp('demo', 'boom', {})],
    [plan({ look: 'completed' })],
    [say('Done.')],
  ],
  remember: [[say('I do.')]],
  'break down': [[fail('the model broke')]],
  'be refused': [[refuse(400, 'no such model')]],
  'be slow': [[say('Wait'), hold('slow'), say('for it.')]],
  'halt in a word': [[reason('Hm.'), sayHalting('Half of it, and the rest.', 'half')]],
  'be cut': [[sayHalting('Cut here', 'cut')]],
  'be killed': [[say('So far.'), hold('killed'), say('Never.')]],
  'be orphaned': [[say('So far.'), hold('orphaned'), say('Never.')]],
};

const ENDS = ['completed', 'failed', 'interrupted', 'timedOut'];

describe.each(['exec', 'app-server'] as const)('with the driver %s', (driver) => {
  let folder: ReturnType<typeof temporaryFolder>;
  let model: ScriptedModel;
  let daemon: DaemonProcess;
  let bridge: BridgeConnection;
  let app: Subscriber;
  let codexHome: string;
  let threadDocId: string;
  let watched: ReturnType<typeof watchRows>;
  let ended: Map<string, EventOf<'bridge.run'>>;
  let somethingEnded: () => void;

  beforeAll(async () => {
    folder = temporaryFolder();
    model = await startScriptedModel(script);
    codexHome = makeCodexHome({ modelUrl: model.url, path: join(folder.path, 'codex') });
    const server = fileURLToPath(new URL('../support/mcp-echo/main.ts', import.meta.url));
    appendFileSync(
      join(codexHome, 'config.toml'),
      `\n[mcp_servers.demo]\ncommand = ${JSON.stringify(process.execPath)}\nargs = [${JSON.stringify(server)}]\n`,
    );
    mkdirSync(join(folder.path, 'project'));
    await start();
  });

  afterAll(async () => {
    await stop();
    await daemon[Symbol.asyncDispose]();
    await model.close();
    folder[Symbol.dispose]();
  });

  beforeEach(async () => {
    threadDocId = await app.client.mutation(threadsCreate, { cwd: join(folder.path, 'project') });
    watched = watchRows(app, threadDocId);
  });

  afterEach(() => watched.stop());

  async function start(): Promise<void> {
    ended = new Map();
    daemon = await startDaemonProcess({
      folder: folder.path,
      env: { CODEX_BIN: codexBin, OPENAGENTS_CODEX_DRIVER: driver },
    });
    bridge = await daemon.connect();
    bridge.onFrame((frame) => {
      if (frame.type !== 'bridge.run' || !ENDS.includes(frame.state)) return;
      ended.set(frame.runId, frame);
      somethingEnded?.();
    });
    app = subscribe(daemon);
  }

  async function stop(): Promise<void> {
    bridge.close();
    await app[Symbol.asyncDispose]();
  }

  async function submit(text: string): Promise<string> {
    const frame = await bridge.request('run.submit', { threadDocId, text });
    return frame.runId;
  }

  async function endOf(runId: string): Promise<EventOf<'bridge.run'>> {
    for (;;) {
      const frame = ended.get(runId);
      if (frame !== undefined) return frame;
      await new Promise<void>((resolve) => (somethingEnded = resolve));
    }
  }

  /** Resolves when Codex has written these words into its file, and a subscriber has seen all that is in it. */
  async function isSaid(runId: string, text: string): Promise<void> {
    await app.messages(threadDocId, (rows) => rows.some((row) => row.text === text));
    const { resumeId } = await bridge.request('run.status', { runId });
    await until('it is in the file, and seen', () => {
      const filed = filedRows(codexHome, resumeId);
      return filed.some((row) => row.text === text) && watched.seen.size >= filed.length;
    });
  }

  /** Resolves when the rows are the session file's, and are those that were seen. */
  async function rowsAreFiled(resumeId: unknown, more: object[] = []): Promise<void> {
    const filed = filedRows(codexHome, resumeId);
    await expectFiledRows(app, threadDocId, { filed, seen: watched.seen, more });
  }

  async function rowIs(wanted: Partial<MessageRow>): Promise<MessageRow> {
    const fits = (row: MessageRow) =>
      Object.entries(wanted).every(([field, value]) => row[field as keyof MessageRow] === value);
    const rows = await app.messages(threadDocId, (all) => all.some(fits));
    // One fits, as has just been seen.
    return rows.find(fits) as MessageRow;
  }

  async function cutRows() {
    const rows = await app.messages(threadDocId, (all) => all.some(isCut));
    return rows.filter(isCut).map(({ key, kind, text }) => ({ key, kind, text }));
  }

  test('reasoning, words, a plan, commands, a patch and MCP calls', async () => {
    const { resumeId, state, ...frame } = await endOf(await submit('write a note'));
    expect({ state, driver: frame.driver }).toEqual({ state: 'completed', driver });
    await rowsAreFiled(resumeId);
    const rows = [...watched.seen.values()];
    expect(rows.find(({ text }) => text === 'demo.echo')).toMatchObject({
      data: { status: 'completed' },
    });
    expect(rows.find(({ text }) => text?.includes('exit 3'))).toMatchObject({
      data: { status: 'failed', exitCode: 3 },
    });
    expect(model.surprises).toEqual([]);
  });

  test('a session that is gone on with', async () => {
    const first = await endOf(await submit('remember'));
    const { resumeId } = await endOf(await submit('remember'));
    expect(resumeId).toBe(first['resumeId']);
    await rowsAreFiled(resumeId);
    expect([...watched.seen.values()].filter(({ text }) => text === 'I do.')).toHaveLength(2);
  });

  test.each([
    ['break down', 'the model broke'],
    ['be refused', 'no such model'],
  ])('a model that is to %s', async (prompt, reason) => {
    const { resumeId, state, error } = await endOf(await submit(prompt));
    expect({ state, error }).toMatchObject({ state: 'failed', error: { code: 'codex_failed' } });
    expect(JSON.stringify(error)).toContain(reason);
    await rowsAreFiled(resumeId);
  });

  test('a slow stream is seen before it ends', async () => {
    const runId = await submit('be slow');
    await model.reached('slow');
    await app.messages(threadDocId, (rows) => rows.some(({ text }) => text === 'Wait'));
    expect(ended.has(runId)).toBe(false);
    model.release('slow');
    await rowsAreFiled((await endOf(runId))['resumeId']);
  });

  test('a message whose words come slowly is one row, from its first words where they are streamed', async () => {
    const runId = await submit('halt in a word');
    await model.reached('half');
    const first =
      driver === 'app-server' && (await rowIs({ text: 'Half of it, a', partial: true }));
    model.release('half');
    await rowsAreFiled((await endOf(runId))['resumeId']);
    const { _id, key } =
      first || (await rowIs({ kind: 'message', text: 'Half of it, and the rest.' }));
    expect(watched.seen.get(_id)).toMatchObject({ text: 'Half of it, and the rest.', key });
    expect(watched.seen.get(_id)).not.toHaveProperty('seq');
  });

  test('an interrupt in the middle of a stream', async () => {
    const runId = await submit('be cut');
    await model.reached('cut');
    if (driver === 'app-server') await rowIs({ text: 'Cut ', partial: true });
    await bridge.request('interrupt', { runId });
    const { resumeId, state } = await endOf(runId);
    expect(state).toBe('interrupted');
    // Codex keeps nothing of a message that it did not finish; who has seen it keeps it.
    const cut = await (driver === 'exec' ? [] : cutRows());
    await rowsAreFiled(resumeId, cut);
    expect(cut).toHaveLength(driver === 'exec' ? 0 : 1);
  });

  test('kill -9 of Codex in the middle of a stream', async () => {
    const runId = await submit('be killed');
    await model.reached('killed');
    await isSaid(runId, 'So far.');
    const { pid } = await bridge.request('run.status', { runId });
    process.kill(Number(pid), 'SIGKILL');
    const { state, resumeId } = await endOf(runId);
    expect(state).toBe('failed');
    await rowsAreFiled(resumeId);
  });

  test('kill -9 of the bridge in the middle of a stream', async () => {
    const runId = await submit('be orphaned');
    await model.reached('orphaned');
    await isSaid(runId, 'So far.');
    const { pid, resumeId } = await bridge.request('run.status', { runId });
    watched.stop();
    daemon.kill('SIGKILL');
    await daemon.exited;
    expect(await processGone(Number(pid))).toBe(true);
    await stop();
    await start();
    await rowsAreFiled(resumeId);
    // It is judged after the bridge is there.
    await expect
      .poll(async () => await bridge.request('run.status', { runId }))
      .toMatchObject({ state: 'interrupted' });
  });

  test('and at the end a verification finds no difference in all of it', async () => {
    await until('it stands still', async () => {
      const { changing, behind } = await verified(daemon, { all: true });
      return changing === 0 && behind.files === 0;
    });
    const { counts, differences, threads } = await verified(daemon, { all: true });
    expect({ counts: Object.values(counts), differences }).toEqual({
      counts: [0, 0, 0, 0, 0, 0],
      differences: [],
    });
    expect(threads.done).toBeGreaterThanOrEqual(6);
  });
});

function isCut({ data, partial }: MessageRow): boolean {
  return data?.['interrupted'] === true && partial !== true;
}
