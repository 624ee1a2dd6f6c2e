import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { InspectionFeed } from '../../../src/actors/inspection/inspection-feed.ts';
import { connectBridge } from '../../../src/control/connect-bridge.ts';
import { pairBridge } from '../../../src/control/pair-bridge.ts';
import { BridgeError } from '../../../src/errors.ts';
import {
  rawClient as clientOf,
  rawSocket,
  spawnGateway,
  startGateway,
  TOKEN,
  upgradeHead,
  type RunningGateway,
} from '../../support/gateway.ts';
import { until } from '../../support/until.ts';

let convexToken: (host: string) => Promise<{ url: string; token: string; expiresAt: number }>;
let watchMachines: InspectionFeed['watch'];
let running: RunningGateway;
let url: string;

beforeEach(async () => {
  running = await startGateway({
    convexToken: async (host) => await convexToken(host),
    inspection: { watch: (options) => watchMachines(options) },
  });
  ({ url } = running);
});

afterEach(() => running[Symbol.dispose]());

const line = (text: string) => running.line(text);
const rawClient = (query?: string) => clientOf(url, query);
const snapshot = () => running.actor.getSnapshot();

test('a client is greeted, and what it asks is answered with its own id', async () => {
  const bridge = await connectBridge({ url, token: TOKEN });
  expect(bridge.hello).toMatchObject({ type: 'bridge.hello', protocol: 1, bridgeId: 'bridge' });
  const reply = await bridge.request('echo', { payload: { deep: [1] }, tag: 'x' });
  expect(reply).toMatchObject({ type: 'bridge.echo', tag: 'x', payload: { deep: [1] } });
  bridge.close();
});

test('a token for Convex comes with the address by which this client reaches it', async () => {
  convexToken = (host) => Promise.resolve({ url: `http://${host}`, token: 'jwt', expiresAt: 5 });
  const bridge = await connectBridge({ url, token: TOKEN });
  const reply = await bridge.request('convex.token');
  const { host } = new URL(url);
  expect(reply).toMatchObject({ url: `http://${host}`, token: 'jwt', expiresAt: 5 });
  expect(reply.type).toBe('bridge.convex_token');
  convexToken = () => Promise.reject(new BridgeError('convex_unavailable', 'not yet'));
  await expect(bridge.request('convex.token')).rejects.toMatchObject({ code: 'unavailable' });
  bridge.close();
});

test('a request without an id is answered too, without replyTo', async () => {
  const { socket, frames } = await rawClient();
  socket.send('{"control":"debug.ping"}');
  await until('it is answered', () => frames.some((frame) => frame.includes('bridge.echo')));
  expect(frames.find((frame) => frame.includes('bridge.echo'))).not.toContain('replyTo');
  socket.terminate();
});

test('a wrong token gets 401 and a JSON body, and no upgrade', async () => {
  const socket = new WebSocket(`${url}?token=wrong`);
  const [, response] = await once(socket, 'unexpected-response');
  expect(response.statusCode).toBe(401);
  let body = '';
  for await (const chunk of response) body += String(chunk);
  expect(JSON.parse(body)).toMatchObject({ code: 'unauthorized' });
});

test('bad frames of every kind get bridge.error, and the connection goes on', async () => {
  const { socket, frames } = await rawClient();
  const bad = [
    '{',
    '{"id":1}',
    '{"control":"x"}',
    '',
    `{"control":"echo","payload":"${'x'.repeat(1_100_000)}"}`,
  ];
  for (const frame of bad) socket.send(frame);
  socket.send(Buffer.from([0, 1, 2]));
  await until('each is answered', () => errorCodes(frames).length === 6);
  expect(errorCodes(frames)).toEqual([
    'invalid_json',
    'invalid_request',
    'unknown_control',
    'invalid_request',
    'too_large',
    'invalid_request',
  ]);
  expect(socket.readyState).toBe(WebSocket.OPEN);
  socket.terminate();
});

test('a verb whose owner is not there is answered "unavailable"', async () => {
  const bridge = await connectBridge({ url, token: TOKEN });
  await expect(bridge.request('machines.list')).rejects.toMatchObject({ code: 'unavailable' });
  bridge.close();
});

test('a request that is too large, or one too many, is refused under its own id', async () => {
  const bridge = await connectBridge({ url, token: TOKEN });
  const large = bridge.request('echo', { payload: 'x'.repeat(1_100_000) });
  await expect(large).rejects.toMatchObject({ code: 'too_large' });
  // The rate allows as many more than a hundred only after 18 s.
  const many = Array.from({ length: 1_000 }, async (_, tag) => {
    await bridge.request('echo', { tag: String(tag) });
  });
  const refused = (await Promise.allSettled(many)).filter(({ status }) => status === 'rejected');
  expect(refused.length).toBeGreaterThan(0);
  expect(refused[0]).toMatchObject({ reason: { code: 'rate_limited' } });
  bridge.close();
});

test('more requests than the rate allows are refused one by one', async () => {
  const { socket, frames } = await rawClient();
  // The rate allows as many more than a hundred only after 18 s.
  for (let index = 0; index < 1_000; index += 1) socket.send('{"control":"echo"}');
  await until('each is answered', () => frames.length >= 1_001);
  expect(errorCodes(frames)).toContain('rate_limited');
  expect(frames.filter((frame) => frame.includes('bridge.echo')).length).toBeGreaterThanOrEqual(
    100,
  );
  socket.terminate();
});

test('lines come verbatim to plain clients and wrapped to those that ask', async () => {
  const plain = await rawClient();
  const wrapped = await rawClient('&wrap=1');
  line('{"type":"turn.started"}');
  await until('the plain one has it', () => plain.frames.includes('{"type":"turn.started"}'));
  await until('the wrapped one has it', () =>
    wrapped.frames.some((frame) => frame.includes('codex.line')),
  );
  const frame: unknown = JSON.parse(
    wrapped.frames.find((text) => text.includes('codex.line')) ?? '',
  );
  expect(frame).toMatchObject({ runId: 'r', stream: 'stdout', line: '{"type":"turn.started"}' });
  plain.socket.terminate();
  wrapped.socket.terminate();
});

test('a client that comes back with ?since= gets what it missed, once', async () => {
  for (let index = 0; index < 50; index += 1) line(`line ${index}`);
  const first = await rawClient('&wrap=1');
  await until('it has all lines', () => lines(first.frames).length === 50);
  const seen = lines(first.frames)[29];
  first.socket.terminate();
  const second = await rawClient(`&wrap=1&since=${seen?.seq}`);
  await until('it has the rest', () => lines(second.frames).length === 20);
  expect(lines(second.frames)[0]?.line).toBe('line 30');
  second.socket.terminate();
});

test(
  'a client that does not read is dropped with 4008 while the others get every line',
  { timeout: 30_000 },
  async () => {
    const reader = await rawClient();
    const stalled = await rawSocket(url);
    stalled.write(upgradeHead());
    await until('both are let in', () => snapshot().context.clients === 2);
    stalled.pause();
    const big = 'x'.repeat(256 * 1024);
    // Beside them the reader is told that the other has gone.
    const got = () => reader.frames.filter((frame) => frame.endsWith('xxx')).length;
    for (let index = 0; index < 100; index += 1) {
      line(`${index}${big}`);
      await until(`it has line ${index}`, () => got() > index);
    }
    await until('the other is dropped', () => snapshot().context.clients === 1);
    stalled.destroy();
    reader.socket.terminate();
  },
);

test('a taken port is told, and the gateway listens once it is free', async () => {
  const port = Number(new URL(url).port);
  using second = spawnGateway({ port });
  await until('it fails', () => second.actor.getSnapshot().value === 'failed');
  expect(second.actor.getSnapshot().context.lastError).toMatch(/already in use.*OPENAGENTS_BIND/);
});

test('a rotated token ends the sessions of the old one with 4001; the new one opens', async () => {
  const { socket } = await rawClient();
  const bridge = await connectBridge({ url, token: TOKEN });
  const closed = once(socket, 'close');
  running.access.token = 'another-token-0123456789';
  running.rotated();
  expect((await closed)[0]).toBe(4001);
  expect(await bridge.closed).toMatchObject({ code: 4001 });
  await expect(connectBridge({ url, token: TOKEN })).rejects.toMatchObject({ code: 'closed' });
  const next = await connectBridge({ url, token: running.access.token });
  expect((await next.request('echo')).type).toBe('bridge.echo');
  next.close();
});

test('what was told to all comes before what ends a session', async () => {
  const { socket, frames } = await rawClient();
  const closed = once(socket, 'close');
  line('the last one');
  running.rotated();
  await closed;
  expect(frames.at(-1)).toBe('the last one');
});

test('frames of every length are what ws makes of them', async () => {
  const { socket, frames } = await rawClient();
  const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000];
  // Of two bytes a letter, so that characters are not taken for bytes.
  const texts = lengths.flatMap((length) => ['x'.repeat(length), 'ü'.repeat(length)]);
  for (const text of texts) line(text);
  line('end');
  await until('it has all', () => frames.at(-1) === 'end');
  expect(frames.slice(-texts.length - 1, -1)).toEqual(texts);
  socket.terminate();
});

test('a pairing link opens once, for the token, and its maker is told; the link holds no token', async () => {
  const bridge = await connectBridge({ url, token: TOKEN });
  const { pairingId, addresses, expiresAt } = await bridge.request('pair.open');
  expect(expiresAt - Date.now()).toBeLessThanOrEqual(300_000);
  const link = addresses[0]?.link ?? '';
  expect(decodeURIComponent(link)).not.toContain(TOKEN);
  const told = new Promise((resolve) => bridge.on('bridge.client_paired', resolve));
  const paired = await pairBridge(link);
  expect(paired).toMatchObject({ url, token: TOKEN, bridgeId: 'bridge' });
  expect(await told).toMatchObject({ pairingId, address: '127.0.0.1' });
  await expect(pairBridge(link)).rejects.toMatchObject({ code: 'closed' });
  const phone = await connectBridge(paired);
  expect((await phone.request('echo')).type).toBe('bridge.echo');
  phone.close();
  bridge.close();
});

test('a pairing code goes with the client that made it', async () => {
  const bridge = await connectBridge({ url, token: TOKEN });
  const { addresses } = await bridge.request('pair.open');
  bridge.close();
  await bridge.closed;
  await until('it is gone', () => snapshot().context.clients === 0);
  await expect(pairBridge(addresses[0]?.link ?? '')).rejects.toMatchObject({ code: 'closed' });
});

test('shutdown closes every client with 1001 and ends', async () => {
  const { socket } = await rawClient();
  const closed = once(socket, 'close');
  running.actor.send({ type: 'shutdown' });
  expect((await closed)[0]).toBe(1001);
  await until('it is over', () => snapshot().status === 'done');
});

function errorCodes(frames: string[]): string[] {
  return frames
    .map((frame) => JSON.parse(frame) as { type: string; code: string })
    .filter((frame) => frame.type === 'bridge.error')
    .map((frame) => frame.code);
}

function lines(frames: string[]): { seq: number; line: string }[] {
  return frames
    .map((frame) => JSON.parse(frame) as { type: string; seq: number; line: string })
    .filter((frame) => frame.type === 'codex.line');
}

test('who watches the machines gets their frames, alone, until it no longer wants to or goes', async () => {
  const watches: (Parameters<InspectionFeed['watch']>[0] & { isOver: boolean })[] = [];
  watchMachines = (options) => {
    const watch = { ...options, isOver: false };
    watches.push(watch);
    options.sink.send({ type: 'bridge.inspect', dropped: 0, events: [] });
    return () => (watch.isOver = true);
  };
  const bridge = await connectBridge({ url, token: TOKEN });
  const other = await rawClient();
  const frames: unknown[] = [];
  bridge.onInspect((frame) => frames.push(frame.type));
  expect(await bridge.request('machines.watch', { ids: ['a'] })).toMatchObject({ watching: true });
  await until('the first frame is there', () => frames.includes('bridge.inspect'));
  expect(watches).toMatchObject([{ ids: ['a'], detail: 'summary', isOver: false }]);
  await bridge.request('machines.watch', { detail: 'replay' });
  expect(watches).toMatchObject([{ isOver: true }, { detail: 'replay', isOver: false }]);
  expect(await bridge.request('machines.unwatch')).toMatchObject({ watching: false });
  expect(watches[1]?.isOver).toBe(true);
  await bridge.request('machines.watch');
  bridge.close();
  await until('its watch is over', () => watches[2]?.isOver === true);
  expect(other.frames.some((frame) => frame.includes('bridge.inspect'))).toBe(false);
  other.socket.close();
});
