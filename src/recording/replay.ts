/**
 * Feeds a recording to the machines that it was made of. Each machine gets the events that it
 * got, in their order, and only computes: its actions are not done, its children are
 * placeholders, and time is what the recording says. So no two machines have to meet again,
 * and a state that differs is the doing of that machine and of that event.
 */
import {
  getInitialSnapshot,
  getNextSnapshot,
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
} from 'xstate';
import { contextSummary } from '../actors/context-summary.ts';
import type { InspectEvent } from '../control/inspect-frames.ts';
import type { Recording } from './recording-file.ts';
import { createReviver, type Reviver } from './revived-value.ts';

/** One event that one machine got. */
export interface ReplayStep {
  /** In the file. */
  line: number;
  at: number;
  name: string;
  machine: string;
  event: string;
  from: string | null;
  to: string;
  /** The state that was recorded, where the machine went elsewhere now. */
  recorded: string | null;
  /** Something of what this machine got was cut off when it was recorded. */
  isAfterCut: boolean;
}

export interface Replay {
  steps: ReplayStep[];
  /** Machines that took part. */
  machines: number;
  /** Events that the recording says it lacks. */
  missing: number;
  /** What the inspector shows: the recorded events, with the states and contexts of now. */
  events: InspectEvent[];
}

interface Life {
  name: string;
  machine: AnyStateMachine;
  reviver: Reviver;
  snapshot: AnyMachineSnapshot | null;
}

type SnapshotLine = Extract<InspectEvent, { type: '@xstate.snapshot' }>;
type ActorLine = Extract<InspectEvent, { type: '@xstate.actor' }>;

export function replay({ lines }: Recording, machines: readonly AnyStateMachine[]): Replay {
  const byId = new Map(machines.map((machine) => [machine.id, machine]));
  const lives = new Map<string, Life>();
  const circumstances = { at: 0, drawn: [] as string[] };
  const result: Replay = { steps: [], machines: 0, missing: 0, events: [] };

  for (const { number, line } of lines) {
    circumstances.at = line.at;
    switch (line.type) {
      case 'gap':
        result.missing += line.dropped;
        break;
      case '@xstate.event':
        result.events.push(line);
        break;
      case '@xstate.actor':
        begin(line);
        break;
      case '@xstate.snapshot':
        circumstances.drawn = [...(line.replay?.drawn ?? [])];
        step(number, line);
    }
  }
  return result;

  function begin(line: ActorLine): void {
    const { start, ...shown } = line;
    result.events.push(shown);
    const machine = byId.get(line.machine);
    if (machine === undefined) return;
    const reviver = createReviver({
      now: () => circumstances.at,
      draw: () => circumstances.drawn.shift() ?? 'not-recorded',
    });
    const life: Life = { name: line.name, machine, reviver, snapshot: null };
    if (start) life.snapshot = restored(life, start);
    if (!lives.has(line.sessionId)) result.machines += 1;
    lives.set(line.sessionId, life);
  }

  function step(number: number, line: SnapshotLine): void {
    const { replay: recording, ...shown } = line;
    const life = lives.get(line.sessionId);
    if (life === undefined || recording === undefined) {
      result.events.push(shown);
      return;
    }
    const before = life.snapshot;
    const next = nextOf(life, recording.event);
    const recorded = told(line.snapshot);
    const to = next === null ? 'nothing' : told(next);
    const isSame = to === recorded;
    result.steps.push({
      line: number,
      at: line.at,
      name: life.name,
      machine: life.machine.id,
      event: line.event.type,
      from: before && told(before),
      to,
      recorded: isSame ? null : recorded,
      isAfterCut: life.reviver.metCut,
    });
    result.events.push({
      ...shown,
      snapshot: shownSnapshot(next, shown, isSame ? null : recorded),
    });
    // After a difference it goes on from where it was, so that the next one is news.
    life.snapshot = isSame || next === null ? next : corrected(life, next, line);
  }
}

function nextOf({ machine, reviver, snapshot }: Life, encoded: unknown): AnyMachineSnapshot | null {
  const event = reviver.revive(encoded);
  if (!isEvent(event)) return null;
  try {
    if (event.type === 'xstate.init') return getInitialSnapshot(machine, event.input);
    if (snapshot === null) return null;
    endChild(snapshot, event);
    // Deprecated in favour of `transition`, which does not let a machine see its own children.
    return getNextSnapshot(machine, snapshot, event);
  } catch (error) {
    // As XState does when a machine is really running: it ends with this error.
    return snapshot && { ...snapshot, status: 'error', error };
  }
}

function isEvent(event: unknown): event is { type: string; input?: unknown; actorId?: unknown } {
  return typeof event === 'object' && event !== null && 'type' in event;
}

/** A machine may ask whether the child that is told to have ended is not active any more. */
function endChild(
  snapshot: AnyMachineSnapshot,
  { type, actorId }: { type: string; actorId?: unknown },
): void {
  if (!/^xstate\.(?:done|error)\.actor\./.test(type) || typeof actorId !== 'string') return;
  const children: Record<string, AnyActorRef | undefined> = snapshot.children;
  const child = children[actorId];
  if (child?.getSnapshot().status !== 'active') return;
  child.start();
  child.send({ type: 'replay.end' });
}

function restored(
  { machine, reviver }: Life,
  start: NonNullable<ActorLine['start']>,
): AnyMachineSnapshot {
  const context = reviver.revive(start.context);
  const children = reviver.revive(start.children);
  // A state value is names and objects of names; `resolveState` throws on another.
  const resolved = machine.resolveState({ value: start.value as string, context });
  return Object.assign(resolved, { children });
}

function corrected(
  { machine }: Life,
  snapshot: AnyMachineSnapshot,
  line: SnapshotLine,
): AnyMachineSnapshot {
  const { status, value } = line.snapshot;
  // It was over, and is told nothing more.
  if (status !== 'active' || value === null) return snapshot;
  try {
    const resolved = machine.resolveState({ value: value as string, context: snapshot.context });
    return Object.assign(resolved, { children: snapshot.children });
  } catch {
    // The machine of now has no such state.
    return snapshot;
  }
}

function shownSnapshot(
  next: AnyMachineSnapshot | null,
  { snapshot }: SnapshotLine,
  recorded: string | null,
): SnapshotLine['snapshot'] {
  if (next === null) return snapshot;
  return {
    status: next.status,
    value: next.value,
    context: contextSummary(next.context),
    ...(recorded !== null && { error: `Recorded was: ${recorded}` }),
    ...(recorded === null && snapshot.error !== undefined && { error: snapshot.error }),
  };
}

/** The state, and the status where it says more. */
function told({ status, value }: { status: string; value: unknown }): string {
  const state = dotted(value);
  return status === 'active' ? state : status === 'error' ? 'error' : `${state} (${status})`;
}

function dotted(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return '';
  return Object.entries(value)
    .map(([key, below]) => {
      const rest = dotted(below);
      return rest === '' ? key : `${key}.${rest}`;
    })
    .join(', ');
}
