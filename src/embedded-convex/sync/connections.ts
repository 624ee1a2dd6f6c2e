import type { WebSocket } from 'ws';
import { Session } from './session.ts';
import type { SessionServices } from './session.ts';
import { SyncSocket } from './sync-socket.ts';
import type { SocketTiming } from './sync-socket.ts';

/** The sync connections of a server. */
export class Connections {
  readonly #services: SessionServices;
  readonly #heartbeat: NodeJS.Timeout;
  readonly #open = new Map<Session, SyncSocket>();

  constructor(services: SessionServices, timing: SocketTiming) {
    this.#services = services;
    this.#heartbeat = setInterval(() => {
      for (const socket of this.#open.values()) socket.heartbeat(timing);
    }, timing.heartbeatMs).unref();
  }

  add(webSocket: WebSocket, clientVersion: string | null): void {
    const socket = new SyncSocket(webSocket, clientVersion);
    const session = new Session(socket, this.#services);
    this.#open.set(session, socket);
    webSocket.on('message', (data, isBinary) => {
      if (isBinary) socket.close(1003, 'TextMessagesOnly');
      // ws hands text over as one Buffer unless it is told otherwise.
      else session.receive((data as Buffer).toString('utf8'));
    });
    // A broken frame or connection; `close` follows.
    webSocket.on('error', () => undefined);
    webSocket.on('close', () => {
      this.#open.delete(session);
      session.close();
    });
  }

  /** Running mutations and actions have `drainLimitMs` to end and be answered. */
  async close(drainLimitMs: number): Promise<void> {
    this.stop();
    const drained = Promise.all(this.#open.keys().map((session) => session.drain()));
    await Promise.race([drained, after(drainLimitMs)]);
    const sockets = [...this.#open.values()];
    for (const socket of sockets) socket.close(1001, 'ServerShutdown');
    // Whoever does not answer the closing handshake is not waited for.
    const late = setTimeout(() => {
      for (const socket of sockets) socket.terminate();
    }, closeLimitMs);
    await Promise.all(sockets.map((socket) => socket.closed));
    clearTimeout(late);
  }

  stop(): void {
    clearInterval(this.#heartbeat);
  }
}

/** ms for the closing handshake of WebSockets. */
const closeLimitMs = 500;

function after(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
