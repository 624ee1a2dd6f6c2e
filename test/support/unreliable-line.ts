/** A TCP line to a server that can be made slow, one-way, or be cut: what stands between people and their Convex. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface UnreliableLine {
  /** `http://…` of this end. */
  readonly url: string;
  /** Milliseconds that each answer takes longer. */
  delayMs: number;
  /** What the server says is dropped from now on; it hears everything. */
  dropsAnswers: boolean;
  /** Nobody comes through any more. */
  isDown: boolean;
  /** Ends all connections with a reset. */
  cut(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function unreliableLine(serverPort: number): Promise<UnreliableLine> {
  const sockets = new Set<Socket>();
  const timers = new Set<NodeJS.Timeout>();
  const server = createServer((client) => {
    if (line.isDown) {
      client.resetAndDestroy();
      return;
    }
    const backend = connect(serverPort, '127.0.0.1');
    const end = () => {
      client.destroy();
      backend.destroy();
    };
    for (const socket of [client, backend]) {
      sockets.add(socket);
      socket.on('error', end);
      socket.on('close', () => {
        sockets.delete(socket);
        end();
      });
    }
    client.pipe(backend);
    backend.on('data', (chunk: Buffer) => {
      if (line.dropsAnswers) return;
      // Timers of one length end in order.
      const timer = setTimeout(() => {
        timers.delete(timer);
        if (client.writable) client.write(chunk);
      }, line.delayMs);
      timers.add(timer);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Listening on a port.
  const { port } = server.address() as AddressInfo;
  const line: UnreliableLine = {
    url: `http://127.0.0.1:${port}`,
    delayMs: 0,
    dropsAnswers: false,
    isDown: false,
    cut() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    async [Symbol.asyncDispose]() {
      server.close();
      line.cut();
      for (const timer of timers) clearTimeout(timer);
      await once(server, 'close');
    },
  };
  return line;
}
