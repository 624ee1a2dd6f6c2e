import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import { api } from '../../../convex/_generated/api.js';
import { ConvexConnection } from '../../../src/actors/convex/connection.ts';
import { holdPort } from '../../support/ports.ts';

let connection: ConvexConnection;
let logged: string[];
beforeEach(() => {
  logged = [];
  connection = new ConvexConnection({
    log: (level, message) => logged.push(`${level} ${message}`),
  });
});
afterEach(async () => await connection.close());

const rename = { id: 'thread', title: 'x' };
const unavailable = { code: 'convex_unavailable', retryable: true };

test('before a backend is known, every call says so', async () => {
  expect(connection.url).toBeNull();
  expect(connection.connected).toBe(false);
  await expect(connection.mutation(api.threads.rename, rename)).rejects.toMatchObject(unavailable);
  await expect(connection.query(api.threads.list, {})).rejects.toMatchObject(unavailable);
});

test('a call that waits for a backend ends when the connection is closed or opened elsewhere', async () => {
  const [first = '', second = ''] = await deadAddresses(2);
  connection.open(first);
  expect(connection.url).toBe(first);
  const renamed = failureOf(connection.mutation(api.threads.rename, rename));
  connection.open(second);
  expect(await renamed).toMatchObject(unavailable);
  const listed = failureOf(connection.query(api.threads.list, {}));
  await connection.close();
  expect(await listed).toMatchObject(unavailable);
  expect(connection.url).toBeNull();
});

test.each([
  ['of this machine is masked with nothing', '127.0.0.1', true],
  // Every address of this machine, this one among them; but that is not known by its name.
  ['elsewhere is masked', '0.0.0.0', false],
])('what goes to a backend %s', async (_where, host, isPlain) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const sent: Buffer[] = [];
  const opened = new Promise<string>((resolve) => {
    server.on('connection', (socket, { socket: bare }) => {
      // A copy: the server unmasks in place.
      bare.prependListener('data', (bytes: Buffer) => sent.push(Buffer.from(bytes)));
      socket.on('message', (data: Buffer) => resolve(data.toString()));
    });
  });
  connection.open(`http://${host}:${(server.address() as AddressInfo).port}`);
  expect(await opened).toContain('"type":"Connect"');
  expect(Buffer.concat(sent).includes('"type":"Connect"')).toBe(isPlain);
  await connection.close();
  for (const socket of server.clients) socket.terminate();
  server.close();
});

test('a backend that breaks the protocol costs the client, not the process', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const connected = vi.fn<(connected: boolean) => void>();
  connection.onState(connected);
  let connections = 0;
  const secondClient = new Promise<void>((resolve) => {
    server.on('connection', (socket) => {
      connections += 1;
      if (connections === 2) resolve();
      // A fatal error makes the client throw inside its message handler.
      else socket.send(JSON.stringify({ type: 'FatalError', error: 'made up' }));
    });
  });
  connection.open(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await secondClient;
  expect(logged.join('\n')).toContain('made up');
  await connection.close();
  for (const socket of server.clients) socket.terminate();
  await new Promise((resolve) => server.close(resolve));
});

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  return await call.then(
    () => 'no failure',
    (error: unknown) => error,
  );
}

/** Addresses where nothing listens, no two the same. */
async function deadAddresses(count: number): Promise<string[]> {
  const ports = await Promise.all(Array.from({ length: count }, () => holdPort()));
  await Promise.all(ports.map(({ close }) => close()));
  return ports.map(({ port }) => `http://127.0.0.1:${port}`);
}
