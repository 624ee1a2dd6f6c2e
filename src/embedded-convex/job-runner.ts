import { EngineError, engineErrorCodes } from './engine-error.ts';
import type { ActionResult, Commit } from './executor.ts';
import { outcomeFailure } from './outcome.ts';
import type { JobsToRun } from './scheduled-jobs.ts';
import { jobsIndex } from './system-tables.ts';

/** The engine as the runner sees it, on its own thread or another. */
interface JobEngine {
  dueJobs(limit: number): Promise<JobsToRun>;
  /** null: there was nothing to run. A failure is not recorded yet. */
  runJob(id: string): Promise<ActionResult | null>;
  failJob(id: string, error: string): Promise<void>;
  onCommit(listener: (commit: Commit) => void): () => void;
}

/**
 * Runs what `ctx.scheduler` has put into the database, when it is due. All that it knows is in
 * the database, so it starts anew with every process; and it outlives the engine's thread,
 * which a job can bring to its end. While nothing is scheduled it costs nothing.
 */
export class JobRunner {
  readonly #engine: JobEngine;
  readonly #running = new Set<string>();
  /** Jobs that the engine could not run: how often, and when to try again. */
  readonly #failures = new Map<string, { count: number; retryAt: number }>();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;
  #mustLookAgain = false;
  #isStopped = false;
  #stopListening = (): void => {};

  constructor(engine: JobEngine) {
    this.#engine = engine;
  }

  start(): void {
    this.#stopListening = this.#engine.onCommit(({ writes }) => {
      if (writes.some(({ index }) => index === jobsIndex)) this.#look();
    });
    this.#look();
  }

  /** Begins nothing new; what runs goes on. */
  stop(): void {
    this.#isStopped = true;
    this.#stopListening();
    clearTimeout(this.#timer);
  }

  #look(): void {
    this.#mustLookAgain = true;
    if (!this.#isLooking) void this.#lookUntilQuiet();
  }

  async #lookUntilQuiet(): Promise<void> {
    this.#isLooking = true;
    try {
      while (this.#mustLookAgain && !this.#isStopped) {
        this.#mustLookAgain = false;
        this.#begin(await this.#engine.dueJobs(parallelism + this.#failures.size));
      }
    } catch (error) {
      if (isStopped(error)) this.stop();
      else this.#wakeAt(Date.now() + firstRetryMs);
    } finally {
      this.#isLooking = false;
    }
  }

  #begin({ ids, nextTime }: JobsToRun): void {
    const times = nextTime === null ? [] : [nextTime];
    for (const id of ids) {
      const retryAt = this.#failures.get(id)?.retryAt ?? 0;
      if (retryAt > Date.now()) times.push(retryAt);
      // The end of one that runs is a reason to look again.
      else if (this.#running.size < parallelism && !this.#running.has(id)) void this.#run(id);
    }
    if (times.length > 0) this.#wakeAt(Math.min(...times));
  }

  async #run(id: string): Promise<void> {
    this.#running.add(id);
    try {
      const result = await this.#engine.runJob(id);
      if (result?.outcome.ok === false) {
        await this.#engine.failJob(id, outcomeFailure(result.outcome).message);
      }
      this.#failures.delete(id);
    } catch (error) {
      await this.#engineFailed(id, EngineError.from(error));
    } finally {
      this.#running.delete(id);
      this.#look();
    }
  }

  /** Not the function's doing, as far as anybody knows: it gets more chances. */
  async #engineFailed(id: string, error: EngineError): Promise<void> {
    if (isStopped(error)) return this.stop();
    const count = (this.#failures.get(id)?.count ?? 0) + 1;
    const delay = Math.min(firstRetryMs * 2 ** (count - 1), longestRetryMs);
    this.#failures.set(id, { count, retryAt: Date.now() + delay });
    // A function that ends the engine's thread each time would keep everybody from working.
    if (error.code !== engineErrorCodes.internal || count < maximumCrashes) return;
    this.#failures.delete(id);
    await this.#engine.failJob(id, error.message).catch(() => {});
  }

  /** Milliseconds since 1970. */
  #wakeAt(time: number): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    const wake = (): void => {
      if (time > Date.now()) this.#wakeAt(time);
      else this.#look();
    };
    // Timers stand still while a laptop sleeps, and the clock may be set.
    const delay = Math.min(Math.max(0, time - Date.now()), longestWaitMs);
    this.#timer = setTimeout(wake, delay);
    this.#timer.unref();
  }
}

/** Upstream's. */
const parallelism = 8;
/** Upstream's, as is the doubling. Milliseconds. */
const firstRetryMs = 500;
const longestRetryMs = 2 * 60 * 60 * 1000;
const longestWaitMs = 60_000;
const maximumCrashes = 3;

function isStopped(error: unknown): boolean {
  return error instanceof EngineError && error.code === engineErrorCodes.engineStopped;
}
