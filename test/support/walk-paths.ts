/**
 * Generated walks through a machine: a model of it is explored with xstate/graph, and what
 * was found is then played to the running machine, until each transition was taken once.
 */
import type {
  AnyEventObject,
  AnyMachineSnapshot,
  AnyStateMachine,
  AnyTransitionDefinition,
  InputFrom,
  InspectionEvent,
  StateNode,
  SnapshotFrom,
  StateValue,
} from 'xstate';
import { adjacencyMapToArray, getAdjacencyMap } from 'xstate/graph';

export interface Walk {
  events: AnyEventObject[];
  /** Where it is before the last of them. */
  from: StateValue;
  /** Where the model says that it ends. */
  value: StateValue;
}

export interface WalkOptions<TMachine extends AnyStateMachine> {
  input: InputFrom<TMachine>;
  /** All that may happen; XState's own (`xstate.after.…`, `xstate.done.actor.…`) included. */
  events: AnyEventObject[];
  /** Tells apart the states that matter; must have finitely many values. */
  key: (snapshot: SnapshotFrom<TMachine>) => string;
  /** Whether this event is possible in that state; any is, by default. */
  canCome?: (snapshot: SnapshotFrom<TMachine>, event: AnyEventObject) => boolean;
  /** Where a walk ends, besides where the machine does. */
  isEnd?: (snapshot: SnapshotFrom<TMachine>) => boolean;
}

/** The shortest walk to every state that `key` tells apart, and from there on by every event. */
export function walksOf<TMachine extends AnyStateMachine>(
  machine: TMachine,
  options: WalkOptions<TMachine>,
): Walk[] {
  const { input, events, canCome, isEnd } = options;
  // The graph functions know the machine as any machine only.
  const asOwn = (state: AnyMachineSnapshot) => state as SnapshotFrom<TMachine>;
  const key = (state: AnyMachineSnapshot) => options.key(asOwn(state));
  const traversal = {
    input,
    events,
    serializeState: key,
    filterEvents: (state: AnyMachineSnapshot, event: AnyEventObject) =>
      canCome?.(asOwn(state), event) !== false,
    stopWhen: (state: AnyMachineSnapshot) =>
      state.status !== 'active' || isEnd?.(asOwn(state)) === true,
    // A model without an end is a mistake in the machine, or in `key`.
    limit: 100_000,
  };
  const anyMachine: AnyStateMachine = machine;
  const edges = adjacencyMapToArray(getAdjacencyMap(anyMachine, traversal));
  // In the order of the edges, the nearest state first: the first way to a state is the shortest.
  // (`getShortestPaths` would explore the machine once more.)
  const ways = new Map<string, AnyEventObject[]>();
  return edges.map(({ state, event, nextState }, index) => {
    if (index === 0) ways.set(key(state), []);
    const before = ways.get(key(state)) ?? [];
    const walk = { events: [...before, event], from: state.value, value: nextState.value };
    const next = key(nextState);
    if (!ways.has(next)) ways.set(next, walk.events);
    return walk;
  });
}

/** All walks, in pieces of which each is quick also on a busy machine. */
export function inPieces<Some extends Walk>(walks: readonly Some[], size = 500) {
  return Array.from({ length: Math.ceil(walks.length / size) }, (_, piece) => ({
    first: piece * size,
    some: walks.slice(piece * size, (piece + 1) * size),
  }));
}

/** One of those whose last step is the same, and that `apart` does not tell apart. */
export function tellingWalks<Some extends Walk>(
  walks: readonly Some[],
  apart: (walk: Some) => unknown = () => null,
): Some[] {
  const telling = new Map<string, Some>();
  for (const walk of walks) {
    const { from, events, value } = walk;
    telling.set(JSON.stringify([from, events.at(-1), value, apart(walk)]), walk);
  }
  return [...telling.values()];
}

/** Which transitions of a machine were taken, as its inspector saw it; `provide` changes none. */
export function transitionCoverage(machine: AnyStateMachine): {
  inspect: (event: InspectionEvent) => void;
  missing: () => string[];
} {
  const taken = new Set<AnyTransitionDefinition>();
  return {
    inspect: (event) => {
      if (event.type !== '@xstate.microstep') return;
      for (const transition of event._transitions) taken.add(transition);
    },
    missing: () => {
      const walked = new Set([...taken].map(describeTransition));
      return transitionsBelow(machine.root)
        .map(describeTransition)
        .filter((transition) => !walked.has(transition));
    },
  };
}

function transitionsBelow(node: StateNode): AnyTransitionDefinition[] {
  return [
    ...[...node.transitions.values()].flat(),
    ...(node.always ?? []),
    ...Object.values(node.states).flatMap(transitionsBelow),
  ];
}

function describeTransition(transition: AnyTransitionDefinition): string {
  const { source, eventType, guard, target } = transition;
  const to = target?.map((node) => node.id).join() ?? 'itself';
  return `${source.id} on "${eventType}" [${JSON.stringify(guard) ?? ''}] to ${to}`;
}
