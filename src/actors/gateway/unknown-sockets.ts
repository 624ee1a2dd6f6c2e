/** Connections of which nobody knows yet who they are: they may take little, and not for long. */
import type { Socket } from 'node:net';

/**
 * Twice as many as clients may be connected, so that all of them can come back at once. Beyond
 * it the oldest is cut: whoever holds connections loses them to those that get on.
 */
const MAX_SOCKETS = 128;

export class UnknownSockets {
  readonly #sockets = new Set<Socket>();

  add(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const [oldest] = this.#sockets;
    if (this.#sockets.size > MAX_SOCKETS && oldest !== undefined) {
      this.#sockets.delete(oldest);
      oldest.destroy();
    }
  }

  /** It has become a client's. */
  release(socket: unknown): void {
    for (const known of this.#sockets) if (known === socket) this.#sockets.delete(known);
  }
}
