/** One client's socket: what it may send, how far behind it is, and whether it still lives. */
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { ClientEvent } from '../../machines/client-connection.ts';

export interface ConnectionOptions {
  socket: WebSocket;
  /** What the WebSocket runs over. */
  stream: Duplex;
  clientId: string;
  /** The `Host` under which this client reached us. */
  requestHost: string;
  /** `?wrap=1`: Codex's lines come inside `codex.line` frames. */
  wrap: boolean;
  /** Milliseconds between two pings. */
  pingMs?: number | undefined;
  /** Something is about to be sent to this client alone. */
  beforeSend(): void;
  onFrame(connection: Connection, text: string): void;
  onEvent(event: ClientEvent): void;
}

/** Unsent bytes that count as lagging: far above a burst, far below what hurts. */
const BEHIND_BYTES = 1024 * 1024;
/** Unsent bytes past which a client is dropped at once, as the control protocol promises. */
const OVERFLOW_BYTES = 8 * 1024 * 1024;
/** How often a lagging socket is looked at, in ms: there is no event for "drained below". */
const BACKLOG_CHECK_MS = 100;
/** Ping every 15 s; the socket ends after two missed pongs. */
const PING_MS = 15_000;
const MISSED_PONGS = 2;
/** Requests: 50 a second, bursts of 100, as the control protocol promises. */
const RATE_PER_MS = 50 / 1000;
const RATE_BURST = 100;
/** After a close frame, how long an unread peer may hold the socket, in ms. */
const CLOSE_GRACE_MS = 1_000;

export class Connection {
  readonly clientId: string;
  readonly requestHost: string;
  readonly wrap: boolean;
  readonly #socket: WebSocket;
  readonly #options: ConnectionOptions;
  readonly #ping: NodeJS.Timeout;
  #backlogCheck: NodeJS.Timeout | undefined;
  /** Unsent bytes of the greeting, which a slow client may take its time over. */
  #greeting = 0;
  #missedPongs = 0;
  #tokens = RATE_BURST;
  #tokensAt = performance.now();

  constructor(options: ConnectionOptions) {
    const { socket, pingMs = PING_MS } = options;
    this.clientId = options.clientId;
    this.requestHost = options.requestHost;
    this.wrap = options.wrap;
    this.#socket = socket;
    this.#options = options;
    this.#ping = setInterval(() => this.#checkAlive(), pingMs);
    socket.on('pong', () => {
      this.#missedPongs = 0;
    });
    socket.on('ping', (data) => {
      // A client that floods us with pings gets as many pongs as it may ask for.
      if (this.takeToken() && this.#socket.readyState === this.#socket.OPEN) socket.pong(data);
    });
    socket.on('message', (data, isBinary) => {
      // ws hands over one Buffer for each message unless told otherwise.
      options.onFrame(this, isBinary || !Buffer.isBuffer(data) ? '' : data.toString('utf8'));
    });
    // Errors (an oversized frame, a reset) are followed by `close`, which ends everything.
    socket.on('error', () => undefined);
    socket.on('close', (code) => {
      clearInterval(this.#ping);
      clearInterval(this.#backlogCheck);
      options.onEvent({ type: 'client.closed', code });
    });
  }

  /** Bytes that the peer has not taken yet. */
  get backlog(): number {
    return this.#socket.bufferedAmount;
  }

  /** Queues a frame; never blocks, never throws. A closing socket ignores it. */
  send(frame: string): void {
    this.#options.beforeSend();
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(frame);
    if (this.#socket.bufferedAmount > BEHIND_BYTES) this.#watchBacklog();
  }

  /** As `send`, of whole frames that are made already; ws, too, writes whole frames at once. */
  write(frames: readonly Buffer[]): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    const { stream } = this.#options;
    stream.cork();
    for (const frame of frames) stream.write(frame);
    stream.uncork();
    if (this.#socket.bufferedAmount > BEHIND_BYTES) this.#watchBacklog();
  }

  /**
   * What was sent so far was the greeting. Its replay can be larger than what a client may
   * be behind: counted, a slow client would be dropped each time that it comes back.
   */
  greeted(): void {
    this.#greeting = this.#socket.bufferedAmount;
  }

  /** Takes one request's allowance; false when the client asks too fast. */
  takeToken(): boolean {
    const now = performance.now();
    this.#tokens = Math.min(RATE_BURST, this.#tokens + (now - this.#tokensAt) * RATE_PER_MS);
    this.#tokensAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  close(code: number, reason: string): void {
    this.#options.beforeSend();
    this.#socket.close(code, reason);
    setTimeout(() => this.#socket.terminate(), CLOSE_GRACE_MS).unref();
  }

  /**
   * A burst within one turn of the event loop says nothing yet about the reader, so
   * the backlog is judged at the next check.
   */
  #watchBacklog(): void {
    if (this.#backlogCheck !== undefined) return;
    this.#options.onEvent({ type: 'client.behind', bytes: this.#socket.bufferedAmount });
    this.#backlogCheck = setInterval(() => {
      const bytes = this.#socket.bufferedAmount;
      this.#greeting = Math.min(this.#greeting, bytes);
      if (bytes - this.#greeting > OVERFLOW_BYTES) {
        this.#options.onEvent({ type: 'client.overflowed', bytes });
      }
      if (bytes > BEHIND_BYTES / 2) return;
      clearInterval(this.#backlogCheck);
      this.#backlogCheck = undefined;
      this.#options.onEvent({ type: 'client.caughtUp' });
    }, BACKLOG_CHECK_MS);
  }

  #checkAlive(): void {
    if (this.#missedPongs >= MISSED_PONGS) {
      this.#socket.terminate();
      return;
    }
    this.#missedPongs += 1;
    this.#socket.ping();
  }
}
