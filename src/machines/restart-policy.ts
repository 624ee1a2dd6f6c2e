/** The decisions of a supervisor, as OTP takes them. Pure, so that a table can test them. */
import type { AutoShutdown, Backoff, Intensity, RestartType, Strategy } from './child-spec.ts';

/** How a child ended by itself: in its final state, or with an error. */
export type Exit = 'done' | 'error';

export function isRestarted(restart: RestartType, exit: Exit): boolean {
  return restart === 'permanent' || (restart === 'transient' && exit === 'error');
}

/** The children that stop and start again with the failed one, in start order. */
export function restartGroup(
  strategy: Strategy,
  startOrder: readonly string[],
  failed: string,
): string[] {
  if (strategy === 'one_for_one') return [failed];
  return startOrder.slice(strategy === 'rest_for_one' ? startOrder.indexOf(failed) : 0);
}

/** `restarts` counts those in the window, the one to decide on included. */
export function exceedsIntensity(intensity: Intensity, restarts: number): boolean {
  return restarts > intensity.maxRestarts;
}

/**
 * Milliseconds before the nth restart, counted from 1, with full jitter: children that
 * failed together for one reason do not come back together. `random` in [0, 1).
 */
export function backoffDelay(backoff: Backoff, attempt: number, random: number): number {
  const ceiling = Math.min(backoff.maxMs, backoff.minMs * backoff.factor ** (attempt - 1));
  return Math.round(ceiling * random);
}

/** Whether the end of a significant child, which is not started again, ends the supervisor. */
export function endsSupervisor(
  autoShutdown: AutoShutdown,
  significant: boolean,
  otherSignificantAlive: boolean,
): boolean {
  if (!significant || autoShutdown === 'never') return false;
  return autoShutdown === 'any_significant' || !otherSignificantAlive;
}
