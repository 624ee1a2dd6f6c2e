/** What the inspection events say about the system, folded into one picture; pure. */
import type { InspectEvent } from '../control/inspect-frames.ts';

export type StateValue = Extract<InspectEvent, { type: '@xstate.snapshot' }>['snapshot']['value'];
type Definition = Record<string, unknown>;

export interface ActorView {
  /** What stays the same when an actor is started again; the key of the picture. */
  path: string;
  parentPath: string | null;
  sessionId: string;
  name: string;
  machine: string;
  status: 'active' | 'done' | 'error' | 'stopped';
  value: StateValue;
  since: number;
  restarts: number;
  lastError: string | null;
  lastEvent: { type: string; source: string | null; at: number } | null;
  context: Record<string, unknown>;
  /** The latest change of its state; `key` differs for each, so that it can be animated. */
  change: { key: number; event: string; before: StateValue } | null;
}

export interface SystemView {
  /** By path, in the order in which they were first seen. */
  actors: ReadonlyMap<string, ActorView>;
  pathOf: ReadonlyMap<string, string>;
  definitions: ReadonlyMap<string, Definition | null>;
}

export const emptyView: SystemView = {
  actors: new Map(),
  pathOf: new Map(),
  definitions: new Map(),
};

/** Before all actors are told of once more: the sessions of a daemon's next life have the same names. */
export function begunAnew({ definitions }: SystemView): SystemView {
  return { ...emptyView, definitions };
}

/** Ended actors that are still shown: clients and files come and go. */
const MAX_ENDED = 24;

/** @param key names the event; see ActorView.change */
export function applyEvent(view: SystemView, event: InspectEvent, key: number): SystemView {
  if (event.type === '@xstate.actor') return withActor(view, event);
  const path = view.pathOf.get(event.sessionId);
  const actor = path === undefined ? undefined : view.actors.get(path);
  // Something late of an earlier life.
  if (actor === undefined || actor.sessionId !== event.sessionId) return view;
  if (event.type === '@xstate.event') {
    const { event: received, source, at } = event;
    return replaced(view, { ...actor, lastEvent: { type: received.type, source, at } });
  }
  const { status, value, context, error } = event.snapshot;
  const isChanged = status !== actor.status || stateText(value) !== stateText(actor.value);
  const next = replaced(view, {
    ...actor,
    status,
    value,
    ...(context !== undefined && { context }),
    ...(error !== undefined && { lastError: error }),
    ...(isChanged && {
      since: event.at,
      change: { key, event: event.event.type, before: actor.value },
    }),
  });
  return status === 'active' || !isChanged ? next : withoutOldest(next);
}

function withActor(view: SystemView, event: Extract<InspectEvent, { type: '@xstate.actor' }>) {
  const { path, sessionId, parentId, name, machine, since, restarts, lastError } = event;
  const known = view.actors.get(path);
  const actors = new Map(view.actors);
  actors.set(path, {
    path,
    sessionId,
    parentPath: (parentId === null ? undefined : view.pathOf.get(parentId)) ?? null,
    name,
    machine,
    since,
    restarts,
    lastError,
    status: event.snapshot.status,
    value: event.snapshot.value,
    context: event.snapshot.context,
    lastEvent: known?.lastEvent ?? null,
    change: known?.sessionId === sessionId ? known.change : null,
  });
  const pathOf = new Map(view.pathOf).set(sessionId, path);
  if (known !== undefined && known.sessionId !== sessionId) pathOf.delete(known.sessionId);
  const { definition } = event;
  const definitions =
    definition === undefined
      ? view.definitions
      : new Map(view.definitions).set(machine, definition);
  return { actors, pathOf, definitions };
}

function replaced(view: SystemView, actor: ActorView): SystemView {
  return { ...view, actors: new Map(view.actors).set(actor.path, actor) };
}

function withoutOldest(view: SystemView): SystemView {
  const parents = new Set([...view.actors.values()].map(({ parentPath }) => parentPath));
  const ended = [...view.actors.values()]
    .filter(({ path, status }) => status !== 'active' && !parents.has(path))
    .toSorted((a, b) => a.since - b.since);
  if (ended.length <= MAX_ENDED) return view;
  const actors = new Map(view.actors);
  const pathOf = new Map(view.pathOf);
  for (const { path, sessionId } of ended.slice(0, -MAX_ENDED)) {
    actors.delete(path);
    pathOf.delete(sessionId);
  }
  return { ...view, actors, pathOf };
}

/** Dotted, parallel regions joined by a comma; empty of an actor without states. */
function stateText(value: StateValue): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return '';
  return Object.entries(value)
    .map(([key, below]) => {
      const rest = stateText(below);
      return rest === '' ? key : `${key}.${rest}`;
    })
    .join(', ');
}

/** What a machine itself says went wrong is newer than what ended its last life. */
export function shownError({ context, lastError }: ActorView): string | null {
  const own = context['lastError'];
  return typeof own === 'string' ? own : lastError;
}

/** What is told of an actor in one word or two. */
export function shownState({ status, value }: Pick<ActorView, 'status' | 'value'>): string {
  const state = stateText(value);
  if (status === 'stopped') return status;
  if (status === 'error') return state === '' ? 'error' : `${state} ✕`;
  return state === '' ? status : state;
}

/** Dotted paths of all states that are active, the outer ones too. */
export function activePaths(value: StateValue, above = ''): string[] {
  if (typeof value === 'string') return [above + value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, below]) => [
    above + key,
    ...activePaths(below, `${above}${key}.`),
  ]);
}
