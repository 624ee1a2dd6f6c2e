import type { EngineError } from './engine-error.ts';
import type { SetAside } from './set-aside.ts';

/** What `openExecutor` of worker-executor.ts takes. */
export interface ExecutorOptions {
  /** The SQLite file; created, with its folder, when it is missing. */
  databasePath: string;
  functions: FunctionsSource;
  /** All that functions see as `process.env`. Nothing of the process's own environment. */
  env?: Record<string, string>;
  limits?: Partial<ExecutionLimits>;
  /** The engine has ended for good, though nobody closed it: every call is refused from now on. */
  onStopped?: (error: EngineError) => void;
  /** A damaged database was renamed, and an empty one begun. Without it, that is an error. */
  onSetAside?: (setAside: SetAside) => void;
}

/** Where the functions come from: their folder, or what `bundleFunctions` made of it. */
export type FunctionsSource = { folder: string } | { bundleFile: string } | { code: string };

export interface ExecutionLimits {
  /** A query or mutation, in milliseconds of processor time. Convex's is 1 s as well. */
  transactionMs: number;
  /** An action, in milliseconds by the clock. Convex's is 10 minutes. */
  actionMs: number;
  /** All functions and the engine together, in MiB. Convex gives each function 64. */
  heapMb: number;
}

export const defaultExecutionLimits: ExecutionLimits = {
  transactionMs: 1000,
  actionMs: 600_000,
  heapMb: 1024,
};
