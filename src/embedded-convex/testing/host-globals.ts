import { currentExecution } from '../runtime/execution.ts';
import type { Execution } from '../runtime/execution.ts';
import { refusal } from '../runtime/refusal.ts';
import { convexTestWording } from './convex-test-wording.ts';

/**
 * Makes `fetch` and the timers refuse in queries and mutations, as they do in Convex, and leaves
 * them alone everywhere else. Called before each function: a test may have put its own in the
 * meantime, which are then what is used outside.
 */
export function guardGlobals(): void {
  for (const name of refused) {
    const present = Object.getOwnPropertyDescriptor(globalThis, name);
    if (present?.configurable === true && isUnguarded(name, present)) guard(name, present);
  }
}

const refused = ['fetch', 'setTimeout', 'setInterval'] as const;
const guarded = new Set<string>();

/**
 * An accessor that is there now is ours, or one that somebody else has put around it: convex-test
 * does the same in the same process, and two that put themselves around each other never end.
 */
function isUnguarded(name: string, present: PropertyDescriptor): boolean {
  return !guarded.has(name) || 'value' in present;
}

function guard(name: (typeof refused)[number], present: PropertyDescriptor): void {
  let value: unknown = present.value;
  /** Of functions that put something of their own there. */
  const own = new WeakMap<Execution, unknown>();
  const refuse = (): never => {
    throw new Error(convexTestWording(refusal(name === 'fetch' ? 'fetch()' : name)));
  };
  const get = (): unknown => {
    const transaction = currentTransaction();
    if (transaction !== null) return own.get(transaction) ?? refuse;
    return present.get === undefined ? value : present.get.call(globalThis);
  };
  const set = (given: unknown): void => {
    const transaction = currentTransaction();
    if (transaction !== null) own.set(transaction, given);
    else if (present.set === undefined) value = given;
    else present.set.call(globalThis, given);
  };
  guarded.add(name);
  Object.defineProperty(globalThis, name, {
    get,
    set,
    configurable: true,
    enumerable: present.enumerable ?? false,
  });
}

function currentTransaction(): Execution | null {
  const execution = currentExecution.getStore();
  return execution?.kind === 'query' || execution?.kind === 'mutation' ? execution : null;
}
