/** Ports of this machine, for tests that need one before anything of ours listens on it. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

export interface HeldPort {
  port: number;
  /** Frees it. */
  close: () => Promise<void>;
  [Symbol.dispose](): void;
}

/** Another program that holds a port, and does with who connects what it is told. */
export async function holdPort(onConnect: (socket: Socket) => void = () => {}): Promise<HeldPort> {
  const server = createServer((socket) => {
    // Whoever has seen enough may hang up.
    socket.on('error', () => {});
    onConnect(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // A TCP server's address is never a pipe name.
    port: (server.address() as AddressInfo).port,
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

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const { port, close } = await holdPort();
  await close();
  return port;
}
