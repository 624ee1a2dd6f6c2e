import type { WebSocket } from 'ws';
import { pingMessage } from './server-message.ts';
import { joinsChunks, splitTransition } from './transition-chunks.ts';

export interface SocketTiming {
  /** ms between two checks of all connections, each with a WebSocket ping. Convex's: 5 s. */
  heartbeatMs: number;
  /** ms of silence from us after which a Ping message goes out; clients give up after 60 s. */
  pingAfterMs: number;
  /**
   * ms of silence from the client after which the connection counts as dead, which takes as many
   * checks: while we stood still we heard nobody. Convex's: 120 s.
   */
  clientTimeoutMs: number;
}

export const defaultSocketTiming: SocketTiming = {
  heartbeatMs: 5000,
  pingAfterMs: 15_000,
  clientTimeoutMs: 120_000,
};

/** One WebSocket as the protocol needs it: it knows what is still unsent and when it was last heard. */
export class SyncSocket {
  readonly #socket: WebSocket;
  readonly #joinsChunks: boolean;
  #unsentTransitions = 0;
  #lastSent = performance.now();
  /** Since the client was heard. */
  #checks = 0;
  /** Called when a transition has left for the network. */
  onDrained: () => void = () => undefined;

  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;

  constructor(socket: WebSocket, clientVersion: string | null) {
    this.#socket = socket;
    this.#joinsChunks = joinsChunks(clientVersion);
    this.closed = new Promise((resolve) => {
      socket.once('close', () => resolve());
    });
    const heard = () => {
      this.#checks = 0;
    };
    socket.on('message', heard);
    socket.on('pong', heard);
    socket.on('ping', heard);
  }

  /** Two are enough to keep the line busy; a slow client gets fewer, larger steps. */
  get canTakeTransition(): boolean {
    return this.#unsentTransitions < 2;
  }

  send(message: string): void {
    this.#lastSent = performance.now();
    this.#socket.send(message);
  }

  sendTransition(message: string): void {
    const parts = this.#joinsChunks ? splitTransition(message) : [message];
    this.#lastSent = performance.now();
    this.#unsentTransitions += 1;
    for (const [number, part] of parts.entries()) {
      if (number < parts.length - 1) this.#socket.send(part);
      else this.#socket.send(part, () => this.#transitionSent());
    }
  }

  /** Reads nothing more, until `resume`; what was read already still comes. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Without a code when the client has been told why in a message. */
  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
  }

  terminate(): void {
    this.#socket.terminate();
  }

  heartbeat({ heartbeatMs, pingAfterMs, clientTimeoutMs }: SocketTiming): void {
    this.#checks += 1;
    if (this.#checks * heartbeatMs > clientTimeoutMs) {
      this.terminate();
      return;
    }
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.ping();
    if (performance.now() - this.#lastSent >= pingAfterMs) this.send(pingMessage);
  }

  #transitionSent(): void {
    this.#unsentTransitions -= 1;
    this.onDrained();
  }
}
