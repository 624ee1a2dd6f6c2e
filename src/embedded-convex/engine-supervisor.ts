import type { AuthProvider } from './auth/auth-config.ts';
import { EngineError, engineErrorCodes } from './engine-error.ts';
import { EngineThread } from './engine-thread.ts';
import type { EngineThreadOptions, ThreadEnd } from './engine-thread.ts';
import type { Commit } from './executor.ts';
import { failedOutcome, interrupted, outOfMemory, timedOut } from './outcome.ts';
import { unpackCommit } from './packed-commit.ts';
import type { Answer, Call, FromWorker, Method } from './worker-protocol.ts';

interface EngineSupervisorOptions extends EngineThreadOptions {
  /** The engine has ended for good, though nobody closed it. */
  onStopped(error: EngineError): void;
}

interface Pending {
  call: Call;
  resolve: (answer: Answer) => void;
  reject: (error: EngineError) => void;
  /** The memory ran out while it ran: by its doing, or by that of what ran beside it. */
  hasExhausted: boolean;
}

/** Keeps one engine thread running, and the promises of calls across a change of threads. */
export class EngineSupervisor {
  #options: EngineSupervisorOptions;
  /** By ticket, in the order of the calls. */
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(commit: Commit) => void>();
  #latestTs = 0n;
  #authProviders: readonly AuthProvider[] = [];
  #nextTicket = 1;
  /** null until it is ready, and again when it ends. */
  #thread: EngineThread | null = null;
  #stopped: EngineError | null = null;

  constructor(options: EngineSupervisorOptions) {
    this.#options = options;
  }

  get latestTs(): bigint {
    return this.#latestTs;
  }

  get authProviders(): readonly AuthProvider[] {
    return this.#authProviders;
  }

  /** Rejects with an `EngineError` when the database or the functions cannot be used. */
  async start(): Promise<void> {
    this.#latestTs = await this.#startThread();
  }

  call<Name extends Method>(call: Extract<Call, { method: Name }>): Promise<Answer<Name>> {
    if (this.#stopped !== null) return Promise.reject(this.#stopped);
    const ticket = this.#nextTicket;
    // It has 32 bits in the heartbeat, and nothing is pending for as long as they last.
    this.#nextTicket = (ticket % 0x7fff_ffff) + 1;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#pending.set(ticket, { call, resolve, reject, hasExhausted: false });
    this.#thread?.send({ ticket, call });
    this.#thread?.setWatched(true);
    // The engine answers a method with what the executor's method of that name returns.
    return promise as Promise<Answer<Name>>;
  }

  async reload(code: string): Promise<void> {
    this.#authProviders = await this.call({ method: 'loadCode', code });
    // For the next thread, should this one end.
    this.#options = { ...this.#options, code };
  }

  onCommit(listener: (commit: Commit) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Queries and mutations that were called before are answered; actions are cut short. */
  async close(): Promise<void> {
    if (this.#stopped === null) {
      this.#stopped = new EngineError(engineErrorCodes.engineStopped, 'The engine was closed');
      await this.#thread?.close();
    }
    this.#rejectAll(this.#stopped);
  }

  /** Resolves, once the thread is ready, to the timestamp of the newest commit it found. */
  #startThread(): Promise<bigint> {
    const { promise, resolve, reject } = Promise.withResolvers<bigint>();
    let failure: EngineError | null = null;
    let isReady = false;
    const thread = new EngineThread(this.#options, {
      onMessage: (message) => {
        if (typeof message === 'object' && 'ready' in message) {
          isReady = true;
          this.#thread = thread;
          this.#authProviders = message.ready.authProviders;
          resolve(message.ready.latestTs);
        } else if (typeof message === 'object' && 'failed' in message) {
          failure = new EngineError(message.failed.code, message.failed.message);
        } else {
          this.#receive(message);
        }
      },
      onEnd: (end) => {
        if (isReady) this.#ended(end);
        else reject(failure ?? startFailure(end));
      },
    });
    return promise;
  }

  #receive(message: Exclude<FromWorker, { ready: unknown } | { failed: unknown }>): void {
    if ('commit' in message) {
      const commit = unpackCommit(message.commit);
      this.#latestTs = commit.ts;
      for (const listener of this.#listeners) listener(commit);
      return;
    }
    const pending = this.#take(message.ticket);
    if ('answer' in message) pending?.resolve(message.answer);
    else pending?.reject(new EngineError(message.error.code, message.error.message));
  }

  #take(ticket: number): Pending | undefined {
    const pending = this.#pending.get(ticket);
    this.#pending.delete(ticket);
    if (this.#pending.size === 0) this.#thread?.setWatched(false);
    return pending;
  }

  #ended(end: ThreadEnd): void {
    this.#thread = null;
    if (this.#stopped !== null) return;
    this.#settleInterrupted(end);
    this.#restart().catch((error: unknown) => this.#stop(EngineError.from(error)));
  }

  /** Answers what the end of the thread has spoilt; the rest is asked of the next thread. */
  #settleInterrupted(end: ThreadEnd): void {
    if (end.reason === 'closed') return;
    if (end.run !== null) this.#settleRun(end, end.run);
    for (const [ticket, { call, resolve }] of this.#pending) {
      // An action is never run twice: nobody knows how far it came.
      if (call.method !== 'action') continue;
      this.#pending.delete(ticket);
      resolve({ outcome: failedOutcome(interrupted()), logLines: [] });
    }
    // Between two runs a commit may have been under way: what is unanswered may have happened.
    if (end.reason === 'crashed' && end.run === null) {
      this.#rejectAll(
        new EngineError(engineErrorCodes.internal, `The engine failed: ${end.error.message}`),
      );
    }
  }

  #settleRun(
    end: Exclude<ThreadEnd, { reason: 'closed' }>,
    run: { ticket: number; part: number },
  ): void {
    const pending = this.#pending.get(run.ticket);
    if (pending === undefined) return;
    if (end.reason === 'crashed' && !isOutOfMemory(end.error)) {
      this.#pending.delete(run.ticket);
      pending.reject(
        new EngineError(engineErrorCodes.internal, `The engine failed: ${end.error.message}`),
      );
      return;
    }
    // The next thread has all its memory for it: if that does not do, it is its own doing.
    if (end.reason === 'crashed' && !pending.hasExhausted) {
      pending.hasExhausted = true;
      return;
    }
    const { transactionMs, heapMb } = this.#options.limits;
    const failure = end.reason === 'crashed' ? outOfMemory(heapMb) : timedOut(transactionMs);
    if (pending.call.method === 'queries') {
      pending.call.givenUp.push({ part: run.part, reason: failure.message });
    } else {
      this.#pending.delete(run.ticket);
      pending.resolve({ outcome: failedOutcome(failure), logLines: [], ts: this.#latestTs });
    }
  }

  async #restart(): Promise<void> {
    const foundTs = await this.#startThread();
    // It was closed in the meantime.
    if (this.#stopped !== null) return this.#thread?.close();
    if (foundTs > this.#latestTs) {
      // Subscribers cannot be told what it changed; whoever starts anew sees everything.
      throw new EngineError(
        engineErrorCodes.engineStopped,
        'The engine ended in the middle of a commit; start it again',
      );
    }
    for (const [ticket, { call }] of this.#pending) this.#thread?.send({ ticket, call });
    this.#thread?.setWatched(this.#pending.size > 0);
  }

  #stop(error: EngineError): void {
    this.#stopped = error;
    this.#thread?.terminate();
    this.#rejectAll(error);
    this.#options.onStopped(error);
  }

  #rejectAll(error: EngineError): void {
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
  }
}

function isOutOfMemory(error: Error): boolean {
  return 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
}

function startFailure(end: ThreadEnd): EngineError {
  const reason = end.reason === 'crashed' ? end.error.message : end.reason;
  return new EngineError(engineErrorCodes.internal, `The engine could not be started: ${reason}`);
}
