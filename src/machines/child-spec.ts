/** What a supervisor is told about its children, in the terms of OTP's `supervisor`. */
import type { AnyActorLogic, InputFrom } from 'xstate';
import type { SystemId } from './protocol.ts';

/**
 * permanent  always started again
 * transient  started again only after an error; reaching its final state is a normal end
 * temporary  never started again, and forgotten when it has ended
 */
export type RestartType = 'permanent' | 'transient' | 'temporary';

/** Whom a failure takes down: the child alone, it and those started after it, or all. */
export type Strategy = 'one_for_one' | 'rest_for_one' | 'one_for_all';

/** Whether the end of a significant child ends the supervisor in order. */
export type AutoShutdown = 'never' | 'any_significant' | 'all_significant';

/** More than `maxRestarts` within `windowMs` is a failure of the supervisor itself. */
export interface Intensity {
  maxRestarts: number;
  windowMs: number;
}

/** The nth restart within the window waits between 0 and min(maxMs, minMs * factor^(n-1)). */
export interface Backoff {
  minMs: number;
  maxMs: number;
  factor: number;
}

export interface ChildSpec {
  /** Unique among the siblings; the actor's id. */
  id: string;
  logic: AnyActorLogic;
  /** A value, or a function that is called at each start. One that throws is a failed start. */
  input?: unknown;
  restart: RestartType;
  /**
   * Milliseconds that the child has to reach its final state after `{type: 'shutdown'}`,
   * before it is dropped. A child without states (promise, callback) is dropped at once.
   */
  shutdown: number | 'brutal_kill' | 'infinity';
  /** See AutoShutdown; never on a permanent child, whose end is always followed by a start. */
  significant?: boolean;
  systemId?: SystemId | (string & {});
}

export interface SupervisorInput {
  /** The name under which `bridge.supervisor` frames show it. */
  id: string;
  strategy: Strategy;
  intensity: Intensity;
  backoff: Backoff;
  autoShutdown?: AutoShutdown;
  /** Started in this order, stopped in reverse. */
  children: ChildSpec[];
  /** Uniform in [0, 1), for the jitter. */
  random: () => number;
  /** Gets every `bridge.supervisor` frame as a `broadcast`, when it is there to get it. */
  notify?: SystemId;
}

/** A child spec whose input is checked against its logic. */
export function childSpec<TLogic extends AnyActorLogic>(
  spec: Omit<ChildSpec, 'logic' | 'input'> & {
    logic: TLogic;
    input?: InputFrom<TLogic> | (() => InputFrom<TLogic>);
  },
): ChildSpec {
  return spec;
}

/** Why this spec cannot stand beside those siblings, or null. */
export function specProblem(
  spec: ChildSpec,
  siblings: readonly string[],
  autoShutdown: AutoShutdown,
): string | null {
  if (siblings.includes(spec.id)) return `"${spec.id}" is already a child`;
  if (!spec.significant) return null;
  if (spec.restart === 'permanent') return `"${spec.id}" is permanent and cannot be significant`;
  if (autoShutdown === 'never') {
    return `"${spec.id}" is significant, but this supervisor has autoShutdown "never"`;
  }
  return null;
}
