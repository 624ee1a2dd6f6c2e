/** What is told to all clients, collected for one turn of the event loop, so that each gets it in one write. */

/** Frames as they go over the wire. */
export interface Announcement {
  /** For every client, or what a plain client gets of a line of Codex's. */
  plain: Buffer;
  /** What a `?wrap=1` client gets. */
  wrapped: Buffer;
}

interface Listener {
  readonly wrap: boolean;
  write(frames: readonly Buffer[]): void;
}

/** Bytes that wait for the end of the turn: more is written at once. */
const MAX_WAITING = 256 * 1024;

export class Announcements {
  readonly #listeners: () => Iterable<Listener>;
  #waiting: Announcement[] = [];
  #bytes = 0;
  #timer: NodeJS.Immediate | undefined;

  constructor(listeners: () => Iterable<Listener>) {
    this.#listeners = listeners;
  }

  add(announcement: Announcement): void {
    this.#waiting.push(announcement);
    this.#bytes += announcement.wrapped.length;
    if (this.#bytes > MAX_WAITING) this.flush();
    else this.#timer ??= setImmediate(() => this.flush());
  }

  /** Writes what waits. Before anything that one client alone gets, so that all comes in order. */
  flush(): void {
    clearImmediate(this.#timer);
    this.#timer = undefined;
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    this.#bytes = 0;
    let plain: Buffer | undefined;
    let wrapped: Buffer | undefined;
    for (const listener of this.#listeners()) {
      if (listener.wrap) wrapped ??= Buffer.concat(waiting.map((told) => told.wrapped));
      else plain ??= Buffer.concat(waiting.map((told) => told.plain));
      const frames = listener.wrap ? wrapped : plain;
      if (frames !== undefined) listener.write([frames]);
    }
  }
}
