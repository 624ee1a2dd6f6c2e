/** A daemon whose Convex is elsewhere, behind a line that fails in every way a line can. */
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { watchStatusFrame } from '../../src/control/frames.ts';
import { commandLine, firstOutput, type RunningCommand } from '../support/command-line.ts';
import { spawnDaemon, type DaemonProcess } from '../support/daemon-process.ts';
import { freePort } from '../support/ports.ts';
import { createSession, type SessionWriter } from '../support/session-writer.ts';
import { subscribe, type MessageRow, type Subscriber } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { unreliableLine, type UnreliableLine } from '../support/unreliable-line.ts';
import { until } from '../support/until.ts';

let folder: ReturnType<typeof temporaryFolder>;
let port: number;
let convex: RunningCommand | undefined;
let line: UnreliableLine;
let daemons: DaemonProcess[];
let app: Subscriber | undefined;
let session: SessionWriter;

beforeEach(async () => {
  folder = temporaryFolder();
  port = await freePort();
  line = await unreliableLine(port);
  daemons = [];
  convex = undefined;
  app = undefined;
  session = createSession(join(folder.path, 'codex'));
  session.user('one');
});

afterEach(async () => {
  await app?.[Symbol.asyncDispose]();
  for (const daemon of daemons) await daemon[Symbol.asyncDispose]();
  await stopConvex();
  await line[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

async function startConvex(): Promise<void> {
  convex = commandLine(folder.path, ['convex', '--json'], { OPENAGENTS_CONVEX_PORT: String(port) });
  await firstOutput(convex);
}

async function stopConvex(): Promise<void> {
  convex?.kill('SIGTERM');
  await convex;
}

function startDaemon(): DaemonProcess {
  const env = { OPENAGENTS_CONVEX_MODE: 'remote', OPENAGENTS_CONVEX_URL: line.url };
  const daemon = spawnDaemon({ folder: folder.path, env });
  daemons.push(daemon);
  return daemon;
}

async function connect(daemon: DaemonProcess) {
  const { address } = await daemon.logged(({ msg }) => msg === 'control socket is listening');
  return await Object.assign(daemon, { controlUrl: `ws://${String(address)}/ws` }).connect();
}

const isOnline = ({ msg }: { msg?: string }) => msg === 'convex is online';
const texts = (rows: MessageRow[]) =>
  rows.filter(({ kind }) => kind === 'message').map(({ text }) => text);

/** A row is seen before its answer has come back through the line, and lines of one file wait for it. */
async function acknowledged(bridge: Awaited<ReturnType<typeof connect>>): Promise<void> {
  await until('the answers have come', async () => {
    const status = watchStatusFrame.parse(await bridge.request('sessions.watch_status'));
    return status.bytes.pending === 0;
  });
}

/** Asked without the line between: what Convex has. Waits for the text, and gives all of them. */
async function messagesUntil(text: string, threadId = session.threadId): Promise<unknown[]> {
  const [daemon] = daemons;
  if (daemon === undefined) throw new Error('no daemon was started');
  app ??= subscribe(daemon, `http://127.0.0.1:${port}`);
  return texts(await app.messages(threadId, (rows) => texts(rows).includes(text)));
}

test('an answer that is lost after the commit leaves one row, for this life and for the next', async () => {
  await startConvex();
  const daemon = startDaemon();
  await daemon.logged(isOnline);
  const bridge = await connect(daemon);
  await messagesUntil('one');
  await acknowledged(bridge);
  line.dropsAnswers = true;
  session.assistant('committed, and nobody knows');
  await messagesUntil('committed, and nobody knows');
  line.cut();
  line.dropsAnswers = false;
  session.user('three');
  await messagesUntil('three');
  await acknowledged(bridge);
  bridge.close();

  // The next life is another client: nothing but the rows themselves tells it.
  line.dropsAnswers = true;
  session.assistant('killed before it knew');
  await messagesUntil('killed before it knew');
  daemon.kill('SIGKILL');
  await daemon.exited;
  line.dropsAnswers = false;
  startDaemon();
  session.user('five');
  expect(await messagesUntil('five')).toEqual([
    'one',
    'committed, and nobody knows',
    'three',
    'killed before it knew',
    'five',
  ]);
}, 60_000);

test('a Convex that is not there when the daemon starts is waited for, and then caught up with', async () => {
  const daemon = startDaemon();
  const bridge = await connect(daemon);
  session.assistant('two');
  expect(await bridge.request('bridge.status')).toMatchObject({ convexHealthy: false });
  await until('the link has failed', async () => {
    const { lastError } = await bridge.request('convex.status');
    return typeof lastError === 'string' && lastError !== '';
  });
  await startConvex();
  await daemon.logged(isOnline);
  session.user('three');
  expect(await messagesUntil('three')).toEqual(['one', 'two', 'three']);
  bridge.close();
}, 60_000);

test('mutations of two seconds and a flapping line make it late, not large, and lose nothing', async () => {
  // Three times what may be in flight.
  const history = Array.from({ length: 48 }, (_, n) => {
    const old = createSession(join(folder.path, 'codex'), { at: new Date(Date.UTC(2024, 0, n)) });
    for (let k = 0; k < 20; k += 1) old.user(`${n}.${k} ${'text of a long answer '.repeat(1_000)}`);
    old.assistant(`end of ${n}`);
    return old;
  });
  await startConvex();
  line.delayMs = 2_000;
  const daemon = startDaemon();
  const bridge = await connect(daemon);
  await daemon.logged(isOnline);
  const status = async () => watchStatusFrame.parse(await bridge.request('sessions.watch_status'));
  const before = residentBytes(daemon.pid);
  const { bytes } = await status();
  await until('some went through, slowly', async () => {
    // A client that asks more than 50 times a second is refused.
    await once(AbortSignal.timeout(100), 'abort');
    return (await status()).bytes.read > bytes.read;
  });
  session.assistant('in between');
  expect(await messagesUntil('in between')).toEqual(['one', 'in between']);
  expect((await status()).bytes.pending).toBeGreaterThan(0);
  expect(residentBytes(daemon.pid) - before).toBeLessThan(150 * 1024 * 1024);
  line.delayMs = 0;
  for (let n = 0; n < 10; n += 1) {
    line.isDown = n % 2 === 0;
    line.cut();
    // How long the line is in one state.
    await once(AbortSignal.timeout(150), 'abort');
  }
  line.isDown = false;
  for (const [n, { threadId }] of history.entries()) {
    const rows = await messagesUntil(`end of ${n}`, threadId);
    expect(rows).toHaveLength(21);
    expect(rows.map((text) => String(text).split(' ')[0])).toEqual([
      ...Array.from({ length: 20 }, (_, k) => `${n}.${k}`),
      'end',
    ]);
  }
  bridge.close();
}, 90_000);

test('a Convex that was wiped is filled again from the files', async () => {
  await startConvex();
  const daemon = startDaemon();
  await daemon.logged(isOnline);
  await messagesUntil('one');
  await app?.[Symbol.asyncDispose]();
  app = undefined;
  await stopConvex();
  const database = join(folder.path, 'openagents', 'convex');
  for (const name of readdirSync(database)) rmSync(join(database, name), { recursive: true });
  session.assistant('two');
  await startConvex();
  await messagesUntil('two');
  expect(await messagesUntil('one')).toEqual(['one', 'two']);
}, 60_000);

/** Of the daemon alone; 0 where the system does not tell it so. */
function residentBytes(pid: number): number {
  if (process.platform !== 'linux') return 0;
  const [, kilobytes = '0'] =
    /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}
