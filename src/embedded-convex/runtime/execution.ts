import { AsyncLocalStorage } from 'node:async_hooks';
import type { FunctionKind } from '../executor.ts';
import type { LogLines } from './log-lines.ts';

/**
 * One running function. The globals of the realm (`Convex`, `Date`, `console`, `fetch`, …)
 * ask for the current one each time they are used, so that many can run in one realm.
 */
export interface Execution {
  readonly kind: FunctionKind | 'load';
  readonly log: LogLines;
  /** Milliseconds since 1970, whole. Frozen in queries and mutations. */
  now(): number;
  /** Milliseconds since the function started. Frozen in queries. */
  elapsed(): number;
  /** From 0 to 1. Seeded in queries and mutations. */
  random(): number;
  /** Takes and returns JSON text. Throws a `FunctionError` or `FunctionFailure`. */
  syscall(operation: string, args: string): string;
  /** A string when the answer is there at once. */
  asyncSyscall(operation: string, args: string): string | Promise<string>;
  /** The run is not over before this settles, though no JavaScript of it is left to run. */
  hold<Result>(work: Promise<Result>): Promise<Result>;
  /** For what nobody awaited: an unhandled rejection, a throwing timer. */
  fail(thrown: unknown): void;
  /** Timers that end with the execution; null where timers, fetch and the like are refused. */
  readonly timers: Set<NodeJS.Timeout> | null;
}

/** Follows promises and timers, also across the border of the realm. */
export const currentExecution = new AsyncLocalStorage<Execution>();
