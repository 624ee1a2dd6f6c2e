/** What a client does that means no good, byte by byte on real sockets. */
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectBridge } from '../../../src/control/connect-bridge.ts';
import {
  cutOff,
  rawClient,
  rawSocket,
  startGateway,
  statusOf,
  TOKEN,
  upgradeHead,
  type RunningGateway,
} from '../../support/gateway.ts';
import { until } from '../../support/until.ts';

let running: RunningGateway;
let url: string;

beforeEach(async () => {
  running = await startGateway();
  ({ url } = running);
});
afterEach(() => running[Symbol.dispose]());

async function stillServes(): Promise<void> {
  const bridge = await connectBridge({ url, token: TOKEN });
  expect((await bridge.request('echo')).type).toBe('bridge.echo');
  bridge.close();
}

test('a foreign or null Origin and a foreign Host get 403, and no upgrade', async () => {
  const origins = ['https://evil.example', 'null', 'http://localhost.evil.example'];
  for (const Origin of origins) {
    expect(await statusOf(url, upgradeHead(TOKEN, { Origin }))).toBe(403);
  }
  expect(await statusOf(url, upgradeHead(TOKEN, { Host: 'rebound.evil.example' }))).toBe(403);
  expect(await statusOf(url, upgradeHead(TOKEN, { Origin: 'http://localhost:3000' }))).toBe(101);
});

test('the sixth different wrong token of a minute gets 429, and so does then the right one', async () => {
  for (let n = 0; n < 5; n += 1) expect(await statusOf(url, upgradeHead(`guess-${n}`))).toBe(401);
  expect(await statusOf(url, upgradeHead('guess-6'))).toBe(429);
  expect(await statusOf(url, upgradeHead())).toBe(429);
  expect(running.actor.getSnapshot().context.refused).toBe(7);
});

test('a client that does not know of a new token cannot shut the others out', async () => {
  for (let n = 0; n < 20; n += 1) expect(await statusOf(url, upgradeHead('the-old'))).toBe(401);
  await stillServes();
});

// Node itself would wait for a minute.
test('a request whose head does not come to its end is cut within seconds', async () => {
  const silent = await rawSocket(url);
  const slow = await rawSocket(url);
  silent.resume();
  slow.resume();
  const head = upgradeHead();
  let sent = 0;
  const dripping = setInterval(() => slow.write(head.charAt((sent += 1) % 20)), 100);
  await Promise.all([cutOff(silent), cutOff(slow)]);
  clearInterval(dripping);
  await stillServes();
});

test('a flood of connections that say nothing cuts the oldest, and a client gets in', async () => {
  const flood = await Promise.all(Array.from({ length: 200 }, () => rawSocket(url)));
  const ended = new Set<unknown>();
  for (const socket of flood) {
    socket.resume();
    socket.on('close', () => ended.add(socket));
  }
  await until('the oldest are cut', () => ended.size >= 72);
  await stillServes();
  expect(ended.size).toBeLessThan(200);
  for (const socket of flood) socket.destroy();
});

test('a refused connection that is kept half open is cut', async () => {
  const socket = await rawSocket(url);
  socket.write(upgradeHead('wrong-wrong-wrong'));
  const closed = cutOff(socket);
  socket.resume();
  await closed;
});

test('a message in a thousand pieces of one byte ends its connection, and takes no memory', async () => {
  const { socket } = await rawClient(url);
  const closed = once(socket, 'close');
  for (let n = 0; n < 2_000; n += 1) socket.send('x', { fin: false });
  expect((await closed)[0]).toBe(1008);
  await stillServes();
});

test('a frame that says it is larger than any that is taken ends its connection', async () => {
  const { socket } = await rawClient(url);
  const closed = once(socket, 'close');
  socket.send('x'.repeat(9 * 1024 * 1024));
  expect((await closed)[0]).toBe(1009);
  await stillServes();
});

test('a flood of pings gets as many pongs as requests would get answers', async () => {
  const { socket } = await rawClient(url);
  let pongs = 0;
  socket.on('pong', () => (pongs += 1));
  const began = performance.now();
  for (let n = 0; n < 1_000; n += 1) socket.ping();
  // Its answer comes in order behind them.
  socket.send('{"control":"echo","id":1}');
  await once(socket, 'message');
  // A hundred at once, and fifty a second, however long a busy machine takes.
  const allowed = 100 + (performance.now() - began) / 20;
  expect(pongs).toBeGreaterThanOrEqual(100);
  expect(pongs).toBeLessThanOrEqual(allowed);
  socket.terminate();
});

test('at most 64 clients are let in; the next one is told why', async () => {
  const clients = await Promise.all(Array.from({ length: 64 }, () => rawClient(url)));
  expect(await statusOf(url, upgradeHead())).toBe(503);
  clients[0]?.socket.terminate();
  await until('one is gone', () => running.actor.getSnapshot().context.clients === 63);
  await stillServes();
  for (const { socket } of clients) socket.terminate();
});

test('without an upgrade the answer says where to connect, and the connection ends', async () => {
  const socket = await rawSocket(url);
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const answer: string[] = [];
  socket.on('data', (data) => answer.push(String(data)));
  await cutOff(socket);
  expect(answer.join('')).toMatch(/^HTTP\/1\.1 426 [\s\S]*connect to \/ws/);
});
