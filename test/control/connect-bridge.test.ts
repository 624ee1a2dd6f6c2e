import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { connectBridge } from '../../src/control/connect-bridge.ts';

let server: WebSocketServer;
let url: string;

beforeEach(async () => {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  // A TCP server's address is never a pipe name.
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws`;
});
afterEach(() => {
  for (const client of server.clients) client.terminate();
  server.close();
});

const HELLO = {
  type: 'bridge.hello',
  protocol: 1,
  bridgeId: 'b',
  machineId: 'm',
  version: '0',
  convexUrl: 'http://127.0.0.1:1',
};
const line = (seq: number) => ({
  type: 'codex.line',
  seq,
  runId: 'r',
  threadId: 't',
  stream: 'stdout',
  line: `line ${seq}`,
});

function greet(frames: object[] = [], replay = { from: 0, to: 0 }): void {
  server.on('connection', (socket) => {
    for (const frame of [{ ...HELLO, replay }, ...frames]) socket.send(JSON.stringify(frame));
  });
}

function sendToAll(frame: object): void {
  for (const socket of server.clients) socket.send(JSON.stringify(frame));
}

test('what came before the first listener is handed to those of its turn, once and in order', async () => {
  greet([line(1), line(2)], { from: 1, to: 2 });
  const bridge = await connectBridge({ url, token: 'token' });
  expect(bridge.hello).toMatchObject({ bridgeId: 'b' });
  const first: unknown[] = [];
  const second: unknown[] = [];
  const late: unknown[] = [];
  await new Promise<void>((resolve) => {
    bridge.onFrame(({ seq }) => {
      first.push(seq);
      if (seq === 3) resolve();
    });
    bridge.on('codex.line', ({ line }) => second.push(line));
    setImmediate(() => {
      bridge.onFrame(({ seq }) => late.push(seq));
      sendToAll(line(3));
    });
  });
  expect(first).toEqual([1, 2, 3]);
  expect(second).toEqual(['line 1', 'line 2', 'line 3']);
  expect(late).toEqual([3]);
  bridge.close();
});

test('a frame of a type that is not known is handed to who asks for it, and to no listener', async () => {
  greet([{ type: 'bridge.later', seq: 1, ts: 1 }, line(2)], { from: 1, to: 2 });
  const unknown: unknown[] = [];
  const bridge = await connectBridge({
    url,
    token: 't',
    onUnknown: (frame) => unknown.push(frame),
  });
  const seen = await new Promise((resolve) => bridge.onFrame(resolve));
  expect(seen).toEqual(line(2));
  expect(unknown).toMatchObject([{ type: 'bridge.later' }]);
  bridge.close();
});

test('a reply that is not what its verb is answered with is refused, not handed on', async () => {
  greet();
  server.on('connection', (socket) => {
    socket.on('message', () => socket.send('{"type":"bridge.echo","replyTo":1}'));
  });
  const bridge = await connectBridge({ url, token: 't' });
  await expect(bridge.request('echo')).rejects.toMatchObject({ code: 'unexpected_reply' });
  bridge.close();
});

test('it comes back by itself with the place to go on from; what is sent twice is seen once', async () => {
  greet([line(7), line(8)], { from: 7, to: 8 });
  const bridge = await connectBridge({ url, token: 't' });
  const seen: number[] = [];
  bridge.onFrame(({ seq }) => seen.push(seq));
  const again = once(server, 'connection');
  const changes: string[] = [];
  const connected = new Promise((resolve) =>
    bridge.onChange((change) => {
      changes.push(change.state);
      if (change.state === 'connected') resolve(change);
    }),
  );
  for (const socket of server.clients) socket.terminate();
  const [, request] = await again;
  expect(new URL(String(request.url), url).searchParams.get('since')).toBe('8');
  expect(await connected).toMatchObject({ missed: false });
  expect(changes).toEqual(['waiting', 'connected']);
  const next = new Promise((resolve) => bridge.on('codex.line', resolve));
  sendToAll(line(9));
  await next;
  expect(seen).toEqual([7, 8, 9]);
  bridge.close();
});

test('a daemon whose clock was set back is listened to from its beginning, and that is said', async () => {
  greet([line(5)], { from: 5, to: 5 });
  const bridge = await connectBridge({ url, token: 't', since: 9_000 });
  const seen = await new Promise((resolve) => bridge.on('codex.line', resolve));
  expect(seen).toMatchObject({ seq: 5 });
  bridge.close();
});

test('a rotated token ends it for good', async () => {
  greet();
  const bridge = await connectBridge({ url, token: 't' });
  for (const socket of server.clients) socket.close(4001, 'token rotated');
  expect(await bridge.closed).toEqual({ code: 4001, reason: 'token rotated' });
});

test('a request that is refused rejects with the code, one that is lost with the connection too', async () => {
  greet();
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => {
      const { id, control }: { id: number; control: string } = JSON.parse(data.toString());
      if (control === 'runs.list') socket.close(1001, 'gone');
      else
        socket.send(
          JSON.stringify({ type: 'bridge.error', replyTo: id, code: 'not_found', message: 'no' }),
        );
    });
  });
  const bridge = await connectBridge({ url, token: 'token', reconnect: false });
  await expect(bridge.request('run.status', { runId: 'x' })).rejects.toMatchObject({
    code: 'not_found',
  });
  await expect(bridge.request('runs.list')).rejects.toMatchObject({ code: 'closed' });
  expect(await bridge.closed).toEqual({ code: 1001, reason: 'gone' });
  await expect(bridge.request('runs.list')).rejects.toMatchObject({ code: 'closed' });
});

test('the token and the place to go on from travel in the query', async () => {
  greet();
  const connected = once(server, 'connection');
  const bridge = await connectBridge({ url, token: 'secret token', since: 42 });
  const [, request] = await connected;
  expect(new URL(String(request.url), url).searchParams.get('token')).toBe('secret token');
  expect(new URL(String(request.url), url).searchParams.get('since')).toBe('42');
  bridge.close();
});
