import { currentExecution } from './execution.ts';
import { refusal } from './refusal.ts';
import { realmIntrinsic } from './realm-intrinsic.ts';

/**
 * `Date`, `Math.random`, `performance` and the timers, as the running function may have
 * them: a query or mutation that runs twice on the same data must do the same.
 */
export function installTime(global: object): void {
  installDate(global);
  const math = realmIntrinsic(global, 'Math');
  math.random = () => currentExecution.getStore()?.random() ?? 0;
  Object.assign(global, {
    performance: {
      now: () => currentExecution.getStore()?.elapsed() ?? 0,
      get timeOrigin() {
        return now();
      },
    },
    ...timers(global),
  });
}

function now(): number {
  return currentExecution.getStore()?.now() ?? Date.now();
}

function installDate(global: object): void {
  const RealmDate = realmIntrinsic(global, 'Date');
  const proxy: DateConstructor = new Proxy(RealmDate, {
    apply: () => new RealmDate(now()).toString(),
    construct: (target, args: unknown[], newTarget) =>
      // With the proxy itself as the new target, its traps would be asked for the prototype.
      Reflect.construct(
        target,
        args.length === 0 ? [now()] : args,
        newTarget === proxy ? target : newTarget,
      ),
  });
  RealmDate.now = now;
  RealmDate.prototype.constructor = proxy;
  Object.assign(global, { Date: proxy });
}

type Callback = (...args: unknown[]) => unknown;

function timers(global: object) {
  const RealmError = realmIntrinsic(global, 'Error');
  /** Timers of an action end with it, and what they throw is the action's failure. */
  const start = (
    name: 'setTimeout' | 'setInterval',
    callback: Callback,
    delayMs: number,
    args: unknown[],
  ): number => {
    const execution = currentExecution.getStore();
    const running = execution?.timers ?? null;
    if (execution === undefined || running === null) throw new RealmError(refusal(name));
    const timer = (name === 'setTimeout' ? setTimeout : setInterval)(() => {
      if (name === 'setTimeout') running.delete(timer);
      try {
        callback(...args);
      } catch (error) {
        execution.fail(error);
      }
    }, delayMs);
    running.add(timer);
    return timer[Symbol.toPrimitive]();
  };
  const stop = (id?: number): void => {
    const running = currentExecution.getStore()?.timers ?? [];
    for (const timer of running) if (timer[Symbol.toPrimitive]() === id) clearTimeout(timer);
  };
  return {
    setTimeout: (callback: Callback, delayMs = 0, ...args: unknown[]) =>
      start('setTimeout', callback, delayMs, args),
    setInterval: (callback: Callback, delayMs = 0, ...args: unknown[]) =>
      start('setInterval', callback, delayMs, args),
    clearTimeout: stop,
    clearInterval: stop,
    queueMicrotask: (callback: () => void) => {
      const execution = currentExecution.getStore();
      queueMicrotask(() => {
        try {
          callback();
        } catch (error) {
          execution?.fail(error);
        }
      });
    },
  };
}
