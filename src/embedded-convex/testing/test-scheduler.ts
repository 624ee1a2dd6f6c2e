import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EngineJobs } from '../engine-jobs.ts';
import type { Commit } from '../executor.ts';
import { outcomeFailure } from '../outcome.ts';
import { pendingJobs } from '../scheduled-jobs.ts';
import type { Store } from '../store.ts';
import { jobsIndex } from '../system-tables.ts';
import { currentCall, newCall } from './host-call.ts';

/**
 * Runs scheduled functions by the global timers, one for each, so that a test's own clock
 * decides when.
 */
export class TestScheduler {
  readonly #store: Store;
  readonly #jobs: EngineJobs;
  readonly #known = new Set<string>();
  readonly #inProgress = new Set<Promise<void>>();
  /** Of nobody's call: a job is not part of the one that scheduled it. */
  readonly #outside = AsyncLocalStorage.snapshot();
  #timers = 0;

  constructor(store: Store, jobs: EngineJobs) {
    this.#store = store;
    this.#jobs = jobs;
  }

  committed({ writes }: Commit): void {
    if (!writes.some(({ index }) => index === jobsIndex)) return;
    const transaction = this.#store.begin({ readOnly: true, isSystem: true });
    try {
      for (const job of pendingJobs(transaction)) {
        if (this.#known.has(job.id)) continue;
        this.#known.add(job.id);
        this.#outside(() => this.#startTimer(job));
      }
    } finally {
      transaction.close();
    }
  }

  async finishInProgress(): Promise<void> {
    while (this.#inProgress.size > 0) await Promise.all(this.#inProgress);
  }

  async finishAll(advanceTimers: () => void, maximumRounds = 100): Promise<void> {
    const timersAtStart = globalThis.setTimeout;
    const advance = (): void => {
      if (globalThis.setTimeout !== timersAtStart) {
        throw new Error('finishAllScheduledFunctions: the timers were replaced meanwhile.');
      }
      advanceTimers();
    };
    let idleTurns = 0;
    for (let round = 0; round < maximumRounds; round += 1) {
      advance();
      if (this.#inProgress.size > 0) {
        idleTurns = 0;
        await this.#finishAdvancing(advance);
      } else if (this.#timers === 0 || idleTurns === maximumIdleTurns) {
        return;
      } else {
        idleTurns += 1;
        await nextTurn();
      }
    }
    throw new Error(
      'finishAllScheduledFunctions: too many iterations. Check for infinitely recursive scheduled functions, or increase maxIterations.',
    );
  }

  /** What runs may itself wait for timers. */
  async #finishAdvancing(advance: () => void): Promise<void> {
    const finished = this.finishInProgress().then(() => true);
    const turn = (): Promise<boolean> => nextTurn(false);
    while (!(await Promise.race([finished, turn()]))) advance();
  }

  #startTimer({ id, scheduledTime }: { id: string; scheduledTime: number }): void {
    this.#timers += 1;
    setTimeout(
      () => {
        this.#timers -= 1;
        const run = currentCall.run(newCall({ scheduledFunctionId: id }), () => this.#run(id));
        this.#inProgress.add(run);
        void run.finally(() => this.#inProgress.delete(run));
      },
      Math.max(0, scheduledTime - Date.now()),
    );
  }

  async #run(id: string): Promise<void> {
    const result = await this.#jobs.run(id, 0);
    if (result?.outcome.ok === false) {
      await this.#jobs.fail(id, outcomeFailure(result.outcome).message);
    }
  }
}

/**
 * A timer that was set on the real clock fires within a few turns if its time has come, and
 * cannot be made to fire if not.
 */
const maximumIdleTurns = 20;
