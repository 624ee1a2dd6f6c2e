/**
 * Official clients that write without a pause, to a backend that dies in every round, and a look
 * at the database after each death. What is found wrong is in `problems`, empty at best.
 */
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  backendEntry,
  spawnProgram,
  type BackendProcess,
} from '../../embedded-convex/support/backend-process.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { drawCrash, type Crash } from './crash.ts';
import { problemsOf, readLedger } from './read-ledger.ts';
import type { SeededRandom } from './seeded-random.ts';
import { Writer } from './writer.ts';

export interface SwarmOptions {
  random: SeededRandom;
  rounds: number;
  port: number;
  /** Told of each round when it is over. */
  onRound?: (crash: Crash, left: string) => void;
}

export interface SwarmResult {
  problems: string[];
  /** Mutations that were answered, all writers together. */
  acknowledged: number;
}

/** One database, through so many deaths of its backend; at the end nothing may be unanswered. */
export async function runSwarm(options: SwarmOptions): Promise<SwarmResult> {
  using folder = temporaryFolder();
  const swarm = new Swarm(folder.path, options);
  try {
    for (let round = 0; round < options.rounds; round += 1) await swarm.round();
    return await swarm.finish();
  } finally {
    await swarm.dispose();
  }
}

const failing = fileURLToPath(new URL('main.ts', import.meta.url));
const functions = fileURLToPath(new URL('functions', import.meta.url));
/** For a start and some hundred statements, ms, on a machine that is busy. */
const CRASH_LIMIT_MS = 60_000;

class Swarm {
  readonly #path: string;
  readonly #options: SwarmOptions;
  readonly #problems: string[] = [];
  readonly #writers: Writer[] = [];
  #backend: BackendProcess | null = null;
  #acknowledged = 0;
  #ts = 0n;
  #onAcknowledged = () => {};

  constructor(folder: string, options: SwarmOptions) {
    this.#path = join(folder, 'data.sqlite');
    this.#options = options;
  }

  async round(): Promise<void> {
    const crash = drawCrash(this.#options.random);
    const backend =
      crash.kind === 'kill' ? this.#start(backendEntry) : this.#start(failing, crash.plan);
    // The pauses of those who saw it die grow to 16 s, and they come back when they do; a new one
    // in each round writes from the start.
    void backend.ready.then(
      () => this.#addWriter(),
      () => {},
    );
    if (crash.kind === 'kill') await this.#kill(backend, crash);
    const limit = AbortSignal.timeout(CRASH_LIMIT_MS);
    const { signal, stderr } = await Promise.race([backend.exited, rejection(limit, crash)]);
    if (signal !== 'SIGKILL') this.#problems.push(`it ended by itself: ${stderr}`);
    this.#options.onRound?.(crash, this.#check());
    if (this.#problems.length > 0) {
      throw new Error(`after ${JSON.stringify(crash)}: ${this.#problems.join('; ')}`);
    }
  }

  /** The clients go on by themselves, and everything that they ever sent is there once. */
  async finish(): Promise<SwarmResult> {
    const backend = this.#start(backendEntry);
    await Promise.all(this.#writers.map((writer) => writer.finish()));
    backend.kill('SIGTERM');
    await backend.exited;
    this.#check();
    for (const { state } of this.#writers) {
      if (state.acknowledged !== state.sent) this.#problems.push(`${state.name} has no answer`);
    }
    return { problems: this.#problems, acknowledged: this.#acknowledged };
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.close()));
    await this.#backend?.[Symbol.asyncDispose]();
  }

  #addWriter(): void {
    const url = `http://127.0.0.1:${this.#options.port}`;
    const name = `writer ${this.#writers.length}`;
    const onAcknowledged = () => {
      this.#acknowledged += 1;
      this.#onAcknowledged();
    };
    this.#writers.push(new Writer(url, name, this.#problems, onAcknowledged));
  }

  #start(program: string, ...first: string[]): BackendProcess {
    const { port } = this.#options;
    const own = ['--db', this.#path, '--functions', functions, '--port', String(port)];
    this.#backend = spawnProgram(program, ...first, ...own);
    return this.#backend;
  }

  async #kill(backend: BackendProcess, { answers, delayMs }: Crash & { kind: 'kill' }) {
    if (answers >= 0) {
      const wanted = this.#acknowledged + answers;
      const enough = Promise.withResolvers<void>();
      this.#onAcknowledged = () => {
        if (this.#acknowledged >= wanted) enough.resolve();
      };
      await Promise.race([Promise.all([backend.ready, enough.promise]), backend.exited]);
      this.#onAcknowledged = () => {};
    }
    await pause(delayMs);
    backend.kill('SIGKILL');
  }

  /** Says how much is there. */
  #check(): string {
    const ledger = readLedger(this.#path);
    this.#problems.push(
      ...problemsOf(
        ledger,
        this.#writers.map(({ state }) => state),
      ),
    );
    if (ledger.ts < this.#ts)
      this.#problems.push(`the timestamp went from ${this.#ts} to ${ledger.ts}`);
    this.#ts = ledger.ts;
    return [...ledger.counts.values()].join(' + ');
  }
}

async function rejection(limit: AbortSignal, crash: Crash): Promise<never> {
  await new Promise((resolve) => limit.addEventListener('abort', resolve, { once: true }));
  throw new Error(`It did not crash within ${CRASH_LIMIT_MS} ms: ${JSON.stringify(crash)}`);
}
