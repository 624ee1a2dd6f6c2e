/** Watches a backend that is online: its version endpoint, and the client's connection to it. */
import { fromCallback, type CallbackActorLogic, type EventObject } from 'xstate';
import { BridgeError, toBridgeError } from '../../errors.ts';
import type { HealthEvent } from '../../machines/convex-link-status.ts';
import { probeBackend } from './probe.ts';

export interface HealthOptions {
  connection: {
    readonly connected: boolean;
    /** Told when the socket comes up or goes down, until the returned function is called. */
    onState: (callback: (connected: boolean) => void) => () => void;
  };
  /** Rows per table, of a backend that can tell. */
  tables?: (url: string, signal: AbortSignal) => Promise<Record<string, number>>;
  intervalMs?: number;
  probeLimitMs?: number;
  retryMs?: number;
  reconnectLimitMs?: number;
}

/** A backend of ours that ends is noticed at once; this is for one that hangs, or is elsewhere. */
const INTERVAL_MS = 5000;
/** One lost answer is no outage: it is asked once more, soon. */
const RETRY_MS = 1000;
/** The client reconnects by itself, and writes wait for it; this long it may take. */
const RECONNECT_LIMIT_MS = 10_000;

export function health(options: HealthOptions): CallbackActorLogic<EventObject, { url: string }> {
  return fromCallback<EventObject, { url: string }>(({ input, sendBack }) => {
    const watch = new HealthWatch(options, input.url, sendBack);
    return () => watch.stop();
  });
}

class HealthWatch {
  readonly #options: HealthOptions;
  readonly #url: string;
  readonly #send: (event: HealthEvent) => void;
  readonly #stopped = new AbortController();
  readonly #unsubscribe: () => void;
  #wake = () => {};
  #reconnectLimit: NodeJS.Timeout | undefined;

  constructor(options: HealthOptions, url: string, send: (event: HealthEvent) => void) {
    this.#options = options;
    this.#url = url;
    this.#send = send;
    const { connection } = options;
    this.#unsubscribe = connection.onState((connected) => this.#connectionChanged(connected));
    this.#connectionChanged(connection.connected);
    void this.#watch();
  }

  stop(): void {
    this.#stopped.abort();
    this.#unsubscribe();
    clearTimeout(this.#reconnectLimit);
    this.#wake();
  }

  #connectionChanged(connected: boolean): void {
    clearTimeout(this.#reconnectLimit);
    if (connected) return;
    const { reconnectLimitMs = RECONNECT_LIMIT_MS } = this.#options;
    this.#reconnectLimit = setTimeout(() => {
      const message = `${this.#url}: the client could not connect again within ${reconnectLimitMs} ms`;
      this.#lost(new BridgeError('convex_unavailable', message));
    }, reconnectLimitMs);
    this.#wake();
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopped;
    const { intervalMs = INTERVAL_MS, retryMs = RETRY_MS } = this.#options;
    let before: BridgeError | null = null;
    while (!signal.aborted) {
      const failure = await this.#probe();
      if (signal.aborted) return;
      if (failure !== null && before !== null) {
        this.#lost(failure);
        return;
      }
      before = failure;
      if (failure === null) await this.#count();
      await this.#pause(failure === null ? intervalMs : retryMs);
    }
  }

  async #probe(): Promise<BridgeError | null> {
    try {
      await probeBackend(this.#url, this.#stopped.signal, this.#options.probeLimitMs);
      return null;
    } catch (error) {
      return toBridgeError(error, 'convex_unavailable');
    }
  }

  /** A backend that cannot count its rows is healthy all the same. */
  async #count(): Promise<void> {
    const { signal } = this.#stopped;
    const tables = await this.#options.tables?.(this.#url, signal).catch(() => null);
    if (tables && !signal.aborted) this.#send({ type: 'health.tables', tables });
  }

  /** Ends sooner when the connection is lost. */
  async #pause(ms: number): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #lost(error: BridgeError): void {
    this.stop();
    this.#send({ type: 'health.lost', error });
  }
}
