/** A medium that fails: the system's calls on one file give EIO, which strace sees to. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { watchStatusFrame } from '../../src/control/frames.ts';
import { startDaemonProcess } from '../support/daemon-process.ts';
import { createSession } from '../support/session-writer.ts';
import { subscribe } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const canTrace = spawnSync('strace', ['-qq', 'true']).status === 0;

test.runIf(canTrace)(
  'a file whose disk gives errors waits alone, with the reason, and loses nothing when it can be read again',
  async () => {
    using folder = temporaryFolder();
    const codexHome = join(folder.path, 'codex');
    const broken = createSession(codexHome);
    broken.user('before');
    const whole = createSession(codexHome);
    whole.user('one');
    await using daemon = await startDaemonProcess({ folder: folder.path });
    using connections = new DisposableStack();
    const bridge = connections.adopt(await daemon.connect(), (open) => open.close());
    await using app = subscribe(daemon);
    const mirrored = async (threadId: string, text: string) =>
      await app.messages(threadId, (rows) => rows.some((row) => row.text === text));
    await mirrored(broken.threadId, 'before');
    await mirrored(whole.threadId, 'one');

    const heal = await failReads(daemon.pid, broken.path);
    broken.assistant('during');
    await until('the status says so', async () => {
      const { lastError } = watchStatusFrame.parse(await bridge.request('sessions.watch_status'));
      return /EIO/.test(String(lastError));
    });
    whole.assistant('two');
    await mirrored(whole.threadId, 'two');
    await heal();
    broken.assistant('after');
    const rows = await mirrored(broken.threadId, 'after');
    const messages = rows.filter(({ kind }) => kind === 'message');
    expect(messages.map(({ text }) => text)).toEqual(['before', 'during', 'after']);
  },
);

/** Every read of the file in that process fails, until the function that is returned is called. */
async function failReads(pid: number, path: string): Promise<() => Promise<void>> {
  const calls = 'read,pread64,readv,preadv';
  const strace = spawn(
    'strace',
    [
      '-f',
      '-p',
      String(pid),
      '-P',
      path,
      '-e',
      `trace=${calls}`,
      '-e',
      `inject=${calls}:error=EIO`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const exited = once(strace, 'exit');
  const lines = createInterface({ input: strace.stderr });
  await new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      if (line.includes(`Process ${pid} attached`)) resolve();
    });
  });
  return async () => {
    strace.kill('SIGINT');
    await exited;
  };
}
