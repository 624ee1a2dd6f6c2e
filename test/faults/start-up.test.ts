/** What can be wrong around the daemon: each is told in one clear line, and the rest keeps working. */
import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EventOf, Reply } from '../../src/control/connect-bridge.ts';
import { watchStatusFrame } from '../../src/control/frames.ts';
import {
  spawnDaemon,
  startDaemonProcess,
  type DaemonProcess,
  type LogRecord,
} from '../support/daemon-process.ts';
import { holdPort } from '../support/ports.ts';
import { createSession } from '../support/session-writer.ts';
import { subscribe, threadsCreate } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

const start = (env: Record<string, string> = {}) =>
  startDaemonProcess({ folder: folder.path, env });
const spawn = (env: Record<string, string> = {}) => spawnDaemon({ folder: folder.path, env });

const isListening = ({ msg }: LogRecord) => msg === 'control socket is listening';
const isOnline = ({ msg }: LogRecord) => msg === 'convex is online';
const isMissing = ({ msg }: LogRecord) => msg === 'codex cannot be run';
const needsSomebody = ({ msg }: LogRecord) => msg?.startsWith('convex cannot be used') ?? false;
/** What a person is warned of. */
const warnings = (daemon: DaemonProcess) =>
  daemon.log
    .filter(({ level }) => (level ?? 0) >= 40)
    .map(({ msg, lastError }) => ({ msg, lastError }));

/** The daemon's control socket, when Convex may be away. */
async function connectOnceListening(daemon: DaemonProcess) {
  const { address } = await daemon.logged(isListening);
  return Object.assign(daemon, { controlUrl: `ws://${String(address)}/ws` }).connect();
}

function actorOf(status: Reply<'bridge.status'>, id: string) {
  return status.actors.find((actor) => actor.id === id);
}

describe('a port that another program holds', () => {
  test('of the control socket is told once, and had as soon as it is free', async () => {
    const other = await holdPort();
    await using daemon = spawn({ OPENAGENTS_BIND: `127.0.0.1:${other.port}` });
    const { url } = await daemon.logged(isOnline);
    // The rest works meanwhile.
    const session = createSession(join(folder.path, 'codex'));
    session.user('while the port is taken');
    await using app = subscribe(daemon, String(url));
    await app.messages(session.threadId, (rows) => rows.length > 0);

    await other.close();
    const bridge = await connectOnceListening(daemon);
    expect((await bridge.request('echo')).type).toBe('bridge.echo');
    bridge.close();
    expect(warnings(daemon)).toEqual([
      {
        msg: 'the control socket cannot listen; it is tried again',
        lastError: `The address is already in use; stop the other program or choose another port: 127.0.0.1:${other.port} (OPENAGENTS_BIND)`,
      },
    ]);
  });

  test('of Convex is told once, shown by the status, and had when it is free', async () => {
    const other = await holdPort();
    await using daemon = spawn({ OPENAGENTS_CONVEX_PORT: String(other.port) });
    const lastError = `The address is already in use; stop the other program or choose another port: 127.0.0.1:${other.port} (OPENAGENTS_CONVEX_PORT)`;
    const bridge = await connectOnceListening(daemon);
    await daemon.logged(needsSomebody);
    expect(await bridge.request('bridge.status')).toMatchObject({ convexHealthy: false });
    // Between two of its tries.
    await until('the status says so', async () => {
      const convex = actorOf(await bridge.request('bridge.status'), 'convex');
      return convex?.state === 'failed' && convex.lastError === lastError;
    });
    expect(await bridge.request('convex.status')).toMatchObject({ healthy: false, lastError });

    await other.close();
    await daemon.logged(isOnline);
    expect(await bridge.request('convex.status')).toMatchObject({ healthy: true });
    bridge.close();
    expect(warnings(daemon)).toEqual([
      { msg: expect.stringContaining('convex cannot'), lastError },
    ]);
  });
});

test('without Codex the daemon runs, says so, and a submitted run fails with codex_missing', async () => {
  await using daemon = await start({ CODEX_BIN: '/nonexistent' });
  const bridge = await daemon.connect();
  const ended = Promise.withResolvers<EventOf<'bridge.run'>>();
  bridge.onFrame((frame) => {
    if (frame.type === 'bridge.run' && frame['state'] === 'failed') ended.resolve(frame);
  });
  expect(await bridge.request('bridge.status')).toMatchObject({
    codex: { bin: '/nonexistent', version: null },
  });
  await using app = subscribe(daemon);
  const threadDocId = await app.client.mutation(threadsCreate, { cwd: folder.path });
  await bridge.request('run.submit', { threadDocId, text: 'hello' });
  expect((await ended.promise)['error']).toEqual({
    code: 'codex_missing',
    message: expect.stringMatching(/^Codex was not found; install it with .* or set CODEX_BIN/),
  });
  bridge.close();
  await daemon.logged(isMissing);
  expect(daemon.log.filter(isMissing)).toHaveLength(1);
});

test('without a sessions directory the daemon runs, and sees the sessions of one made later', async () => {
  await using daemon = await start();
  const bridge = await daemon.connect();
  expect(await bridge.request('sessions.watch_status')).toMatchObject({
    enabled: true,
    files: { known: 0 },
    lastError: null,
  });
  await using app = subscribe(daemon);
  const session = createSession(join(folder.path, 'codex'));
  session.user('the first of all');
  await app.messages(session.threadId, (rows) =>
    rows.some(({ text }) => text === 'the first of all'),
  );
  bridge.close();
  expect(warnings(daemon).map(({ msg }) => msg)).not.toContain('the sessions cannot be watched');
});

describe('a database that cannot be used', () => {
  test('because it is damaged is set aside, which is said, and all is filled again', async () => {
    const corrupt = 'this is no database, but somebody may want it back '.repeat(100);
    const database = join(folder.path, 'openagents', 'convex', 'embedded.sqlite3');
    mkdirSync(join(folder.path, 'openagents', 'convex'), { recursive: true, mode: 0o700 });
    writeFileSync(database, corrupt);
    const session = createSession(join(folder.path, 'codex'));
    session.user('still in its file');
    await using daemon = spawn();
    const bridge = await connectOnceListening(daemon);
    const { url } = await daemon.logged(isOnline);
    await using app = subscribe(daemon, String(url));
    await app.messages(session.threadId, (rows) =>
      rows.some(({ text }) => text === 'still in its file'),
    );
    const { lastError } = await bridge.request('convex.status');
    expect(lastError).toMatch(/was damaged; it was set aside.*\.damaged-/);
    const [, aside = ''] = /(\S+\.damaged-\S+)/.exec(String(lastError)) ?? [];
    expect(readFileSync(aside, 'utf8')).toBe(corrupt);
    bridge.close();
  });

  test('because its path is a directory is told, with the path', async () => {
    const database = join(folder.path, 'a-directory');
    mkdirSync(database);
    await using daemon = spawn({ OPENAGENTS_CONVEX_DB: database });
    const bridge = await connectOnceListening(daemon);
    const { lastError } = await daemon.logged(needsSomebody);
    expect(lastError).toMatch(/cannot be opened; check the path and its permissions/);
    expect(lastError).toContain(database);
    expect(await bridge.request('bridge.status')).toMatchObject({ convexHealthy: false });
    bridge.close();
  });
});

describe('what keeps the daemon from starting is one line, before anything runs', () => {
  test('a second daemon on the same home; the first goes on', async () => {
    await using first = await start();
    const second = spawn();
    expect(await second.exited).toMatchObject({ exitCode: 1 });
    expect(second.log.map(({ msg }) => msg)).toEqual([
      `oa-bridge: Another oa-bridge already runs on this home; stop it first, or set OPENAGENTS_HOME: ${join(folder.path, 'openagents')}. [home_locked]`,
    ]);
    const bridge = await first.connect();
    expect((await bridge.request('bridge.status'))['convexHealthy']).toBe(true);
    bridge.close();
  });

  // Windows has no such modes.
  test.runIf(process.platform !== 'win32').each([
    ['the home', '', 0o755, 'chmod 700'],
    ['the token', 'bridge.json', 0o644, 'chmod 600'],
  ])('%s open to others', async (_, file, mode, fix) => {
    const home = join(folder.path, 'openagents');
    mkdirSync(home, { mode: 0o700 });
    writeFileSync(join(home, 'bridge.json'), '{"token":"0123456789abcdef"}', { mode: 0o600 });
    chmodSync(join(home, file), mode);
    const daemon = spawn();
    expect(await daemon.exited).toMatchObject({ exitCode: 2 });
    expect(daemon.log).toHaveLength(1);
    expect(daemon.log[0]?.msg).toContain(`run: ${fix} ${join(home, file)}`.replace(/\/$/, ''));
  });

  test('a home that is a file', async () => {
    writeFileSync(join(folder.path, 'openagents'), '');
    const daemon = spawn();
    expect(await daemon.exited).toMatchObject({ exitCode: 2 });
    expect(daemon.log).toHaveLength(1);
    expect(daemon.log[0]?.msg).toContain('OPENAGENTS_HOME');
  });

  test('a wrong value of a setting, named with what is allowed', async () => {
    const daemon = spawn({ OPENAGENTS_MAX_RUNS: 'many', OPENAGENTS_CONVEX_MODE: 'cloud' });
    expect(await daemon.exited).toMatchObject({ exitCode: 2 });
    expect(daemon.log.map(({ msg }) => msg)).toEqual([
      'oa-bridge: The configuration is not valid: OPENAGENTS_CONVEX_MODE is "cloud", but must be "embedded" or "remote"; OPENAGENTS_MAX_RUNS is "many", but must be a whole number from 1 to 64. [config_invalid]',
    ]);
  });
});

test('bad frames are each answered, and the connection goes on', async () => {
  await using daemon = await start();
  const socket = new WebSocket(`${daemon.controlUrl}?token=${daemon.token}`);
  const received: { type: string }[] = [];
  const answered = Promise.withResolvers<void>();
  socket.addEventListener('message', ({ data }) => {
    const frame: { type: string } = JSON.parse(String(data));
    if (frame.type === 'bridge.error' || frame.type === 'bridge.echo') received.push(frame);
    if (frame.type === 'bridge.echo') answered.resolve();
  });
  await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }));
  socket.send('{"control": "echo", ');
  socket.send('{"control": "no.such.verb", "id": 7}');
  socket.send('{"control": "run.submit", "id": "x", "threadDocId": "../etc", "text": 1}');
  socket.send(Buffer.from([0xff, 0xfe]));
  socket.send('{"control": "echo", "id": 8}');
  await answered.promise;
  expect(received).toMatchObject([
    { type: 'bridge.error', code: 'invalid_json' },
    { type: 'bridge.error', code: 'unknown_control', replyTo: 7 },
    { type: 'bridge.error', code: 'invalid_request', replyTo: 'x', issues: [{}, {}] },
    { type: 'bridge.error', code: 'invalid_request' },
    { type: 'bridge.echo', replyTo: 8 },
  ]);
  socket.close();
});

test('a line that cannot be parsed is set aside and counted, and the lines after it arrive', async () => {
  const session = createSession(join(folder.path, 'codex'));
  session.user('before');
  appendFileSync(session.path, '{"timestamp":"2026-11-23T09:00:00.000Z","type":"event_m\n');
  session.user('after');
  await using daemon = await start();
  await using app = subscribe(daemon);
  const rows = await app.messages(session.threadId, (messages) =>
    messages.some(({ text }) => text === 'after'),
  );
  expect(rows.filter(({ kind }) => kind === 'message').map(({ text }) => text)).toEqual([
    'before',
    'after',
  ]);
  const bridge = await daemon.connect();
  // A row is seen before its answer has come back to the daemon.
  await until('it is counted', async () => {
    const { files } = watchStatusFrame.parse(await bridge.request('sessions.watch_status'));
    return files.known === 1 && files.quarantined === 1;
  });
  bridge.close();
});
