/** A gateway machine with real sockets, and clients that see what is on the wire. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { createActor, fromCallback, type Actor, type EventObject } from 'xstate';
import type { AccessPolicy } from '../../src/actors/gateway/access.ts';
import { gatewayServer, type GatewayServerOptions } from '../../src/actors/gateway/server.ts';
import { gateway } from '../../src/machines/gateway.ts';
import { until } from './until.ts';

export const TOKEN = 'test-token-0123456789';

export interface RunningGateway {
  actor: Actor<typeof gateway>;
  access: { -readonly [Name in keyof AccessPolicy]: AccessPolicy[Name] };
  url: string;
  /** Codex prints a line. */
  line(text: string): void;
  /** The token in `access` is another now. */
  rotated(): void;
  [Symbol.dispose](): void;
}

/** Without waiting; its `url` is of the port that was asked for. */
export function spawnGateway(options: Partial<GatewayServerOptions> = {}): RunningGateway {
  const access = { token: TOKEN, allowedOrigins: [], hostNames: [] };
  let rotated = () => {};
  const running: RunningGateway = {
    url: '',
    access,
    actor: createActor(
      gateway.provide({
        actors: {
          server: gatewayServer({
            host: '127.0.0.1',
            port: 0,
            access,
            hello: (host) => ({
              bridgeId: 'bridge',
              machineId: 'machine',
              version: '0',
              convexUrl: `http://${host}`,
            }),
            convexToken: (host) =>
              Promise.resolve({ url: `http://${host}`, token: 'jwt', expiresAt: 5 }),
            pairingAddresses: () => [
              { bridgeUrl: running.url, convexUrl: `http://${new URL(running.url).host}` },
            ],
            inspection: { watch: () => () => {} },
            ...options,
          }),
          tokenWatch: fromCallback<EventObject>(({ sendBack }) => {
            rotated = () => sendBack({ type: 'token.rotated' });
          }),
        },
      }),
      { systemId: 'gateway' },
    ),
    line(text) {
      const line = { runId: 'r', threadId: 't', stream: 'stdout', lines: [text] } as const;
      running.actor.send({ type: 'broadcast.lines', ...line });
    },
    rotated: () => rotated(),
    [Symbol.dispose]: () => void running.actor.stop(),
  };
  running.actor.start();
  return running;
}

export async function startGateway(options?: Partial<GatewayServerOptions>) {
  const running = spawnGateway(options);
  await until('it listens', () => running.actor.getSnapshot().value === 'listening');
  running.url = `ws://${running.actor.getSnapshot().context.address}/ws`;
  return running;
}

/** A client that keeps every frame as text. */
export async function rawClient(
  url: string,
  query = '',
): Promise<{ socket: WebSocket; frames: string[] }> {
  const socket = new WebSocket(`${url}?token=${TOKEN}${query}`);
  const frames: string[] = [];
  socket.on('message', (data: Buffer) => frames.push(data.toString()));
  await Promise.all([once(socket, 'open'), once(socket, 'message')]);
  return { socket, frames };
}

/** A TCP connection to the gateway, for clients that do not behave. */
export async function rawSocket(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Resolves when it is cut, in whatever way: also with a reset, which `once` would reject for. */
export async function cutOff(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
}

/** The head of an upgrade, as a browser sends it. */
export function upgradeHead(token = TOKEN, headers: Record<string, string> = {}): string {
  const all = {
    Host: 'localhost',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET /ws?token=${token} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** The status of the answer to such a head. */
export async function statusOf(url: string, head: string): Promise<number> {
  const socket = await rawSocket(url);
  socket.write(head);
  const [data] = await once(socket, 'data');
  socket.destroy();
  return Number(/^HTTP\/1\.1 (\d+)/.exec(String(data))?.[1]);
}
