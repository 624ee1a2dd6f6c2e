/** What a file system does to the real daemon. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeRealisticSession } from '../../bench/material/realistic-session.ts';
import { watchStatusFrame } from '../../src/control/frames.ts';
import type { BridgeConnection } from '../../src/control/connect-bridge.ts';
import {
  startDaemonProcess,
  type DaemonOptions,
  type DaemonProcess,
} from '../support/daemon-process.ts';
import { createSession, type SessionWriter } from '../support/session-writer.ts';
import { subscribe, type Subscriber } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

let folder: ReturnType<typeof temporaryFolder>;
let codexHome: string;
let daemon: DaemonProcess;
let bridge: BridgeConnection;
let app: Subscriber;

beforeEach(() => {
  folder = temporaryFolder();
  codexHome = join(folder.path, 'codex');
  mkdirSync(codexHome);
});

afterEach(async () => {
  bridge.close();
  await app[Symbol.asyncDispose]();
  await daemon[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

async function start(options: Partial<DaemonOptions> = {}): Promise<void> {
  daemon = await startDaemonProcess({ folder: folder.path, ...options });
  bridge = await daemon.connect();
  app = subscribe(daemon);
}

const status = async () => watchStatusFrame.parse(await bridge.request('sessions.watch_status'));
const mirrored = async ({ threadId }: SessionWriter, text: string) =>
  await app.messages(threadId, (rows) => rows.some((row) => row.text === text));
const day = (n: number) => new Date(Date.UTC(2024, 0, n));

/** Watches that the system gives the daemon: fewer than there are directories. */
const WATCHES = 6;

test('beyond the number of watches that the system allows, directories are polled, which is said', async () => {
  const sessions = Array.from({ length: 12 }, (_, n) =>
    createSession(codexHome, { at: day(n + 1) }),
  );
  for (const { path } of sessions) utimesSync(path, day(1), day(1));
  await start(fewWatches());
  await until('the status says so', async () =>
    String((await status()).degraded).includes('max_user_watches'),
  );
  for (const [n, session] of sessions.entries()) session.user(`polled ${n}`);
  for (const [n, session] of sessions.entries()) await mirrored(session, `polled ${n}`);
  const later = createSession(codexHome, { at: day(20) });
  later.user('in a directory that is not watched');
  await mirrored(later, 'in a directory that is not watched');
}, 90_000);

test('a file that may not be read waits alone, with the reason, until it may', async () => {
  const closed = createSession(codexHome, { at: day(1) });
  closed.user('secret');
  chmodSync(closed.path, 0o000);
  const open = createSession(codexHome);
  open.user('one');
  await start(withoutRightsOverFiles());
  await mirrored(open, 'one');
  await until('it is said', async () => /EACCES/.test(String((await status()).lastError)));
  await daemon.logged(
    ({ level, msg, lastError }) =>
      level === 40 &&
      msg === 'a session file cannot be taken over; it is tried again' &&
      String(lastError).includes(closed.path),
  );
  open.assistant('two');
  await mirrored(open, 'two');
  expect((await status()).bytes.pending).toBeGreaterThan(0);
  chmodSync(closed.path, 0o600);
  await mirrored(closed, 'secret');
}, 60_000);

test('while a long history is imported, what happens now is there before it', async () => {
  for (let n = 0; n < 12; n += 1) {
    const { path } = writeRealisticSession(codexHome, {
      at: day(n + 1),
      bytes: 2_000_000,
      seed: n,
    });
    utimesSync(path, day(n + 1), day(n + 1));
  }
  const live = createSession(codexHome);
  await start();
  for (let n = 0; n < 5; n += 1) {
    live.user(`live ${n}`);
    await mirrored(live, `live ${n}`);
    const { files } = await status();
    expect(files.behind).toBeGreaterThan(0);
  }
}, 60_000);

/** By the system itself where it lets us; else by a `fs.watch` that refuses as the system would. */
function fewWatches(): Partial<DaemonOptions> {
  const limit = `echo ${WATCHES} > /proc/sys/user/max_inotify_watches`;
  if (runs('unshare', ['-Ur', 'sh', '-c', limit])) {
    return { under: ['unshare', '-Ur', 'sh', '-c', `${limit} && exec "$@"`, 'sh'] };
  }
  const refusing = `
    import fs from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    const { watch } = fs;
    let left = ${WATCHES};
    fs.watch = (...args) => {
      if (left === 0) throw Object.assign(new Error('ENOSPC: watch'), { code: 'ENOSPC' });
      left -= 1;
      return watch(...args);
    };
    syncBuiltinESMExports();`;
  const preload = `data:text/javascript,${encodeURIComponent(refusing)}`;
  return { env: { NODE_OPTIONS: `--import=${preload}` } };
}

/** Nobody needs to be told what root may not do: it is to run as others do. */
function withoutRightsOverFiles(): Partial<DaemonOptions> {
  if (process.getuid?.() !== 0) return {};
  return { under: ['setpriv', '--bounding-set', '-dac_override,-dac_read_search'] };
}

function runs(program: string, programArguments: string[]): boolean {
  try {
    execFileSync(program, programArguments, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
