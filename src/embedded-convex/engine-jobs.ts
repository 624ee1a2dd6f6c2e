import type { ActionResult, Commit, FunctionRequest, MutationResult } from './executor.ts';
import { failedOutcome } from './outcome.ts';
import { FunctionFailure } from './runtime/function-failure.ts';
import type { RegisteredFunction } from './runtime/function-registry.ts';
import { findJob, finishJob, jobsToRun, markInProgress, pruneJobs } from './scheduled-jobs.ts';
import type { JobsToRun, ScheduledJob } from './scheduled-jobs.ts';
import type { Store } from './store.ts';
import type { Transaction } from './transaction.ts';

/** What the engine does for its jobs; all but `action` while it has the queue to itself. */
interface JobHost {
  store: Store;
  findFunction(path: string): RegisteredFunction | null;
  onCommit(commit: Commit): void;
  exclusively<Result>(job: () => Promise<Result>): Promise<Result>;
  mutation(request: FunctionRequest, ticket: number, jobId: string): Promise<MutationResult>;
  action(request: FunctionRequest, ticket: number, jobId: string): Promise<ActionResult>;
}

/**
 * The engine's side of the scheduler: what is to be run, and running it. Mutations exactly
 * once, because they and the end of their job are one commit; actions at most once, because
 * one that is found in progress is not begun again.
 */
export class EngineJobs {
  readonly #host: JobHost;

  constructor(host: JobHost) {
    this.#host = host;
  }

  /** Also forgets what was finished long ago. */
  due(limit: number): Promise<JobsToRun> {
    return this.#host.exclusively(async () => {
      while (this.#write(pruneJobs));
      const transaction = this.#host.store.begin({ readOnly: true, isSystem: true });
      try {
        return jobsToRun(transaction, limit);
      } finally {
        transaction.close();
      }
    });
  }

  /**
   * null: it was canceled, or has ended. How a failure is recorded is up to the caller, who also
   * learns of those that end the thread: with `fail`.
   */
  async run(id: string, ticket: number): Promise<ActionResult | null> {
    const action = await this.#host.exclusively(() => this.#begin(id, ticket));
    if (action === null || 'outcome' in action) return action;
    const result = await this.#host.action(action, ticket, id);
    if (result.outcome.ok) await this.#finish((transaction) => succeed(transaction, id));
    return result;
  }

  /** Leaves a job that has ended as it is. */
  fail(id: string, error: string): Promise<void> {
    return this.#finish((transaction) => finishJob(transaction, id, { kind: 'failed', error }));
  }

  /** Returns the action to run, or how the job has ended. */
  async #begin(id: string, ticket: number): Promise<ActionResult | FunctionRequest | null> {
    const job = this.#find(id);
    if (job === null) return null;
    switch (job.state.kind) {
      case 'pending':
        return this.#beginPending(job, ticket);
      case 'inProgress':
        return failure('Transient error while executing action');
      default:
        return null;
    }
  }

  async #beginPending(
    { id, name, args }: ScheduledJob,
    ticket: number,
  ): Promise<ActionResult | FunctionRequest> {
    const request = { path: name, args, identity: null, allowInternal: true };
    // By its path and as it is today: it may have changed since it was scheduled.
    const found = this.#host.findFunction(name);
    if (found === null) return failure(`Could not find function for '${name}'.`);
    if (found.kind === 'mutation') return this.#host.mutation(request, ticket, id);
    if (found.kind === 'action') {
      this.#write((transaction) => markInProgress(transaction, id));
      return request;
    }
    return failure(
      `Unsupported function type. ${name} is defined as a Query. Only Mutation and Action can be scheduled.`,
    );
  }

  #find(id: string): ScheduledJob | null {
    const transaction = this.#host.store.begin({ readOnly: true, isSystem: true });
    try {
      return findJob(transaction, id);
    } finally {
      transaction.close();
    }
  }

  #finish(change: (transaction: Transaction) => void): Promise<void> {
    return this.#host.exclusively(async () => this.#write(change));
  }

  #write<Result>(change: (transaction: Transaction) => Result): Result {
    const transaction = this.#host.store.begin({ isSystem: true });
    try {
      const result = change(transaction);
      const commit = transaction.commit();
      if (commit !== null) this.#host.onCommit(commit);
      return result;
    } finally {
      transaction.close();
    }
  }
}

/** In the transaction of the job's own mutation, or after its action. */
export function succeed(transaction: Transaction, id: string): void {
  finishJob(transaction, id, { kind: 'success' });
}

function failure(message: string): ActionResult {
  return { outcome: failedOutcome(new FunctionFailure(message)), logLines: [] };
}
