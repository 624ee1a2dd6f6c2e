/** How the daemon ends, and how soon its next life serves. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { processGone, startDaemonProcess, type DaemonProcess } from '../support/daemon-process.ts';
import { freePort } from '../support/ports.ts';
import { descendants } from '../support/processes.ts';
import { createSession } from '../support/session-writer.ts';
import { subscribe, threadsCreate, type MessageRow } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** What a service manager gives before it kills; ms. */
const STOP_LIMIT_MS = 10_000;

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

const texts = (messages: MessageRow[]) =>
  messages.filter(({ kind }) => kind === 'message').map(({ text }) => text);

/** Sends the signal and waits for the end of the daemon and of all that it started. */
async function end(daemon: DaemonProcess, signal: NodeJS.Signals) {
  const started = await descendants(daemon.pid);
  const before = performance.now();
  daemon.kill(signal);
  const { exitCode } = await daemon.exited;
  const tookMs = performance.now() - before;
  for (const { pid, command } of started) expect(await processGone(pid), command).toBe(true);
  return { exitCode, tookMs };
}

test('SIGTERM while lines stream in exits 0; the next life has every line once', async () => {
  const session = createSession(join(folder.path, 'codex'));
  const written: string[] = [];
  const write = () => {
    written.push(`message ${written.length}`);
    session.user(`message ${written.length - 1}`);
  };
  const daemon = await startDaemonProcess({ folder: folder.path });
  // The pace of the stream, which goes on until after the end.
  const stream = setInterval(write, 3);
  {
    await using app = subscribe(daemon);
    await app.messages(session.threadId, (rows) => rows.length > 10);
  }
  const { exitCode, tookMs } = await end(daemon, 'SIGTERM');
  expect(exitCode).toBe(0);
  expect(tookMs).toBeLessThan(STOP_LIMIT_MS);
  write();
  clearInterval(stream);

  await using next = await startDaemonProcess({ folder: folder.path });
  await using app = subscribe(next);
  const rows = await app.messages(session.threadId, (messages) =>
    texts(messages).includes(written.at(-1)),
  );
  // A subscription shows the newest 500.
  expect(texts(rows)).toEqual(written.slice(-texts(rows).length));
  const threads = await app.threads((list) => list[0]?.messageCount === written.length);
  expect(threads).toHaveLength(1);
});

test('SIGTERM exits 0 in time even when Codex ignores every signal, and ends it all the same', async () => {
  const daemon = await startStubborn();
  const { exitCode, tookMs } = await end(daemon, 'SIGTERM');
  expect(exitCode).toBe(0);
  expect(tookMs).toBeLessThan(STOP_LIMIT_MS);
});

test('a second SIGTERM ends the daemon at once, and still leaves no process behind', async () => {
  const daemon = await startStubborn();
  const started = await descendants(daemon.pid);
  daemon.kill('SIGTERM');
  await daemon.logged(({ msg }) => msg === 'shutting down');
  const before = performance.now();
  daemon.kill('SIGTERM');
  // In order it would have ended with 0, and by its own limit later.
  expect(await daemon.exited).toMatchObject({ exitCode: 1 });
  expect(performance.now() - before).toBeLessThan(STOP_LIMIT_MS / 2);
  for (const { pid, command } of started) expect(await processGone(pid), command).toBe(true);
});

test('after kill -9 the next life has both ports and the database at once, whatever clients were doing', async () => {
  const env = {
    OPENAGENTS_BIND: `127.0.0.1:${await freePort()}`,
    OPENAGENTS_CONVEX_PORT: String(await freePort()),
  };
  const first = await startDaemonProcess({ folder: folder.path, env });
  // A request that never comes to its end: whoever drains would wait for it.
  const slow = connect(Number(env.OPENAGENTS_CONVEX_PORT), '127.0.0.1');
  slow.on('error', () => {});
  slow.write(
    'POST /api/mutation HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
  );
  await using app = subscribe(first);
  await app.threads(() => true);
  first.kill('SIGKILL');
  await first.exited;

  await using next = await startDaemonProcess({ folder: folder.path, env });
  expect(next.log.filter(({ level }) => (level ?? 0) >= 40)).toEqual([]);
  expect(next.convexUrl).toBe(first.convexUrl);
  // The subscriber of the first life goes on by itself.
  const session = createSession(join(folder.path, 'codex'));
  session.user('in the next life');
  await app.messages(session.threadId, (rows) => texts(rows).includes('in the next life'));
  slow.destroy();
});

/** A daemon with a run of a "Codex" that cannot be interrupted. */
async function startStubborn(): Promise<DaemonProcess> {
  const codexBin = join(folder.path, 'stubborn-codex');
  writeFileSync(
    codexBin,
    `#!/bin/sh
if [ "$1" = --version ]; then echo 0.0.0; exit; fi
trap '' INT TERM HUP
echo '{"type":"thread.started","thread_id":"019a0000-0000-7000-8000-000000000000"}'
while :; do sleep 300; done
`,
  );
  chmodSync(codexBin, 0o755);
  const cwd = join(folder.path, 'project');
  mkdirSync(cwd);
  const daemon = await startDaemonProcess({ folder: folder.path, env: { CODEX_BIN: codexBin } });
  const bridge = await daemon.connect();
  await using app = subscribe(daemon);
  const threadDocId = await app.client.mutation(threadsCreate, { cwd });
  const running = new Promise<void>((resolve) => {
    bridge.onFrame((frame) => {
      if (frame.type === 'codex.line') resolve();
    });
  });
  await bridge.request('run.submit', { threadDocId, text: 'try to stop me' });
  await running;
  bridge.close();
  return daemon;
}
