import { AuthenticationError, anonymous } from '../authentication.ts';
import type { Authentication, Caller } from '../authentication.ts';
import type { Executor, FunctionRequest } from '../executor.ts';
import type { LiveQueries } from '../live-queries/live-queries.ts';
import { ClientRequests } from './client-requests.ts';
import { parseClientMessage } from './client-message.ts';
import type { ClientMessage, FunctionCall, QuerySetModification, Token } from './client-message.ts';
import { checkExpiry, Expiry } from './expiry.ts';
import type { FlushScheduler } from './flush-scheduler.ts';
import { QuerySet } from './query-set.ts';
import {
  encodeActionResponse,
  encodeAuthError,
  encodeFatalError,
  encodeMutationResponse,
  encodeTransition,
} from './server-message.ts';
import type { StateVersion } from './server-message.ts';
import { SessionError } from './session-error.ts';
import type { SyncSocket } from './sync-socket.ts';

export interface SessionServices {
  executor: Executor;
  live: LiveQueries;
  authentication: Authentication;
  scheduler: FlushScheduler;
  /** For the operator: what the client is not told. */
  onError: (error: unknown) => void;
}

/**
 * One connection of the sync protocol. Messages are handled strictly one after the other;
 * mutations run one at a time, in their order; actions run beside. Everything that changed
 * is told in transitions: one is computed at a time, each starts where the last one ended,
 * and all queries in it are of one snapshot.
 */
export class Session {
  readonly #services: SessionServices;
  readonly #socket: SyncSocket;
  readonly #queries: QuerySet;
  readonly #requests: ClientRequests;
  readonly #inbox: string[] = [];
  #handling = false;
  #closed = false;

  #sessionId: string | null = null;
  #clientClockSkew: number | null = null;
  /** What the client was shown last. */
  #version: StateVersion = { querySet: 0, identity: 0, ts: 0n };
  /** What the client has asked for; the next transition takes it over. */
  #received = { querySet: 0, identity: 0 };
  #pending: QuerySetModification[] = [];
  #caller: Caller = anonymous;
  #callerChanged = false;
  readonly #expiry = new Expiry((error) => this.#fail(error));
  #draining = false;

  /**
   * A client that comes back sends its unanswered mutations again. Those that had run are
   * answered before it is shown what they did, or it would show that twice: as it is, and as
   * its optimistic update, which it keeps until the answer, has it.
   */
  #isCatchingUp = false;

  #flushWanted = false;
  #flushing = false;
  /**
   * A response went out, and a transition that reaches this timestamp has to follow it. One
   * that was being computed will do if it comes to reach it.
   */
  #owedTs: bigint | null = null;
  readonly #startFlush = () => void this.#flush();

  constructor(socket: SyncSocket, services: SessionServices) {
    this.#services = services;
    this.#socket = socket;
    this.#queries = new QuerySet(services.live, () => this.#wantFlush());
    this.#requests = new ClientRequests(services.executor, {
      onFailure: (error) => this.#fail(error),
      onIdle: () => this.#scheduleFlush(),
    });
    socket.onDrained = () => this.#scheduleFlush();
  }

  receive(text: string): void {
    if (this.#closed || this.#draining) return;
    this.#inbox.push(text);
    if (!this.#handling) void this.#handleInbox();
  }

  /**
   * Takes nothing new and resolves when what runs has been answered. What only waits is not
   * begun: the client sends it again to whoever comes after us.
   */
  async drain(): Promise<void> {
    this.#draining = true;
    this.#inbox.length = 0;
    this.#requests.dropWaiting();
    await this.#requests.settled();
  }

  /** The socket is gone. What runs in the executor goes on; its answer reaches nobody. */
  close(): void {
    this.#closed = true;
    this.#inbox.length = 0;
    this.#requests.dropWaiting();
    this.#expiry.stop();
    this.#queries.close();
  }

  async #handleInbox(): Promise<void> {
    this.#handling = true;
    try {
      for (let text = this.#inbox.shift(); text !== undefined; text = this.#inbox.shift()) {
        await this.#handleAlone(parseClientMessage(text));
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#handling = false;
    }
  }

  /**
   * Nothing may overtake a token that is checked, or a mutation for which there is no room:
   * until then nothing more is read, and the client's own buffers fill up. A client that was
   * sent away instead would come back with all its mutations, and be sent away again.
   */
  async #handleAlone(message: ClientMessage): Promise<void> {
    const handled = this.#handle(message);
    if (handled === undefined) return;
    this.#socket.pause();
    try {
      await handled;
    } finally {
      this.#socket.resume();
    }
  }

  #handle(message: ClientMessage): Promise<void> | undefined {
    switch (message.type) {
      case 'Connect':
        this.#connect(message);
        return undefined;
      case 'Authenticate':
        return this.#authenticate(message.token, message.baseVersion);
      case 'ModifyQuerySet':
        this.#modifyQuerySet(message);
        return undefined;
      case 'Mutation':
        return this.#mutate(message);
      case 'Action':
        this.#act(message);
        return undefined;
      case 'Event':
        return undefined;
    }
  }

  #connect(message: ClientMessage & { type: 'Connect' }): void {
    const { sessionId, isReturning, maxObservedTimestamp, clientTs } = message;
    this.#sessionId = sessionId;
    this.#isCatchingUp = isReturning;
    if (clientTs !== null) this.#clientClockSkew = Math.round(clientTs - Date.now());
    const { ts } = this.#services.live;
    if (maxObservedTimestamp !== null && maxObservedTimestamp > ts) {
      // It has seen commits that this database does not have: a copy from before was put in place.
      throw SessionError.internal(
        `A client has seen the timestamp ${maxObservedTimestamp}, but the newest one here is ${ts}`,
      );
    }
  }

  async #authenticate(token: Token, baseVersion: number): Promise<void> {
    this.#checkBaseVersion('identity', baseVersion, this.#received.identity);
    let caller: Caller;
    try {
      caller = await this.#callerOf(token);
      // One of the last seconds, which clocks may differ by: clients that come back with it
      // get another only when it is this update that fails, not its use a moment later.
      checkExpiry(caller);
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error;
      throw new AuthenticationError(error.code, error.message, { whileUpdating: true });
    }
    if (this.#closed) return;
    this.#caller = caller;
    this.#callerChanged = true;
    this.#received.identity += 1;
    this.#expiry.watch(caller);
    this.#wantFlush();
  }

  async #callerOf(token: Token): Promise<Caller> {
    const { authentication } = this.#services;
    switch (token.type) {
      case 'None':
        return anonymous;
      case 'User':
        return authentication.user(token.value);
      case 'Admin':
        return authentication.admin(token.value, token.actingAs);
    }
  }

  #modifyQuerySet(message: ClientMessage & { type: 'ModifyQuerySet' }): void {
    const { baseVersion, newVersion, modifications } = message;
    this.#checkBaseVersion('query set', baseVersion, this.#received.querySet);
    if (newVersion <= baseVersion) {
      throw SessionError.fatal(
        'InvalidVersion',
        `The new version ${newVersion} of the query set does not come after ${baseVersion}`,
      );
    }
    for (const modification of modifications) {
      if (modification.type === 'Add') refuseComponent(modification);
    }
    this.#received.querySet = newVersion;
    this.#pending.push(...modifications);
    this.#wantFlush();
  }

  #checkBaseVersion(what: string, baseVersion: number, current: number): void {
    if (baseVersion === current) return;
    throw SessionError.fatal(
      'BaseVersionMismatch',
      `Base version ${baseVersion} of the ${what} does not match the current version ${current}`,
    );
  }

  #functionRequest(call: FunctionCall): FunctionRequest {
    refuseComponent(call);
    this.#expiry.check();
    const { identity, isAdmin } = this.#caller;
    return { path: call.path, args: call.args, identity, allowInternal: isAdmin };
  }

  /** The response goes out first; the client resolves it when a later transition covers `ts`. */
  #mutate(message: ClientMessage & { type: 'Mutation' | 'Action' }): Promise<void> | undefined {
    if (this.#closed || this.#draining) return undefined;
    const { room } = this.#requests;
    if (room !== null) return room.then(() => this.#mutate(message));
    const { requestId } = message;
    const request = this.#functionRequest(message);
    const sessionId = this.#sessionId;
    const identified = sessionId === null ? {} : { request: { sessionId, requestId } };
    this.#requests.mutate({ ...request, ...identified }, (result) => {
      if (result.outcome.ok) this.#services.live.observe(result.ts);
      // It runs for the first time, and so does whatever comes after it.
      if (result.outcome.ok && result.repeated !== true) this.#isCatchingUp = false;
      this.#answer(encodeMutationResponse(requestId, result));
    });
    return undefined;
  }

  #act(message: ClientMessage & { type: 'Mutation' | 'Action' }): void {
    this.#requests.act(this.#functionRequest(message), (result) => {
      this.#answer(encodeActionResponse(message.requestId, result));
    });
  }

  #answer(response: string): void {
    if (this.#closed) return;
    this.#socket.send(response);
    this.#owedTs = this.#services.live.ts;
    this.#scheduleFlush();
  }

  #wantFlush(): void {
    this.#flushWanted = true;
    this.#scheduleFlush();
  }

  #scheduleFlush(): void {
    const wanted = this.#flushWanted || this.#owedTs !== null;
    if (wanted && this.#mayFlush && this.#socket.canTakeTransition) {
      this.#services.scheduler.schedule(this.#startFlush);
    }
  }

  get #mayFlush(): boolean {
    const mustWait = this.#isCatchingUp && this.#requests.isMutating;
    return !this.#closed && !this.#flushing && !mustWait;
  }

  async #flush(): Promise<void> {
    if (!this.#mayFlush) return;
    this.#isCatchingUp = false;
    this.#flushing = true;
    this.#flushWanted = false;
    try {
      await this.#sendTransition();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#flushing = false;
      this.#scheduleFlush();
    }
  }

  async #sendTransition(): Promise<void> {
    this.#expiry.check();
    const start = this.#version;
    const { querySet, identity } = this.#received;
    if (this.#callerChanged) this.#queries.changeCaller(this.#caller);
    this.#callerChanged = false;
    this.#queries.apply(this.#pending, this.#caller);
    this.#pending = [];
    const { live } = this.#services;
    const floor = start.ts > live.ts ? start.ts : live.ts;
    const { ts, modifications } = await this.#queries.advance(floor);
    if (this.#closed) return;
    const end = { querySet, identity, ts };
    this.#version = end;
    if (this.#owedTs !== null && this.#owedTs <= ts) this.#owedTs = null;
    const clientClockSkew = this.#clientClockSkew;
    this.#socket.sendTransition(
      encodeTransition({ start, end, modifications, clientClockSkew, sentAt: Date.now() }),
    );
  }

  /** The last that happens on this connection. */
  #fail(error: unknown): void {
    if (this.#closed) return;
    this.close();
    if (error instanceof AuthenticationError) {
      const message = `${error.code}: ${error.message}`;
      this.#socket.send(encodeAuthError(message, this.#received.identity, error.whileUpdating));
      this.#socket.close();
      return;
    }
    if (!(error instanceof SessionError) || error.kind === 'internal') {
      this.#services.onError(error);
      this.#socket.close(1011, 'InternalServerError');
    } else if (error.kind === 'overloaded') {
      this.#socket.close(1013, error.code);
    } else {
      this.#socket.send(encodeFatalError(`${error.code}: ${error.message}`));
      this.#socket.close();
    }
  }
}

function refuseComponent({ componentPath }: FunctionCall): void {
  if (componentPath === '') return;
  throw SessionError.fatal(
    'ComponentsUnsupported',
    'The embedded backend has no components; call functions of the application itself',
  );
}
