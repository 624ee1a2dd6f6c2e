import { FunctionError } from '../function-error.ts';
import type { FunctionKind, Identity } from '../executor.ts';
import type { VectorMatch } from '../search/vector-index-table.ts';
import { vectorSearch } from '../search/vector-query.ts';
import type { VectorSearchJson } from '../search/vector-query.ts';
import type { Execution } from './execution.ts';
import { functionHandle, functionName } from './function-name.ts';
import type { FunctionLookup } from './function-registry.ts';
import { LogLines } from './log-lines.ts';
import { deploymentMetadata, functionMetadata } from './metadata.ts';
import type { SchedulerOperation } from './scheduler-syscalls.ts';
import { SyscallArguments } from './syscall-arguments.ts';

interface ActionExecutionOptions {
  path: string;
  identity: Identity;
  functions: FunctionLookup;
  /** Runs a function as its own transaction or its own action. JSON text in and out. */
  callFunction(kind: FunctionKind, call: { path: string; args: string }): Promise<string>;
  /** Schedules or cancels, in its own transaction. */
  useScheduler(operation: SchedulerOperation, args: SyscallArguments): Promise<string>;
  /** Of the committed documents, once the functions before it are done. */
  searchVectors(search: VectorSearchJson): Promise<VectorMatch[]>;
}

/** An action that runs: no database of its own, but the real clock and the real world. */
export class ActionExecution implements Execution {
  readonly kind = 'action';
  readonly log = new LogLines();
  readonly timers = new Set<NodeJS.Timeout>();
  readonly now = Date.now;
  readonly random = Math.random;
  /** Rejects, and never resolves: with what nobody else waits for, or the time limit. */
  readonly failed: Promise<never>;
  readonly #startedAt = performance.now();
  readonly #options: ActionExecutionOptions;
  #reject: (thrown: unknown) => void;
  #hasEnded = false;

  constructor(options: ActionExecutionOptions) {
    this.#options = options;
    const { promise, reject } = Promise.withResolvers<never>();
    this.failed = promise;
    // It may come when nobody listens any more.
    promise.catch(() => {});
    this.#reject = reject;
  }

  elapsed(): number {
    return performance.now() - this.#startedAt;
  }

  syscall(operation: string): string {
    throw new FunctionError('UnknownOperation', `Unknown operation ${operation}`);
  }

  async asyncSyscall(operation: string, text: string): Promise<string> {
    if (this.#hasEnded) throw new Error('The function has ended');
    const { path, identity, functions } = this.#options;
    const args = new SyscallArguments(operation, text);
    const kind = calls.get(operation);
    if (kind !== undefined) {
      const call = { path: functionName(args), args: JSON.stringify([args.json('args')]) };
      return this.#options.callFunction(kind, call);
    }
    switch (operation) {
      case '1.0/getUserIdentity':
        return JSON.stringify(identity);
      case '1.0/getFunctionMetadata':
        return functionMetadata(path);
      case '1.0/getDeploymentMetadata':
        return deploymentMetadata;
      case '1.0/auditLog':
        throw new FunctionError(
          'AuditLogNotSupportedInAction',
          'Audit logging is not yet supported in actions',
        );
      case '1.0/createFunctionHandle':
        return functionHandle(functions, args);
      case '1.0/actions/vectorSearch':
        return this.#searchVectors(args);
      case '1.0/actions/schedule':
        return this.#options.useScheduler('schedule', args);
      case '1.0/actions/cancel_job':
        return this.#options.useScheduler('cancel', args);
      default:
        throw new FunctionError('UnknownAsyncOperation', `Unknown async operation ${operation}`);
    }
  }

  async #searchVectors(args: SyscallArguments): Promise<string> {
    const matches = await this.#options.searchVectors(vectorSearch(args.json('query')));
    return JSON.stringify({
      results: matches.map(({ id, score }) => ({ _id: id, _score: score })),
    });
  }

  hold<Result>(work: Promise<Result>): Promise<Result> {
    return work;
  }

  fail(thrown: unknown): void {
    this.#reject(thrown);
  }

  /** What it left running can do nothing any more. */
  end(): void {
    this.#hasEnded = true;
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
  }
}

const calls = new Map<string, FunctionKind>([
  ['1.0/actions/query', 'query'],
  ['1.0/actions/mutation', 'mutation'],
  ['1.0/actions/action', 'action'],
]);
