import { FunctionError } from '../function-error.ts';
import type { Transaction } from '../transaction.ts';
import { DatabaseSyscalls } from './database-syscalls.ts';
import { currentExecution } from './execution.ts';
import type { Execution } from './execution.ts';
import { checkArguments, checkResult, findFunction } from './function-call.ts';
import { FunctionFailure } from './function-failure.ts';
import { functionHandle, functionName } from './function-name.ts';
import type { RegisteredFunction } from './function-registry.ts';
import type { LogLines } from './log-lines.ts';
import { auditLogResult, deploymentMetadata, functionMetadata } from './metadata.ts';
import { newSeed, seededRandom, seedFrom } from './random.ts';
import type { Seed } from './random.ts';
import { performScheduling } from './scheduler-syscalls.ts';
import { SyscallArguments } from './syscall-arguments.ts';
import { nestedLimits, transactionMetrics } from './transaction-metrics.ts';
import type { NestedLimits } from './transaction-metrics.ts';
import type { TransactionRun } from './transaction-run.ts';

/** A query or mutation that runs, at the top or called by another one. */
export class TransactionExecution implements Execution {
  readonly kind: 'query' | 'mutation';
  readonly log: LogLines;
  readonly timers = null;
  readonly #run: TransactionRun;
  readonly #called: RegisteredFunction;
  readonly #depth: number;
  readonly #transaction: Transaction;
  readonly #database: DatabaseSyscalls;
  readonly #seed: () => Seed;
  /** Made when it is first asked: few functions ever do. */
  #random: (() => number) | null = null;
  /** Pending while a function runs that this one called; its later syscalls wait for it. */
  #turn: Promise<void> | null = null;

  constructor(
    run: TransactionRun,
    called: RegisteredFunction,
    caller: TransactionExecution | null = null,
    transaction: Transaction = run.transaction,
  ) {
    this.kind = called.kind === 'mutation' ? 'mutation' : 'query';
    this.log = run.log;
    this.#seed = () => (caller === null ? newSeed() : seedFrom(() => caller.random()));
    this.#run = run;
    this.#transaction = transaction;
    this.#called = called;
    this.#depth = caller === null ? 0 : caller.#depth + 1;
    this.#database = new DatabaseSyscalls(transaction, {
      isReadOnly: this.kind === 'query',
      previousJournal: caller === null ? run.journal : null,
      onPage: (journal) => {
        if (caller === null) run.nextJournal = journal;
      },
      looksAhead: run.realm.isOpen ?? false,
    });
  }

  /** Calls the function and checks its result. Rejects with whatever it throws. */
  async invoke(args: string): Promise<string> {
    const result = await currentExecution.run(this, () => this.#called.invoke(args));
    return checkResult(this.#called, result, (number) => this.#run.transaction.tableName(number));
  }

  now(): number {
    return Math.floor(this.#run.transaction.now);
  }

  random(): number {
    this.#random ??= seededRandom(this.#seed());
    return this.#random();
  }

  elapsed(): number {
    return this.kind === 'query' ? 0 : performance.now() - this.#run.startedAt;
  }

  syscall(operation: string, args: string): string {
    return this.#guarded(() => this.#database.syscall(operation, args));
  }

  asyncSyscall(operation: string, args: string): string | Promise<string> {
    const perform = () => this.#guarded(() => this.#perform(operation, args));
    const answer = this.#turn === null ? perform() : this.#turn.then(perform);
    if (typeof answer !== 'string') this.#takeTurn(answer);
    return answer;
  }

  hold<Result>(work: Promise<Result>): Promise<Result> {
    return this.#run.hold(work);
  }

  fail(thrown: unknown): void {
    this.#run.fail(thrown);
  }

  #takeTurn(answer: Promise<string>): void {
    const release = () => {
      if (this.#turn === turn) this.#turn = null;
    };
    const turn: Promise<void> = answer.then(release, (error: unknown) => {
      this.#noteSystemError(error);
      release();
    });
    this.#turn = turn;
  }

  #guarded<Answer>(perform: () => Answer): Answer {
    // A function can keep its `ctx` where the next one finds it.
    if (this.#run.hasEnded) throw new Error('The function has ended');
    try {
      return perform();
    } catch (error) {
      this.#noteSystemError(error);
      throw error;
    }
  }

  #noteSystemError(error: unknown): void {
    if (error instanceof FunctionError || error instanceof FunctionFailure) return;
    this.#run.break(error);
  }

  #perform(operation: string, args: string): string | Promise<string> {
    switch (operation) {
      case '1.0/getUserIdentity':
        this.#run.identityObserved = true;
        return JSON.stringify(this.#run.identity);
      case '1.0/getFunctionMetadata':
        return functionMetadata(this.#called.path);
      case '1.0/getDeploymentMetadata':
        return deploymentMetadata;
      case '1.0/getTransactionMetrics':
        return transactionMetrics(this.#transaction.usage);
      case '1.0/auditLog':
        return auditLogResult;
      case '1.0/runUdf':
        return this.#call(new SyscallArguments('runUdf', args));
      case '1.0/createFunctionHandle':
        return functionHandle(this.#run.realm.functions, new SyscallArguments(operation, args));
      case '1.0/schedule':
      case '1.0/cancel_job':
        return this.#useScheduler(operation, args);
      default:
        return this.#database.asyncSyscall(operation, args);
    }
  }

  #useScheduler(operation: '1.0/schedule' | '1.0/cancel_job', args: string): string {
    if (this.kind === 'query') {
      throw new FunctionError('OperationNotAllowed', 'Queries cannot schedule functions.');
    }
    const { transaction, jobId, realm } = this.#run;
    const caller = { transaction, jobId, functions: realm.functions, kind: this.kind };
    const scheduling = operation === '1.0/schedule' ? 'schedule' : 'cancel';
    return performScheduling(scheduling, caller, new SyscallArguments('scheduler', args));
  }

  async #call(args: SyscallArguments): Promise<string> {
    const type = args.string('udfType');
    const kind = type === 'mutation' ? 'mutation' : 'query';
    if (this.kind === 'query' && type !== 'query') {
      throw new FunctionError(
        'InvalidFunctionCall',
        `Cannot call a ${type} function from a ${this.kind} function`,
      );
    }
    const called = findFunction(this.#run.realm.functions, {
      path: functionName(args),
      kind,
      allowInternal: true,
    });
    const text = JSON.stringify([args.json('args')]);
    checkArguments(called, text, (number) => this.#run.transaction.tableName(number));
    if (this.#depth >= maximumDepth) {
      throw new FunctionError(
        'MaximumCallDepthExceeded',
        'Cross component call depth limit exceeded. Do you have an infinite loop in your app?',
      );
    }
    const limits = nestedLimits(args);
    if (type === 'snapshotQuery') return this.#onSnapshot(called, text, limits);
    return this.#inSubtransaction(called, text, limits);
  }

  async #inSubtransaction(
    called: RegisteredFunction,
    args: string,
    limits: NestedLimits,
  ): Promise<string> {
    const { transaction } = this.#run;
    const savepoint = transaction.savepoint();
    const restoreLimits = transaction.usage.lower(limits);
    try {
      const result = await new TransactionExecution(this.#run, called, this).invoke(args);
      transaction.release(savepoint);
      return result;
    } catch (error) {
      transaction.rollbackTo(savepoint);
      transaction.release(savepoint);
      throw this.#run.realm.traceback.failure(error);
    } finally {
      restoreLimits();
    }
  }

  async #onSnapshot(
    called: RegisteredFunction,
    args: string,
    limits: NestedLimits,
  ): Promise<string> {
    const snapshot = this.#run.openSnapshot();
    snapshot.usage.lower(limits);
    try {
      return await new TransactionExecution(this.#run, called, this, snapshot).invoke(args);
    } catch (error) {
      throw this.#run.realm.traceback.failure(error);
    } finally {
      snapshot.close();
    }
  }
}

/** Convex's limit of functions that call functions. */
const maximumDepth = 8;
