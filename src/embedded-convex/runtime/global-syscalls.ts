import { FunctionError } from '../function-error.ts';
import { convexToJson } from 'convex/values';
import { currentExecution } from './execution.ts';
import type { Execution } from './execution.ts';
import { FunctionFailure } from './function-failure.ts';
import { realmIntrinsic } from './realm-intrinsic.ts';

/**
 * `Convex`, through which `convex/server` does everything. What goes in and out is JSON text;
 * what is thrown must be of the realm, or `instanceof Error` would fail in functions.
 */
export function installSyscalls(global: object): void {
  Object.assign(global, { Convex: createSyscalls(global) });
}

/** `describe`: the message with which functions see an error. */
export function createSyscalls(
  global: object,
  describe = (error: Error): string => error.message,
): Syscalls {
  const RealmError = realmIntrinsic(global, 'Error');
  const RealmPromise = realmIntrinsic(global, 'Promise');

  const translate = (thrown: unknown): unknown => {
    if (!(thrown instanceof Error)) return thrown;
    const error = new RealmError(describe(thrown));
    const data = errorData(thrown);
    return data === undefined ? error : Object.assign(error, { data });
  };

  const syscall = (operation: string, args: string): string => {
    try {
      return executing().syscall(operation, args);
    } catch (error) {
      throw translate(error);
    }
  };

  const asyncSyscall = (operation: string, args: string): Promise<string> => {
    try {
      const answer = executing().asyncSyscall(operation, args);
      // A promise of the realm is awaited in one step, a foreign one in three.
      if (typeof answer === 'string') return RealmPromise.resolve(answer);
      return new RealmPromise((resolve, reject) => {
        answer.then(resolve, (error: unknown) => reject(translate(error)));
      });
    } catch (error) {
      return RealmPromise.reject(translate(error));
    }
  };

  const jsSyscall = (operation: string): never => {
    throw new RealmError(`Unknown JS syscall: ${operation}`);
  };

  return { syscall, asyncSyscall, jsSyscall };
}

interface Syscalls {
  syscall(operation: string, args: string): string;
  asyncSyscall(operation: string, args: string): Promise<string>;
  jsSyscall(operation: string): never;
}

function executing(): Execution {
  const execution = currentExecution.getStore();
  if (execution === undefined) throw new Error('No Convex function is running');
  return execution;
}

/** As JSON: `convex/server` makes a ConvexError of an error that has it. */
function errorData(thrown: Error): unknown {
  if (thrown instanceof FunctionError && thrown.data !== undefined)
    return convexToJson(thrown.data);
  if (thrown instanceof FunctionFailure && thrown.data !== undefined)
    return JSON.parse(thrown.data);
  return undefined;
}
