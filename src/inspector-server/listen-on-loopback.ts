import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BridgeError } from '../errors.ts';

export interface ServedPage {
  /** `http://127.0.0.1:<port>/`, without a fragment. */
  url: string;
  close(): Promise<void>;
}

/** The server, for this machine alone. Rejects with `port_taken`. */
export async function listenOnLoopback(server: Server, port: number): Promise<ServedPage> {
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new BridgeError('port_taken', `127.0.0.1:${port} (--port)`, { cause });
  }
  // A TCP server's address is never a pipe name.
  const { port: actual } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${actual}/`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
