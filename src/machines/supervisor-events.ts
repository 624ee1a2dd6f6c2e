/** What a supervisor is told, what it says, and what it keeps in mind. */
import type { DoneActorEvent, ErrorActorEvent } from 'xstate';
import type { Broadcast } from '../control/frames.ts';
import type { BridgeError } from '../errors.ts';
import type { Child } from './child-table.ts';
import type { AutoShutdown, ChildSpec, SupervisorInput } from './child-spec.ts';
import type { ShutdownEvent } from './protocol.ts';
import type { Exit } from './restart-policy.ts';

export type SupervisorEvent =
  | ShutdownEvent
  /** Adds a child and starts it. */
  | { type: 'child.start'; spec: ChildSpec }
  /** Stops a child in order and forgets it. */
  | { type: 'child.terminate'; id: string }
  | ChildEnd
  | SupervisorTimer;

/** XState's own, for every child. */
export type ChildEnd = DoneActorEvent | ErrorActorEvent;

/** From the supervisor to itself, later. */
type SupervisorTimer =
  | { type: 'restart.due'; id: string }
  | { type: 'restart.forgotten' }
  | { type: 'stop.overdue'; id: string };

/** What it did. `attempt` counts the child's restarts within the window; `delay` in ms. */
export type SupervisorEmitted =
  | { type: 'child.started'; child: string }
  | { type: 'child.failed'; child: string; error: unknown }
  | { type: 'child.restarted'; child: string; attempt: number; delay: number }
  /** `error` when it did not end as it should have. */
  | { type: 'child.stopped'; child: string; error?: unknown }
  /** A `child.start` or `child.terminate` that cannot be done. */
  | { type: 'child.refused'; child: string; error: BridgeError }
  | { type: 'escalated'; child: string; error: BridgeError };

export interface SupervisorContext extends Omit<SupervisorInput, 'children'> {
  autoShutdown: AutoShutdown;
  /** In start order. */
  children: Child[];
  /** Ids of those that stop (and perhaps start again) together. */
  affected: string[];
  /** One child id for each restart within the intensity's window, oldest first. */
  recent: string[];
  /** All restarts ever; numbers the timers that let a restart be forgotten. */
  restarts: number;
  /** Milliseconds before the affected children start again. */
  delay: number;
  /** What it is going to fail with. */
  failure: BridgeError | null;
}

export function exitOf(event: ChildEnd): Exit {
  return 'error' in event ? 'error' : 'done';
}

export function isChildEnd(event: SupervisorEvent): event is ChildEnd {
  return 'actorId' in event;
}

/** As WebSocket subscribers see it; null for what is of no interest to them. */
export function supervisorBroadcast(
  supervisor: string,
  emitted: SupervisorEmitted,
): Broadcast | null {
  if (emitted.type === 'child.refused') return null;
  const { type: event, ...details } = emitted;
  const { error, ...rest } = { error: undefined, ...details };
  return {
    type: 'bridge.supervisor',
    supervisor,
    event,
    ...rest,
    ...(error === undefined ? {} : { error: textOf(error) }),
  };
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
