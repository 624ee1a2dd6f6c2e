/** A machine that sleeps: the daemon stands still while the world goes on. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connectBridge } from '../../src/control/connect-bridge.ts';
import { startDaemonProcess } from '../support/daemon-process.ts';
import { createSession } from '../support/session-writer.ts';
import { subscribe } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

test('what was written while the daemon was stopped is there when it goes on, and clients stay', async () => {
  using folder = temporaryFolder();
  const session = createSession(join(folder.path, 'codex'));
  session.user('before');
  await using daemon = await startDaemonProcess({ folder: folder.path });
  await using app = subscribe(daemon);
  const shows = (text: string) =>
    app.messages(session.threadId, (rows) => rows.some((row) => row.text === text));
  await shows('before');
  const bridge = await connectBridge({ url: daemon.controlUrl, token: daemon.token });
  daemon.kill('SIGSTOP');
  const asked = bridge.request('echo', { tag: 'asked while it slept' });
  for (let n = 0; n < 20; n += 1) session.user(`while it slept ${n}`);
  daemon.kill('SIGCONT');
  expect(await asked).toMatchObject({ tag: 'asked while it slept' });
  const rows = await shows('while it slept 19');
  const texts = rows.filter(({ kind }) => kind === 'message').map(({ text }) => text);
  expect(texts).toEqual(['before', ...Array.from({ length: 20 }, (_, n) => `while it slept ${n}`)]);
  bridge.close();
});
