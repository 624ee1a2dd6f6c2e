import { setImmediate as nextTurn } from 'node:timers/promises';
import { EngineError } from '../engine-error.ts';
import type { Identity } from '../executor.ts';
import type { Transaction } from '../transaction.ts';
import { FunctionFailure } from './function-failure.ts';
import { LogLines } from './log-lines.ts';
import type { Realm } from './realm.ts';

interface TransactionRunOptions {
  realm: Realm;
  transaction: Transaction;
  /** A second view of the same snapshot, without the run's own writes. */
  openSnapshot(): Transaction;
  identity: Identity;
  journal?: string | null;
  jobId?: string | null;
}

/** What a query or mutation shares with all functions that it calls. */
export class TransactionRun {
  readonly realm: Realm;
  readonly transaction: Transaction;
  readonly openSnapshot: () => Transaction;
  readonly identity: Identity;
  /** Of the last run of the same subscription. */
  readonly journal: string | null;
  /** The scheduled job that it runs for, itself or by way of its callers. */
  readonly jobId: string | null;
  readonly log = new LogLines();
  readonly startedAt = performance.now();
  identityObserved = false;
  nextJournal: string | null = null;
  hasEnded = false;
  readonly #held = new Set<Promise<void>>();
  #unawaited: FunctionFailure | null = null;
  #broken: EngineError | null = null;

  constructor(options: TransactionRunOptions) {
    this.realm = options.realm;
    this.transaction = options.transaction;
    this.openSnapshot = () => options.openSnapshot();
    this.identity = options.identity;
    this.journal = options.journal ?? null;
    this.jobId = options.jobId ?? null;
  }

  /**
   * Starts the run's function and returns what it returns once none of its JavaScript is left
   * to run. The database answers at once and nothing else is there to wait for, so a function
   * that has not settled by then never will. Throws a `FunctionFailure` for what the function
   * did, an `EngineError` when the database failed under it.
   */
  async complete(start: () => Promise<unknown>): Promise<unknown> {
    let end: { value: unknown } | { thrown: unknown } | null = null;
    const isOver = () => end !== null;
    const settled = start().then(
      (value) => (end = { value }),
      (thrown: unknown) => (end = { thrown }),
    );
    if (this.realm.isOpen === true) await settled;
    do {
      await Promise.all(this.#held);
      await nextTurn();
    } while (!isOver() && this.#held.size > 0);
    this.hasEnded = true;
    if (this.#broken !== null) throw this.#broken;
    if (this.#unawaited !== null) throw this.#unawaited;
    return this.#resultOf(end);
  }

  #resultOf(end: { value: unknown } | { thrown: unknown } | null): unknown {
    if (end === null) throw new FunctionFailure('Returned promise will never resolve');
    if ('thrown' in end) throw this.realm.traceback.failure(end.thrown);
    return end.value;
  }

  async hold<Result>(work: Promise<Result>): Promise<Result> {
    const settled = work.then(
      () => {},
      () => {},
    );
    this.#held.add(settled);
    try {
      return await work;
    } finally {
      this.#held.delete(settled);
    }
  }

  /** An error that no code of the function waits for ends the run all the same. */
  fail(thrown: unknown): void {
    this.#unawaited ??= this.realm.traceback.failure(thrown);
  }

  /** The database failed: whatever the function makes of it, the run is void. */
  break(error: unknown): void {
    this.#broken ??= EngineError.from(error);
  }
}
