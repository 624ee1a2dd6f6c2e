import type {
  ActionResult,
  Commit,
  FunctionKind,
  FunctionOutcome,
  FunctionRequest,
  Identity,
  MutationRequest,
  MutationResult,
  QueryRequest,
  QueryResult,
} from './executor.ts';
import type { ExecutionLimits } from './executor-options.ts';
import { EngineError } from './engine-error.ts';
import { EngineJobs, succeed } from './engine-jobs.ts';
import { failedOutcome, outcomeFailure, timedOut } from './outcome.ts';
import { ActionExecution } from './runtime/action-execution.ts';
import { currentExecution } from './runtime/execution.ts';
import { checkArguments, checkResult, findFunction } from './runtime/function-call.ts';
import { FunctionFailure } from './runtime/function-failure.ts';
import type { RegisteredFunction } from './runtime/function-registry.ts';
import type { Realm } from './runtime/realm.ts';
import { TransactionExecution } from './runtime/transaction-execution.ts';
import { performScheduling } from './runtime/scheduler-syscalls.ts';
import type { SchedulerOperation } from './runtime/scheduler-syscalls.ts';
import type { SyscallArguments } from './runtime/syscall-arguments.ts';
import { TransactionRun } from './runtime/transaction-run.ts';
import type { GivenUpQuery } from './worker-protocol.ts';
import { markInProgress } from './scheduled-jobs.ts';
import type { SchemaJson } from './schema.ts';
import type { Store } from './store.ts';
import type { Transaction } from './transaction.ts';
import { serialQueue } from './serial-queue.ts';

export interface EngineOptions {
  store: Store;
  realm: Realm;
  limits: ExecutionLimits;
  /** Called for each commit, in order, before the mutation's own result is there. */
  onCommit: (commit: Commit) => void;
  watch: RunWatch;
}

/** Is told when code of a function has the thread, so that somebody else can give it up. */
interface RunWatch {
  /** `ticket` is the caller's; `part` the place in a batch of queries. */
  started(ticket: number, part: number): void;
  /** Does not return when the run was given up in the meantime: nothing of it may count. */
  finished(): void;
  /** Around what the engine does itself and which may take long. */
  whileReloading<Result>(run: () => Result): Result;
}

/** The scheduled job that a mutation runs for: it is the job, or the job's action calls it. */
interface JobOfMutation {
  id: string;
  isItself: boolean;
}

/**
 * Runs functions on a database. Queries and mutations run strictly one after the other, so
 * each sees one state and every commit is serialisable without locks; actions run beside
 * them, and what they call stands in the same queue. Rejects with an `EngineError` when the
 * database fails; whatever a function does wrong is a `FunctionOutcome`.
 */
export class Engine {
  #options: EngineOptions;
  readonly #exclusively = serialQueue();
  /** What `ctx.scheduler` has put there. */
  readonly jobs: EngineJobs;

  constructor(options: EngineOptions) {
    this.#options = options;
    const { store, onCommit } = options;
    this.jobs = new EngineJobs({
      store,
      findFunction: (path) => this.#options.realm.functions.find(path),
      onCommit,
      exclusively: this.#exclusively,
      mutation: (request, ticket, id) => this.#mutation(request, ticket, { id, isItself: true }),
      action: (request, ticket, jobId) => this.action(request, ticket, jobId),
    });
  }

  /**
   * All at one snapshot, `ts`. Those of `givenUp` are not run: they have used up their time or
   * the memory before, and fail at once.
   */
  queries(
    { requests, givenUp }: { requests: QueryRequest[]; givenUp: readonly GivenUpQuery[] },
    ticket: number,
    deliver: (answer: { ts: bigint; results: QueryResult[] }) => void,
  ): Promise<void> {
    return this.#exclusively(async () => {
      const ts = this.#options.store.lastTs;
      const results: QueryResult[] = [];
      for (const [part, request] of requests.entries()) {
        const before = givenUp.find((query) => query.part === part);
        if (before === undefined) results.push(await this.#query(request, ticket, part));
        else results.push(failedForGood(before.reason));
      }
      deliver({ ts, results });
    });
  }

  /** Delivers before the next function starts: what has committed is never thought unanswered. */
  mutation(
    request: MutationRequest,
    ticket: number,
    deliver: (answer: MutationResult) => void,
  ): Promise<void> {
    return this.#exclusively(async () => deliver(await this.#mutation(request, ticket)));
  }

  async action(
    request: FunctionRequest,
    ticket: number,
    jobId: string | null = null,
  ): Promise<ActionResult> {
    const { functions, traceback } = this.#options.realm;
    const { path, identity } = request;
    const execution = new ActionExecution({
      path,
      identity,
      functions,
      callFunction: (kind, call) =>
        this.#callFromAction(kind, { ...call, identity }, ticket, execution, jobId),
      searchVectors: (search) =>
        this.#exclusively(async () => this.#options.store.searchVectors(search)),
      useScheduler: (operation, args) =>
        this.#exclusively(async () => this.#scheduleFromAction(operation, args, jobId)),
    });
    try {
      const called = this.#prepare('action', request, (number) => this.#tableName(number));
      const value = await this.#runAction(called, request.args, execution);
      return { outcome: { ok: true, value }, logLines: execution.log.lines };
    } catch (error) {
      if (error instanceof EngineError) throw error;
      return { outcome: failedOutcome(traceback.failure(error)), logLines: execution.log.lines };
    } finally {
      execution.end();
    }
  }

  /**
   * Between two functions: loads others, brings the rows in line with their schema, and from
   * then on they are what is called. Actions that run go on in what they began in. Rejects when
   * something of it fails, and then nothing has changed.
   */
  reload<Loaded extends Realm>(load: () => Loaded): Promise<Loaded> {
    return this.#exclusively(async () => {
      const { store, onCommit, watch } = this.#options;
      return watch.whileReloading(() => {
        const realm = load();
        // What `defineSchema` exported; the store checks what is in it.
        const ts = store.replaceSchema(realm.schema as SchemaJson | null);
        this.#options = { ...this.#options, realm };
        onCommit({ ts, writes: [], newFunctions: true });
        return realm;
      });
    });
  }

  /** After everything that was called before, except actions. */
  close(): Promise<void> {
    return this.#exclusively(async () => this.#options.store.close());
  }

  describe(path: string): Pick<RegisteredFunction, 'kind' | 'visibility'> | null {
    const found = this.#options.realm.functions.find(path);
    return found === null ? null : { kind: found.kind, visibility: found.visibility };
  }

  /** Beside everything else. */
  copyTo(path: string): Promise<void> {
    return this.#options.store.copyTo(path);
  }

  tableCounts(): Record<string, number> {
    return this.#options.store.tableCounts();
  }

  async #query(request: QueryRequest, ticket: number, part: number): Promise<QueryResult> {
    const { store } = this.#options;
    const transaction = store.begin({ readOnly: true });
    const run = this.#newRun(transaction, request.identity, request.journal);
    try {
      const outcome = await this.#outcome(run, 'query', request, ticket, part);
      return {
        outcome,
        logLines: run.log.lines,
        journal: run.nextJournal,
        readSet: transaction.readSet(),
        identityObserved: run.identityObserved,
      };
    } finally {
      transaction.close();
    }
  }

  async #mutation(
    request: MutationRequest,
    ticket: number,
    job: JobOfMutation | null = null,
  ): Promise<MutationResult> {
    const { store, onCommit } = this.#options;
    const sent = request.request;
    const known = sent === undefined ? null : store.findRequest(sent.sessionId, sent.requestId);
    if (known !== null) {
      const { result, logLines, ts } = known;
      return { outcome: { ok: true, value: result }, logLines, ts, repeated: true };
    }
    const transaction = store.begin();
    const run = this.#newRun(transaction, request.identity, null, job?.id);
    try {
      if (job?.isItself === true) markInProgress(transaction, job.id);
      const outcome = await this.#outcome(run, 'mutation', request, ticket, 0);
      const logLines = run.log.lines;
      if (!outcome.ok) return { outcome, logLines, ts: transaction.ts };
      const record =
        sent === undefined ? {} : { request: { ...sent, result: outcome.value, logLines } };
      if (job?.isItself === true) succeed(transaction, job.id);
      const commit = transaction.commit(record);
      if (commit !== null) onCommit(commit);
      return { outcome, logLines, ts: commit?.ts ?? transaction.ts };
    } finally {
      transaction.close();
    }
  }

  /** What the function of a query or mutation returned or threw; the transaction stays open. */
  async #outcome(
    run: TransactionRun,
    kind: 'query' | 'mutation',
    request: FunctionRequest,
    ticket: number,
    part: number,
  ): Promise<FunctionOutcome> {
    const { watch } = this.#options;
    try {
      const called = this.#prepare(kind, request, (number) => run.transaction.tableName(number));
      const execution = new TransactionExecution(run, called);
      watch.started(ticket, part);
      try {
        const value = await run.complete(() => execution.invoke(request.args));
        return { ok: true, value: String(value) };
      } finally {
        watch.finished();
      }
    } catch (error) {
      if (error instanceof FunctionFailure) return failedOutcome(error);
      throw EngineError.from(error);
    }
  }

  async #runAction(
    called: RegisteredFunction,
    args: string,
    execution: ActionExecution,
  ): Promise<string> {
    const { actionMs } = this.#options.limits;
    const giveUp = () => execution.fail(timedOut(actionMs));
    const limit = Number.isFinite(actionMs) ? setTimeout(giveUp, actionMs) : undefined;
    try {
      const invoked = currentExecution.run(execution, () => called.invoke(args));
      const result = await Promise.race([invoked, execution.failed]);
      return checkResult(called, result, (number) => this.#tableName(number));
    } finally {
      clearTimeout(limit);
    }
  }

  async #callFromAction(
    kind: FunctionKind,
    call: { path: string; args: string; identity: Identity },
    ticket: number,
    caller: ActionExecution,
    jobId: string | null,
  ): Promise<string> {
    const request = { ...call, allowInternal: true };
    const { outcome, logLines } = await this.#callByKind(kind, request, ticket, jobId);
    caller.log.addLines(logLines);
    if (outcome.ok) return outcome.value;
    throw outcomeFailure(outcome);
  }

  /** Its own transaction, as each call of an action is. */
  #scheduleFromAction(
    operation: SchedulerOperation,
    args: SyscallArguments,
    jobId: string | null,
  ): string {
    const { store, realm, onCommit } = this.#options;
    const transaction = store.begin();
    try {
      const caller = { transaction, functions: realm.functions, jobId, kind: 'action' } as const;
      const answer = performScheduling(operation, caller, args);
      const commit = transaction.commit();
      if (commit !== null) onCommit(commit);
      return answer;
    } finally {
      transaction.close();
    }
  }

  async #callByKind(
    kind: FunctionKind,
    request: FunctionRequest,
    ticket: number,
    jobId: string | null,
  ) {
    switch (kind) {
      case 'query':
        return this.#exclusively(() => this.#query({ ...request, journal: null }, ticket, 0));
      case 'mutation':
        return this.#exclusively(() =>
          this.#mutation(request, ticket, jobId === null ? null : { id: jobId, isItself: false }),
        );
      case 'action':
        return this.action(request, ticket, jobId);
    }
  }

  #prepare(
    kind: FunctionKind,
    { path, args, allowInternal = false }: FunctionRequest,
    tableNames: (number: number) => string | null,
  ): RegisteredFunction {
    const called = findFunction(this.#options.realm.functions, { path, kind, allowInternal });
    checkArguments(called, args, tableNames);
    return called;
  }

  #newRun(
    transaction: Transaction,
    identity: Identity,
    journal: string | null,
    jobId: string | null = null,
  ): TransactionRun {
    const { realm, store } = this.#options;
    const openSnapshot = () => store.begin({ readOnly: true });
    return new TransactionRun({ realm, transaction, openSnapshot, identity, journal, jobId });
  }

  #tableName(number: number): string | null {
    return this.#options.store.tableName(number);
  }
}

/** Depends on nothing, so that no commit makes it run, and end the thread, again. */
function failedForGood(reason: string): QueryResult {
  const outcome = failedOutcome(new FunctionFailure(reason));
  return { outcome, logLines: [], journal: null, readSet: [], identityObserved: true };
}
