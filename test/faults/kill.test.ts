/**
 * kill -9 of each process in the middle of a stream of lines. `KILL_ROUNDS` sets how
 * often (`npm run test:kill` does twenty rounds of each).
 */
import { globSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { processGone, startDaemonProcess, type DaemonProcess } from '../support/daemon-process.ts';
import { descendant, processesWith } from '../support/processes.ts';
import { codexBin, makeCodexHome } from '../support/scripted-model/codex-home.ts';
import { hold, say } from '../support/scripted-model/script.ts';
import { startScriptedModel } from '../support/scripted-model/start-scripted-model.ts';
import { createSession, type SessionWriter } from '../support/session-writer.ts';
import { subscribe, threadsCreate, type MessageRow } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 4);
/** Messages appended in each round; the kill falls between the first and the last. */
const MESSAGES = 20;
const LIMIT_MS = 30_000 + ROUNDS * 10_000;

const texts = (messages: MessageRow[]) =>
  messages.filter(({ kind }) => kind === 'message').map(({ text }) => text);

test(
  'kill -9 of the daemon loses and doubles nothing, and leaves no process behind',
  { timeout: LIMIT_MS },
  async () => {
    using folder = temporaryFolder();
    const session = createSession(join(folder.path, 'codex'));
    const written: string[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const daemon = await startDaemonProcess({ folder: folder.path });
      const backend = await descendant(daemon.pid, 'embedded-convex');
      await appendWhile(session, written, round, () => daemon.kill('SIGKILL'));
      await daemon.exited;
      expect(await processGone(backend?.pid ?? 0)).toBe(true);
      expect(await processesWith(folder.path)).toEqual([]);
    }
    await using daemon = await startDaemonProcess({ folder: folder.path });
    await expectExactly(daemon, session, written);
  },
);

test(
  'kill -9 of the embedded backend loses and doubles nothing, and it comes back by itself',
  { timeout: LIMIT_MS },
  async () => {
    using folder = temporaryFolder();
    const session = createSession(join(folder.path, 'codex'));
    const written: string[] = [];
    await using daemon = await startDaemonProcess({ folder: folder.path });
    for (let round = 0; round < ROUNDS; round += 1) {
      const backend = await vi.waitUntil(() => descendant(daemon.pid, 'embedded-convex'), {
        timeout: 20_000,
      });
      await appendWhile(session, written, round, () => process.kill(backend.pid, 'SIGKILL'));
      await expectExactly(daemon, session, written);
    }
  },
);

test(
  'kill -9 of Codex ends its run as failed, with exactly what its session file holds',
  { timeout: LIMIT_MS },
  async () => {
    using folder = temporaryFolder();
    await using model = await startScriptedModel({
      '*': [[say('First.'), say('Second.'), hold('for ever'), say('Never.')]],
    });
    const codexHome = makeCodexHome({ modelUrl: model.url, path: join(folder.path, 'codex') });
    const project = join(folder.path, 'project');
    mkdirSync(project);
    await using daemon = await startDaemonProcess({
      folder: folder.path,
      env: { CODEX_BIN: codexBin, CODEX_HOME: codexHome },
    });
    await using app = subscribe(daemon);
    const bridge = await daemon.connect();
    for (let round = 0; round < ROUNDS; round += 1) {
      const threadDocId = await app.client.mutation(threadsCreate, { cwd: project });
      const ended = new Promise<string>((resolve) => {
        const stop = bridge.onFrame((frame) => {
          if (frame.type !== 'bridge.run' || frame.threadDocId !== threadDocId) return;
          if (!['failed', 'completed', 'interrupted'].includes(frame.state)) return;
          stop();
          resolve(frame.state);
        });
      });
      await bridge.request('run.submit', { threadDocId, text: `round ${round}` });
      const expected = [`round ${round}`, 'First.', 'Second.'];
      await app.messages(threadDocId, (rows) => texts(rows).length === expected.length);
      // Codex says it on its output first.
      await until(
        'it is in the session file',
        () => sessionFilesWith(codexHome, 'Second.') === round + 1,
      );
      const codex = await vi.waitUntil(() => descendant(daemon.pid, 'app-server'), {
        timeout: 10_000,
      });
      process.kill(codex.pid, 'SIGKILL');
      expect(await ended).toBe('failed');
      const rows = await app.messages(threadDocId, (messages) =>
        messages.every(({ provisional }) => provisional !== true),
      );
      expect(texts(rows)).toEqual(expected);
    }
    expect(
      (await processesWith('app-server')).filter(({ command }) => command.includes(folder.path)),
    ).toEqual([]);
    bridge.close();
  },
);

function sessionFilesWith(codexHome: string, text: string): number {
  const paths = globSync(join(codexHome, 'sessions', '**', '*.jsonl'));
  return paths.filter((path) => readFileSync(path, 'utf8').includes(text)).length;
}

/** Appends this round's messages, each a few ms after the last, and kills among them. */
async function appendWhile(
  session: SessionWriter,
  written: string[],
  round: number,
  kill: () => void,
): Promise<void> {
  // A different place in each round, the same in each run of the test.
  const killAt = (round * 7) % MESSAGES;
  for (let index = 0; index < MESSAGES; index += 1) {
    const text = `round ${round}, message ${index}`;
    if (index % 2 === 0) session.user(text);
    else session.assistant(text);
    written.push(text);
    if (index === killAt) kill();
    // The pace of the stream, not a wait for anything.
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function expectExactly(
  daemon: DaemonProcess,
  session: SessionWriter,
  written: string[],
): Promise<void> {
  await using app = subscribe(daemon);
  const rows = await app.messages(
    session.threadId,
    (messages) => texts(messages).length >= written.length,
  );
  expect(texts(rows)).toEqual(written);
  const threads = await app.threads((list) => list[0]?.messageCount === written.length);
  expect(threads).toHaveLength(1);
}
