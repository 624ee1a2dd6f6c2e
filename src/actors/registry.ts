/**
 * What the inspector of the actor system saw: which actors there are, in which state, since
 * when, and how often each was started again. Costs little for each event: a state is turned
 * into text when it changes, a context when somebody asks.
 */
import type {
  ActorRefLike,
  AnyActorRef,
  EventObject,
  InspectionEvent,
  Snapshot,
  StateValue,
} from 'xstate';
import type { MachineItem } from '../control/frames.ts';
import type { MachineCause, MachineTransition } from '../control/inspect-frames.ts';
import { contextSummary } from './context-summary.ts';
import type { EventSource, InspectionFeed } from './inspection/inspection-feed.ts';
import { definitionOf } from './inspection/machine-definition.ts';
import { TransitionHistory } from './inspection/transition-history.ts';

export interface Registry {
  /** For `createActor(root, { inspect })`. */
  inspect: (event: InspectionEvent) => void;
  /** In the order in which their names were first seen. */
  machines: () => MachineItem[];
  /** The same as the registry holds them, without a summary of each context. */
  entries: () => readonly RegistryEntry[];
  /** The latest transitions of each actor, or of those with this id; they survive its restarts. */
  history: (actorId?: string) => { id: string; path: string; transitions: MachineTransition[] }[];
  /** Events that nobody got, and events that a machine had no answer to in its state. */
  losses: () => { deadLetters: number; unhandled: number; last: string | null };
}

export interface RegistryOptions {
  /** Milliseconds since the epoch. */
  now?: () => number;
  /** Ended actors are shown this long … */
  keepEndedMs?: number;
  /** … and at most so many of them. */
  keepEnded?: number;
  /** Told of each actor that starts, and of each new state; `context` makes a summary when asked. */
  onState?: (item: Readonly<MachineItem>, context: () => MachineItem['context']) => void;
  /** Told everything while somebody watches it. */
  feed?: InspectionFeed;
}

export interface RegistryEntry {
  /** Ids from the root down: what stays the same when an actor is started again. */
  path: string;
  /** Null when it has ended. */
  ref: AnyActorRef | null;
  rootId: string;
  item: MachineItem;
}

export function createRegistry(options: RegistryOptions = {}): Registry {
  const { now = Date.now, keepEndedMs = 300_000, keepEnded = 50, onState, feed } = options;
  const byPath = new Map<string, RegistryEntry>();
  const bySession = new Map<string, RegistryEntry>();
  /** When each ended; oldest first. */
  const ended = new Map<RegistryEntry, number>();
  const history = new TransitionHistory();
  /** Of events that may still wait for their turn. */
  const causes = new WeakMap<EventObject, MachineCause>();
  let deadLetters = 0;
  let unhandled = 0;
  let last: string | null = null;

  function add(ref: AnyActorRef): void {
    if (!isNamed(ref)) return;
    const parent = namedParent(ref);
    const path = `${parent ? bySession.get(parent.sessionId)?.path : ''}/${ref.id}`;
    const before = byPath.get(path);
    const item: MachineItem = {
      id: ref.id,
      sessionId: ref.sessionId,
      parentId: parent?.sessionId ?? null,
      machine: machineName(ref),
      state: 'starting',
      status: 'active',
      since: now(),
      restarts: before ? before.item.restarts + (isWorkAgain(before, ref) ? 0 : 1) : 0,
      lastError: before?.item.lastError ?? null,
      lastEvent: null,
      context: {},
    };
    if (before) forget(before);
    const entry = { path, ref, rootId: rootOf(ref).sessionId, item };
    byPath.set(path, entry);
    bySession.set(ref.sessionId, entry);
    if (!before) history.forget(path);
    if (feed?.isWatched) feed.actor(entry);
  }

  function update(entry: RegistryEntry, snapshot: Snapshot<unknown>, event: EventObject): void {
    const { item } = entry;
    const state = stateText(snapshot);
    if (state === item.state && snapshot.status === item.status) return;
    item.since = now();
    // By now it may have got others.
    history.add(entry, state, snapshot.status, item.since, causes.get(event) ?? null);
    item.state = state;
    if (snapshot.status !== 'active') end(entry, snapshot);
    onState?.(item, () => contextOf(snapshot));
  }

  function end(entry: RegistryEntry, snapshot: Snapshot<unknown>): void {
    if (!entry.ref) return;
    const { item } = entry;
    item.status = snapshot.status;
    item.context = contextOf(snapshot);
    if (snapshot.status === 'error') item.lastError = errorText(snapshot.error);
    item.since = now();
    // The snapshot and all that hangs on it can go.
    entry.ref = null;
    bySession.delete(item.sessionId);
    ended.set(entry, item.since);
    prune();
  }

  function prune(): void {
    for (const [entry, at] of ended) {
      if (ended.size <= keepEnded && now() - at < keepEndedMs) return;
      forget(entry);
      history.forget(entry.path);
    }
  }

  function forget(entry: RegistryEntry): void {
    ended.delete(entry);
    bySession.delete(entry.item.sessionId);
    if (byPath.get(entry.path) === entry) byPath.delete(entry.path);
  }

  function noteEvent(
    target: AnyActorRef,
    source: ActorRefLike | undefined,
    event: EventObject,
  ): void {
    const { type } = event;
    const receiver = bySession.get(target.sessionId);
    if (receiver) {
      // XState types what it inspects by the little that all kinds of actors share.
      const from = sourceOf(source as AnyActorRef | undefined);
      const cause = { type, source: from.name, at: now() };
      receiver.item.lastEvent = cause;
      causes.set(event, cause);
      if (feed?.isWatched) feed.event(receiver, from, event);
    }
    if (type.startsWith('xstate.error.actor.')) {
      // A machine that an exception ended has no further snapshot of its own.
      const entry = source && bySession.get(source.sessionId);
      if (entry?.ref) {
        const snapshot = entry.ref.getSnapshot();
        if (feed?.isWatched) feed.crash(entry, snapshot);
        history.add(entry, entry.item.state, snapshot.status, now(), entry.item.lastEvent);
        end(entry, snapshot);
      }
    }
    if (type.startsWith('xstate.') || target.getSnapshot()?.status === 'active') return;
    deadLetters += 1;
    last = `"${type}" to "${target.id}", which has ended`;
  }

  return {
    inspect: (event) => {
      // XState types what it inspects by the little that all kinds of actors share.
      const ref = event.actorRef as AnyActorRef;
      switch (event.type) {
        case '@xstate.actor':
          add(ref);
          return;
        case '@xstate.snapshot': {
          const entry = bySession.get(ref.sessionId);
          if (!entry) return;
          if (feed?.isWatched) feed.snapshot(entry, event.snapshot, event.event);
          update(entry, event.snapshot, event.event);
          return;
        }
        case '@xstate.event':
          noteEvent(ref, event.sourceRef, event.event);
          return;
        case '@xstate.microstep':
          if (event._transitions.length > 0 || event.event.type.startsWith('xstate.')) return;
          unhandled += 1;
          last = `"${event.event.type}" to "${ref.id}" in ${stateText(event.snapshot)}`;
          return;
        case '@xstate.action':
        case '@xstate.transition':
      }
    },
    machines: () => {
      prune();
      return [...byPath.values()].map(({ ref, item }) => {
        if (!ref) return { ...item };
        const context = contextOf(ref.getSnapshot());
        // What a machine lives through itself is news of its own, and newer than its last end.
        const { lastError = null } = context;
        return { ...item, context, ...(typeof lastError === 'string' && { lastError }) };
      });
    },
    entries: () => {
      prune();
      return [...byPath.values()];
    },
    history: (actorId) =>
      [...byPath.values()]
        .filter(({ item }) => actorId === undefined || item.id === actorId)
        .map(({ item, path }) => ({ id: item.id, path, transitions: history.of(path) })),
    losses: () => ({ deadLetters, unhandled, last }),
  };
}

/** An actor without a name is a detail of its parent: a probe, a timer, one piece of work. */
function isNamed(ref: AnyActorRef): boolean {
  // The root has no parent, and is the root whatever its id.
  return !ref._parent || (ref.id !== ref.sessionId && !/^\d+\./.test(ref.id));
}

function namedParent(ref: AnyActorRef): AnyActorRef | undefined {
  let parent = ref._parent;
  while (parent && !isNamed(parent)) parent = parent._parent;
  return parent;
}

/** A piece of work that was done and is done once more has not been restarted. */
function isWorkAgain(before: RegistryEntry, ref: AnyActorRef): boolean {
  return before.item.status === 'done' && definitionOf(ref) === null;
}

function rootOf(ref: AnyActorRef): AnyActorRef {
  return ref._parent ? rootOf(ref._parent) : ref;
}

/** A nameless helper is named by what it does, and found at its parent. */
function sourceOf(ref: AnyActorRef | undefined): EventSource {
  if (!ref) return { sessionId: null, name: null };
  if (isNamed(ref)) return { sessionId: ref.sessionId, name: ref.id };
  return { sessionId: namedParent(ref)?.sessionId ?? null, name: machineName(ref) };
}

function machineName(ref: AnyActorRef): string {
  const src: unknown = ref.src;
  if (typeof src === 'string') return src;
  return hasId(src) ? src.id : 'actor';
}

function hasId(logic: unknown): logic is { id: string } {
  return (
    typeof logic === 'object' && logic !== null && 'id' in logic && typeof logic.id === 'string'
  );
}

/** Dotted, parallel regions joined by a comma; for an actor without states its status. */
function stateText(snapshot: Snapshot<unknown>): string {
  return hasValue(snapshot) ? dotted(snapshot.value) : snapshot.status;
}

function hasValue(snapshot: object): snapshot is { value: StateValue } {
  return 'value' in snapshot && 'machine' in snapshot;
}

function dotted(value: StateValue): string {
  if (typeof value === 'string') return value;
  return Object.entries(value)
    .map(([key, below]) => {
      const rest = below === undefined ? '' : dotted(below);
      return rest === '' ? key : `${key}.${rest}`;
    })
    .join(',');
}

function contextOf(snapshot: Snapshot<unknown>): MachineItem['context'] {
  return 'context' in snapshot ? contextSummary(snapshot.context) : {};
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
