/**
 * Clients of a broadcast, in a process of their own: each checks that it gets every numbered line
 * in its place. Told by its parent what to do; see `ReadersCommand`.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { WebSocket } from 'ws';

export type ReadersCommand =
  /** So many that read, and one that never does. */
  | { type: 'connect'; url: string; token: string; readers: number; lines: number }
  /** So many more at once, which go away when they have an answer. */
  | { type: 'storm'; clients: number };

export type ReadersReport =
  | { type: 'connected' }
  /** All have all lines, or got one that is not the next. */
  | {
      type: 'read';
      complete: number;
      /** From the print of a line to the first reader, milliseconds. */
      latencies: number[];
      /** Milliseconds from the first line until the one that does not read was dropped. */
      droppedAfter: number | null;
    }
  | { type: 'answered'; admitted: number; refused: number; cut: number };

const LINE = Buffer.from('{"n":"');
const GONE = Buffer.from('{"type":"bridge.client_disconnected"');
const DIGITS = 8;
/** `{"n":"00000000","at":1234567890123`: where the time begins and ends. */
const TIME = [LINE.length + DIGITS + 7, LINE.length + DIGITS + 20] as const;

let target: Extract<ReadersCommand, { type: 'connect' }>;

process.on('message', (command: ReadersCommand) => {
  if (command.type === 'storm') void storm(command.clients);
  else void read((target = command));
});

function report(message: ReadersReport): void {
  process.send?.(message);
}

async function read({ url, token, readers, lines }: typeof target): Promise<void> {
  const next = Array<number>(readers).fill(0);
  const latencies: number[] = [];
  let begun: number | null = null;
  let droppedAfter: number | null = null;
  let open = readers;
  const ended = (socket: WebSocket) => {
    socket.terminate();
    open -= 1;
    if (open > 0) return;
    report({
      type: 'read',
      complete: next.filter((n) => n === lines).length,
      latencies,
      droppedAfter,
    });
  };
  const sockets = next.map((_, reader) => {
    const socket = new WebSocket(`${url}?token=${token}`);
    socket.on('message', (data: Buffer) => {
      if (data.subarray(0, LINE.length).equals(LINE)) {
        begun ??= performance.now();
        if (numberOf(data) !== next[reader]) return ended(socket);
        next[reader] = (next[reader] ?? 0) + 1;
        if (reader === 0) latencies.push(Date.now() - Number(data.subarray(...TIME)));
        if (next[reader] === lines) ended(socket);
      } else if (reader === 0 && begun !== null && data.subarray(0, GONE.length).equals(GONE)) {
        droppedAfter ??= performance.now() - begun;
      }
    });
    return once(socket, 'open');
  });
  await Promise.all(sockets);
  const stalled = await upgrade();
  stalled.pause();
  report({ type: 'connected' });
}

function numberOf(data: Buffer): number {
  let number = 0;
  for (let n = 0; n < DIGITS; n += 1) number = number * 10 + (data[LINE.length + n] ?? 0) - 48;
  return number;
}

async function storm(clients: number): Promise<void> {
  const heads = await Promise.all(
    Array.from({ length: clients }, async () => {
      const socket = await upgrade();
      // A connection that is cut may say so before it closes.
      const head = await new Promise<string>((resolve) => {
        socket.once('data', (data) => resolve(String(data)));
        socket.once('close', () => resolve(''));
      });
      return { socket, status: head.split(' ')[1] };
    }),
  );
  for (const { socket } of heads) socket.destroy();
  const count = (wanted: string) => heads.filter(({ status }) => status === wanted).length;
  const [admitted, refused] = [count('101'), count('503')];
  report({ type: 'answered', admitted, refused, cut: clients - admitted - refused });
}

async function upgrade() {
  const { hostname, port, pathname } = new URL(target.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(
    [
      `GET ${pathname}?token=${target.token} HTTP/1.1`,
      `Host: ${hostname}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      '\r\n',
    ].join('\r\n'),
  );
  return socket;
}
