import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server as HttpServer } from 'node:http';
import { isIPv6 } from 'node:net';
import { hostname } from 'node:os';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { refusal } from './access.ts';
import type { AccessPolicy } from './access.ts';
import { instanceName } from './admin-key.ts';
import { tokenVerifier } from './auth/verify-token.ts';
import { Authentication } from './authentication.ts';
import type { VerifyIdentity } from './authentication.ts';
import type { Executor } from './executor.ts';
import { handleRequest } from './http/handle-request.ts';
import { maxBodyBytes } from './http/read-body.ts';
import { LiveQueries } from './live-queries/live-queries.ts';
import { Connections } from './sync/connections.ts';
import { FlushScheduler } from './sync/flush-scheduler.ts';
import { defaultSocketTiming } from './sync/sync-socket.ts';
import type { SocketTiming } from './sync/sync-socket.ts';

export interface ServerOptions {
  /** Stays the caller's: `close` does not close it. */
  executor: Executor;
  adminKey: string;
  /** 0, the default, takes a free one. */
  port?: number;
  /** The address to listen on; `127.0.0.1` by default. */
  interface?: string;
  /** Added to this machine's own names. */
  hostNames?: readonly string[];
  allowedOrigins?: readonly string[];
  /** Instead of the check by the auth configuration of the functions. */
  verifyIdentity?: VerifyIdentity;
  timing?: Partial<SocketTiming>;
  /** ms that running mutations, actions and requests have at shutdown; 3000 by default. */
  drainLimitMs?: number;
  /** Is told what clients are not: failures of the server itself. */
  onError?: (error: unknown) => void;
}

export interface RunningServer {
  /** `http://…`, as a client on this machine reaches it. */
  url: string;
  port: number;
  /** Finishes what was begun, for a few seconds at most, then ends every connection. */
  close(): Promise<void>;
}

/** Serves the sync protocol and the HTTP API. Rejects with Node's error when it cannot listen. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { executor, port = 0, drainLimitMs = 3000, onError = () => undefined } = options;
  const address = options.interface ?? '127.0.0.1';
  const live = new LiveQueries(executor);
  const { adminKey, verifyIdentity = tokenVerifier(() => executor.authProviders) } = options;
  const authentication = new Authentication({ adminKey, verifyIdentity });
  const access = {
    hostNames: [...ownHostNames(), ...(options.hostNames ?? []).map((name) => name.toLowerCase())],
    allowedOrigins: options.allowedOrigins ?? [],
  };
  const services = { executor, live, authentication, instanceName, access, onError };
  const http = createServer((request, response) => void handleRequest(request, response, services));
  const connections = new Connections(
    { ...services, scheduler: new FlushScheduler() },
    { ...defaultSocketTiming, ...options.timing },
  );
  http.on('upgrade', upgradeHandler(access, connections));
  try {
    http.listen(port, address);
    await once(http, 'listening');
  } catch (error) {
    connections.stop();
    live.close();
    throw error;
  }
  const bound = boundPort(http);
  return {
    url: `http://${reachable(address)}:${bound}`,
    port: bound,
    async close() {
      const closed = once(http, 'close');
      http.close();
      const late = setTimeout(() => http.closeAllConnections(), drainLimitMs);
      await connections.close(drainLimitMs);
      http.closeIdleConnections();
      await closed;
      clearTimeout(late);
      live.close();
    },
  };
}

function upgradeHandler(access: AccessPolicy, connections: Connections) {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: maxBodyBytes,
    perMessageDeflate: false,
  });
  return (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    const refused = refusal(request, access);
    if (refused !== null) {
      refuseUpgrade(stream, '403 Forbidden', refused);
      return;
    }
    const path = URL.parse(request.url ?? '', 'http://localhost')?.pathname ?? '';
    // `/api/<version>/sync` from JavaScript, `/api/sync` from other clients.
    const match = /^\/api\/(?:([^/]+)\/)?sync$/.exec(path);
    if (match === null) {
      const message = `There is no WebSocket at ${path}`;
      refuseUpgrade(stream, '404 Not Found', { code: 'NotFound', message });
      return;
    }
    sockets.handleUpgrade(request, stream, head, (webSocket) => {
      connections.add(webSocket, match[1] ?? null);
    });
  };
}

function refuseUpgrade(stream: Duplex, status: string, error: { code: string; message: string }) {
  const body = JSON.stringify(error);
  stream.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function ownHostNames(): string[] {
  const name = hostname().toLowerCase();
  const [short = name] = name.split('.');
  return [name, short, `${short}.local`];
}

function boundPort(http: HttpServer): number {
  const address = http.address();
  if (address === null || typeof address === 'string') throw new Error('Not listening on TCP');
  return address.port;
}

/** Where a client on this machine finds a server that listens on `address`. */
function reachable(address: string): string {
  if (address === '0.0.0.0' || address === '::') return '127.0.0.1';
  return isIPv6(address) ? `[${address}]` : address;
}
