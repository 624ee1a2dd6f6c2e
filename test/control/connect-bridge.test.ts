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

function greet(frames: object[] = []): void {
  server.on('connection', (socket) => {
    for (const frame of [{ type: 'bridge.hello' }, ...frames]) socket.send(JSON.stringify(frame));
  });
}

test('what came before the first listener is handed to it, once and in order', async () => {
  greet([
    { type: 'codex.line', seq: 1 },
    { type: 'codex.line', seq: 2 },
  ]);
  const bridge = await connectBridge({ url, token: 'token' });
  const first: unknown[] = [];
  const second: unknown[] = [];
  await new Promise<void>((resolve) => {
    bridge.onFrame((frame) => {
      first.push(frame['seq'] ?? frame.type);
      if (frame['seq'] === 3) resolve();
    });
    bridge.onFrame((frame) => second.push(frame['seq'] ?? frame.type));
    for (const socket of server.clients)
      socket.send(JSON.stringify({ type: 'codex.line', seq: 3 }));
  });
  expect(first).toEqual(['bridge.hello', 1, 2, 3]);
  expect(second).toEqual([3]);
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
  const bridge = await connectBridge({ url, token: 'token' });
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
  await connectBridge({ url, token: 'secret token', since: 42 });
  const [, request] = await connected;
  expect(new URL(String(request.url), url).searchParams.get('token')).toBe('secret token');
  expect(new URL(String(request.url), url).searchParams.get('since')).toBe('42');
});
