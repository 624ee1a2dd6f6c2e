import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import type { ExecutionLimits } from './executor-options.ts';
import { Heartbeat } from './heartbeat.ts';
import type { RunPlace } from './heartbeat.ts';
import { LoopWatch } from './loop-watch.ts';
import type { FromWorker, ToWorker, WorkerInput } from './worker-protocol.ts';

export interface EngineThreadOptions {
  databasePath: string;
  /** The bundle's text. */
  code: string;
  env: Record<string, string>;
  limits: ExecutionLimits;
}

/** Why a thread is no more. `run`: the query or mutation whose code had it at the end. */
export type ThreadEnd =
  | { reason: 'closed' }
  | { reason: 'looped'; run: RunPlace | null }
  | { reason: 'crashed'; run: RunPlace | null; error: Error };

interface EngineThreadHandlers {
  /** Every message that the thread sent, in order, also those of its last moments. */
  onMessage(message: FromWorker): void;
  /** Once; nothing comes after it, and the database file is free. */
  onEnd(end: ThreadEnd): void;
}

/** One life of the engine's thread. */
export class EngineThread {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #heartbeat = new Heartbeat();
  readonly #watch: LoopWatch;
  readonly #handlers: EngineThreadHandlers;
  #end: ThreadEnd | null = null;
  #isPortClosed = false;
  #error: Error | null = null;

  constructor(options: EngineThreadOptions, handlers: EngineThreadHandlers) {
    this.#handlers = handlers;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const { databasePath, code, env, limits } = options;
    const heartbeat = this.#heartbeat.buffer;
    const input: WorkerInput = { databasePath, code, env, limits, heartbeat, port: port2 };
    this.#worker = new Worker(workerFile(), {
      workerData: input,
      transferList: [port2],
      // Functions see only what they are given, and flags of our own process mean nothing here.
      env: {},
      execArgv: ['--disable-warning=ExperimentalWarning'],
      resourceLimits: {
        maxOldGenerationSizeMb: limits.heapMb,
        maxYoungGenerationSizeMb: youngGenerationMb,
      },
    });
    this.#watch = new LoopWatch(this.#worker, this.#heartbeat, options.limits, (kind) =>
      this.#giveUp(kind),
    );
    // It closes when it has given out its last message, and then must not be asked: Node crashes.
    this.#port.once('close', () => (this.#isPortClosed = true));
    this.#port.on('message', (message: FromWorker) => handlers.onMessage(message));
    this.#worker.on('error', (error) => (this.#error = toError(error)));
    this.#worker.on('exit', () => this.#exited());
  }

  send(message: ToWorker): void {
    this.#port.postMessage(message);
  }

  /** Whether somebody waits for an answer, so that code which never ends must be found. */
  setWatched(isWatched: boolean): void {
    this.#watch.setActive(isWatched);
  }

  /** Lets the thread finish what it was asked, and end. */
  async close(): Promise<void> {
    this.#end ??= { reason: 'closed' };
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#worker.once('exit', () => resolve());
    this.send('close');
    const limit = setTimeout(() => void this.#worker.terminate(), closeLimitMs);
    await promise;
    clearTimeout(limit);
  }

  terminate(): void {
    this.#end ??= { reason: 'closed' };
    void this.#worker.terminate();
  }

  #giveUp(kind: 'transaction' | 'action'): void {
    const run = kind === 'transaction' ? this.#heartbeat.giveUp() : null;
    // It came to its end at the last moment.
    if (kind === 'transaction' && run === null) return;
    this.#end ??= { reason: 'looped', run };
    void this.#worker.terminate();
  }

  #exited(): void {
    this.#watch.setActive(false);
    // What it sent before it ended decides what has happened and what has not.
    while (!this.#isPortClosed) {
      const received = receiveMessageOnPort(this.#port);
      if (received === undefined) break;
      this.#handlers.onMessage(received.message);
    }
    this.#port.close();
    const error = this.#error ?? new Error('The engine thread ended');
    const run = this.#end === null ? this.#heartbeat.giveUp() : null;
    this.#handlers.onEnd(this.#end ?? { reason: 'crashed', run, error });
  }
}

/** Half of what V8 would take: what one mutation makes fits in. */
const youngGenerationMb = 24;
/** For what was called before to be answered, when the engine is closed. Milliseconds. */
const closeLimitMs = 5000;

function workerFile(): URL {
  // The published package holds JavaScript, the repository TypeScript.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`./worker.${extension}`, import.meta.url);
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
