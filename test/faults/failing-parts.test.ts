/** A mistake in the daemon itself: what it hits is started again, said, and the rest goes on. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunFrame } from '../../src/control/frames.ts';
import { processGone, startDaemonProcess, type DaemonProcess } from '../support/daemon-process.ts';
import { descendants } from '../support/processes.ts';
import { createSession } from '../support/session-writer.ts';
import { subscribe, threadsCreate } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const preload = fileURLToPath(new URL('../support/failpoint/main.ts', import.meta.url));

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

async function start(): Promise<DaemonProcess> {
  const codex = join(folder.path, 'fake-codex');
  writeFileSync(codex, FAKE_CODEX);
  chmodSync(codex, 0o755);
  return await startDaemonProcess({
    folder: folder.path,
    env: {
      NODE_OPTIONS: `--import=${preload}`,
      FAILPOINT: join(folder.path, 'failpoint'),
      CODEX_BIN: codex,
      OPENAGENTS_CODEX_DRIVER: 'exec',
    },
  });
}

async function failAt(daemon: DaemonProcess, place: string): Promise<void> {
  const file = join(folder.path, 'failpoint');
  writeFileSync(file, place);
  process.kill(daemon.pid, 'SIGUSR2');
  await until('the failpoint is set', () => !existsSync(file));
}

test('a part that throws is started again, which is told, and all others go on', async () => {
  await using daemon = await start();
  await using app = subscribe(daemon);
  const session = createSession(join(folder.path, 'codex'));
  const bridge = await daemon.connect();
  const told: unknown[] = [];
  bridge.on('bridge.supervisor', (frame) => void told.push(frame));
  await failAt(daemon, 'machines/sessions-watch.ts');
  const asked = bridge.request('sessions.watch', { enabled: false }).catch(() => undefined);
  await daemon.logged(({ msg }) => msg === 'a part is started again');
  session.user('after it');
  await app.messages(session.threadId, (rows) => rows.some(({ text }) => text === 'after it'));
  const failed = daemon.log.filter(({ msg }) => msg === 'a part failed');
  expect(failed).toMatchObject([
    { child: 'sessions', err: { message: expect.stringContaining('failpoint') } },
  ]);
  const { actors } = await bridge.request('bridge.status');
  // Told on the same socket before that answer.
  expect(told).toContainEqual(expect.objectContaining({ child: 'sessions' }));
  const restarted = actors.filter(({ restarts }) => restarts > 0).map(({ id }) => id);
  expect(restarted).toContain('sessions');
  for (const id of ['gateway', 'convex', 'writer', 'runs']) expect(restarted).not.toContain(id);
  bridge.close();
  await asked;
});

test('a run that throws fails alone, with its Codex; the one beside it comes to its end', async () => {
  await using daemon = await start();
  await using app = subscribe(daemon);
  const bridge = await daemon.connect();
  const frames: RunFrame[] = [];
  bridge.on('bridge.run', (frame) => void frames.push(frame));
  const submit = async (project: string) => {
    const cwd = join(folder.path, project);
    mkdirSync(cwd);
    const threadDocId = await app.client.mutation(threadsCreate, { cwd });
    const { runId } = await bridge.request('run.submit', { threadDocId, text: 'hello' });
    await until('it runs', () =>
      frames.some((frame) => frame.runId === runId && frame.turnAt !== undefined),
    );
    return runId;
  };
  const stateOf = (runId: string) => frames.findLast((frame) => frame.runId === runId);
  const first = await submit('first');
  const second = await submit('second');
  await failAt(daemon, 'machines/codex-run-steps.ts');
  writeFileSync(join(folder.path, 'first', 'go'), '');
  await until('the first has failed', () => stateOf(first)?.state === 'failed');
  expect(await processGone(Number(stateOf(first)?.pid))).toBe(true);
  writeFileSync(join(folder.path, 'second', 'go'), '');
  await until('the second is done', () => stateOf(second)?.state === 'completed');
  bridge.close();
});

test('a promise that fails and that nobody waits for is told in the log, and ends the daemon, which the next life goes on from', async () => {
  const daemon = await start();
  const below = await descendants(daemon.pid);
  const session = createSession(join(folder.path, 'codex'));
  session.user('before');
  await failAt(daemon, 'rejection');
  expect(await daemon.exited).toMatchObject({ exitCode: 1 });
  const log = readFileSync(join(folder.path, 'openagents', 'logs', 'bridge.log'), 'utf8');
  expect(log).toContain('failpoint: rejection');
  for (const { pid } of below) expect(await processGone(pid)).toBe(true);
  await using next = await start();
  await using app = subscribe(next);
  await app.messages(session.threadId, (rows) => rows.some(({ text }) => text === 'before'));
});

const FAKE_CODEX = `#!/bin/sh
[ "$1" = --version ] && echo 0.0.0 && exit
echo '{"type":"thread.started","thread_id":"01a21610-1106-7890-9203-3f18b838f17d"}'
echo '{"type":"turn.started"}'
until [ -e go ]; do sleep 0.1; done
echo '{"type":"turn.completed","usage":{}}'
`;
