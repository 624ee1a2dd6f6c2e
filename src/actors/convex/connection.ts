/**
 * The daemon's one holder of the official Convex client. It outlives restarts of
 * the backend and changes of its address; what is asked of it while there is no
 * backend waits, or fails with `convex_unavailable` when the client is replaced.
 */
import { ConvexClient } from 'convex/browser';
import type { FunctionArgs, FunctionReference, FunctionReturnType } from 'convex/server';
import { BridgeError } from '../../errors.ts';
import { convexFailure } from './convex-failure.ts';
import { guardedWebSocket } from './guarded-web-socket.ts';

type Query = FunctionReference<'query'>;
type Mutation = FunctionReference<'mutation'>;

/** A server that breaks every new client at once must not be asked in a tight loop. */
const REOPEN_DELAY_MS = 500;

export interface ConvexConnectionOptions {
  /** Signs in with what this resolves with, a JWT; asked again whenever the last one nears its end. */
  token?: () => Promise<string>;
  /** Told of what the client would print, and of a client that had to be replaced. */
  log?: (level: 'warn' | 'error', message: string) => void;
}

export class ConvexConnection {
  readonly #log: NonNullable<ConvexConnectionOptions['log']>;
  readonly #token: ConvexConnectionOptions['token'];
  readonly #stateListeners = new Set<(connected: boolean) => void>();
  readonly #subscriptions = new Set<Subscription>();
  #current: Current | null = null;
  #isRefused = false;
  #reopening: NodeJS.Timeout | undefined;

  constructor({ log = () => {}, token }: ConvexConnectionOptions = {}) {
    this.#log = log;
    this.#token = token;
  }

  get url(): string | null {
    return this.#current?.url ?? null;
  }

  get connected(): boolean {
    return this.#current?.connected ?? false;
  }

  /** The backend that was opened last does not take our tokens; it is not connected to any more. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /**
   * Connects to a backend that is known to answer. A client that is connected to
   * the same address stays; one that is not is replaced, because on its own it
   * might wait for another 16 s before it tries again.
   */
  open(url: string): void {
    if (this.#current?.url === url && this.#current.connected) return;
    clearTimeout(this.#reopening);
    void this.#drop('the connection was opened anew');
    this.#isRefused = false;
    this.#current = this.#connect(url);
    for (const subscription of this.#subscriptions) subscription.attach(this.#current.client);
  }

  /**
   * Runs a mutation. Rejects with a BridgeError: `convex_rejected` when the
   * function refused it, `convex_unavailable` when the connection was closed or
   * replaced meanwhile: then it may have been committed all the same, so only
   * an idempotent mutation may simply be sent again.
   */
  async mutation<Ref extends Mutation>(
    ref: Ref,
    args: FunctionArgs<Ref>,
  ): Promise<FunctionReturnType<Ref>> {
    return await this.#untilDropped((client) => client.mutation(ref, args));
  }

  /** Runs a query once. Rejects as `mutation` does. */
  async query<Ref extends Query>(
    ref: Ref,
    args: FunctionArgs<Ref>,
  ): Promise<FunctionReturnType<Ref>> {
    return await this.#untilDropped((client) => client.query(ref, args));
  }

  /** Subscribes, over every reopening, until the returned function is called. */
  onUpdate<Ref extends Query>(
    ref: Ref,
    args: FunctionArgs<Ref>,
    callback: (value: FunctionReturnType<Ref>) => void,
    onError: (error: BridgeError) => void = (error) => this.#log('error', error.message),
  ): () => void {
    let detach = () => {};
    const subscription: Subscription = {
      attach: (client) => {
        detach = client.onUpdate(ref, args, callback, (error) => onError(convexFailure(error)));
      },
    };
    this.#subscriptions.add(subscription);
    if (this.#current) subscription.attach(this.#current.client);
    return () => {
      this.#subscriptions.delete(subscription);
      detach();
    };
  }

  /** Told whenever the socket comes up or goes down. */
  onState(callback: (connected: boolean) => void): () => void {
    this.#stateListeners.add(callback);
    return () => this.#stateListeners.delete(callback);
  }

  async close(): Promise<void> {
    clearTimeout(this.#reopening);
    await this.#drop('the connection was closed');
  }

  #connect(url: string): Current {
    const client = new ConvexClient(url, {
      unsavedChangesWarning: false,
      // Nothing is asked before the token is taken.
      expectAuth: this.#token !== undefined,
      // A self-hosted or embedded backend may have any address.
      skipConvexDeploymentUrlCheck: true,
      logger: clientLogger(this.#log),
      webSocketConstructor: guardedWebSocket((error) => this.#replaceBroken(client, error)),
    });
    const current: Current = { url, client, connected: false, waiting: new Set() };
    if (this.#token !== undefined) {
      client.setAuth(this.#token, (isAuthenticated) => {
        if (!isAuthenticated) this.#refused(current);
      });
    }
    client.subscribeToConnectionState(({ isWebSocketConnected }) => {
      if (this.#current === current) this.#setConnected(current, isWebSocketConnected);
    });
    return current;
  }

  /**
   * The client has given up on our tokens, and would go on as nobody: then every write would
   * fail for good, when all that is wrong is a setting of the backend.
   */
  #refused(current: Current): void {
    if (this.#current !== current) return;
    this.#isRefused = true;
    void this.#drop("the backend does not take the bridge's tokens");
  }

  /** The client threw on what it received, and is of no use any more. */
  #replaceBroken(client: ConvexClient, error: unknown): void {
    const current = this.#current;
    if (current?.client !== client) return;
    this.#log('error', `The Convex client failed and is replaced: ${String(error)}`);
    void this.#drop('the client failed');
    this.#reopening = setTimeout(() => this.open(current.url), REOPEN_DELAY_MS);
  }

  #setConnected(current: Current, connected: boolean): void {
    if (current.connected === connected) return;
    current.connected = connected;
    for (const listener of this.#stateListeners) listener(connected);
  }

  async #drop(reason: string): Promise<void> {
    const current = this.#current;
    if (current === null) return;
    this.#setConnected(current, false);
    this.#current = null;
    const error = new BridgeError('convex_unavailable', reason);
    for (const giveUp of current.waiting) giveUp(error);
    await current.client.close();
  }

  /** The client leaves promises of a closed socket pending for ever; here they end. */
  async #untilDropped<Value>(ask: (client: ConvexClient) => Promise<Value>): Promise<Value> {
    const current = this.#current;
    if (current === null) throw new BridgeError('convex_unavailable', 'no backend is known yet');
    // Not Promise.race: that would keep something of every call as long as the client lives.
    const { promise, resolve, reject } = Promise.withResolvers<Value>();
    current.waiting.add(reject);
    ask(current.client).then(resolve, reject);
    try {
      return await promise;
    } catch (error) {
      throw convexFailure(error);
    } finally {
      current.waiting.delete(reject);
    }
  }
}

interface Current {
  url: string;
  client: ConvexClient;
  connected: boolean;
  /** Ends each call that has no answer yet. */
  waiting: Set<(error: BridgeError) => void>;
}

interface Subscription {
  attach(client: ConvexClient): void;
}

function clientLogger(log: NonNullable<ConvexConnectionOptions['log']>) {
  const at =
    (level: 'warn' | 'error') =>
    (...parts: unknown[]) =>
      log(level, parts.map(String).join(' '));
  return { log: () => {}, logVerbose: () => {}, warn: at('warn'), error: at('error') };
}
