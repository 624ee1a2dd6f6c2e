/** Ports of this machine, for tests that need one before anything of ours listens on it. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

export interface HeldPort {
  port: number;
  /** Frees it. */
  close: () => Promise<void>;
  [Symbol.dispose](): void;
}

/**
 * Below those that systems hand out (Linux from 32768, macOS and Windows from 49152): a port that
 * is free, or will be again, is nobody's by chance who connects or asks for any port.
 */
const PORTS = { first: 10_000, last: 32_000 };
let last = randomInt(PORTS.first, PORTS.last);

/** Another program that holds a port, and does with who connects what it is told. */
export async function holdPort(onConnect: (socket: Socket) => void = () => {}): Promise<HeldPort> {
  const server = createServer((socket) => {
    // Whoever has seen enough may hang up.
    socket.on('error', () => {});
    onConnect(socket);
  });
  const port = await listenOnNext(server);
  return {
    port,
    close: async () => {
      server.close();
      await once(server, 'close');
    },
    [Symbol.dispose]: () => void server.close(),
  };
}

/** What some web server says to whatever it is asked. */
export function answerAsWebServer(socket: Socket): void {
  socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\nhello'));
}

/** A port that was free a moment ago, and that is given out once. */
export async function freePort(): Promise<number> {
  const { port, close } = await holdPort();
  await close();
  return port;
}

async function listenOnNext(server: Server): Promise<number> {
  for (;;) {
    last = last < PORTS.last ? last + 1 : PORTS.first;
    const port = last;
    try {
      await once(server.listen(port, '127.0.0.1'), 'listening');
      return port;
    } catch (error) {
      const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
      if (!isTaken) throw error;
    }
  }
}
