/** A machine as data: its states and transitions in XState's configuration format, names only. */
import type { z } from 'zod';
import type { AnyActorRef, AnyStateMachine, AnyStateNode } from 'xstate';

type Json = z.infer<ReturnType<typeof z.json>>;
type Definition = Record<string, Json>;

/** Null when the actor has no states. Made once for each machine. */
export function definitionOf(ref: AnyActorRef): Definition | null {
  const logic: unknown = 'logic' in ref ? ref.logic : undefined;
  if (!isMachine(logic)) return null;
  // `provide` makes a new machine of the same states.
  const known = definitions.get(logic.config);
  if (known) return known;
  const definition = stateDefinition(logic.root);
  definitions.set(logic.config, definition);
  return definition;
}

const definitions = new WeakMap<object, Definition>();

function isMachine(logic: unknown): logic is AnyStateMachine {
  return typeof logic === 'object' && logic !== null && 'root' in logic && 'config' in logic;
}

function stateDefinition(node: AnyStateNode): Definition {
  const on: Record<string, Json> = {};
  const after: Record<string, Json> = {};
  for (const [event, transitions] of node.transitions) {
    const delay = delayOf(event, node);
    (delay === null ? on : after)[delay ?? event] = transitions.map(transitionDefinition);
  }
  const initial = node.initial.target[0];
  const states = Object.entries<AnyStateNode>(node.states);
  return compact({
    id: node.id,
    // The default of a node with and of one without children need not be said.
    type: node.type === 'final' || node.type === 'parallel' ? node.type : undefined,
    initial: states.length > 0 && node.type !== 'parallel' ? initial?.key : undefined,
    description: node.description,
    entry: namesOf(node.entry),
    exit: namesOf(node.exit),
    invoke: node.invoke.map(({ id, src }) => ({ id, src: typeof src === 'string' ? src : id })),
    on,
    after,
    always: (node.always ?? []).map(transitionDefinition),
    states: Object.fromEntries(states.map(([key, state]) => [key, stateDefinition(state)])),
  });
}

type Transition = AnyStateNode['always'] extends (infer One)[] | undefined ? One : never;

function transitionDefinition({ target, guard, actions, reenter }: Transition): Definition {
  return compact({
    target: target?.map((node) => `#${node.id}`),
    guard: guard === undefined ? undefined : nameOf(guard),
    actions: namesOf(actions),
    reenter: reenter ? true : undefined,
  });
}

/** XState turns `after` into events `xstate.after.<delay>.<id of the state>`. */
function delayOf(event: string, node: AnyStateNode): string | null {
  const end = `.${node.id}`;
  return event.startsWith('xstate.after.') && event.endsWith(end)
    ? event.slice('xstate.after.'.length, -end.length)
    : null;
}

function namesOf(named: readonly unknown[]): string[] {
  return named.map(nameOf);
}

/** A name, an object with parameters, or a function: built-in ones carry their type. */
function nameOf(named: unknown): string {
  if (typeof named === 'string') return named;
  const { type, name }: { type?: unknown; name?: unknown } = Object(named);
  return typeof type === 'string'
    ? type
    : typeof name === 'string' && name !== ''
      ? name
      : 'inline';
}

/** Leaves out what says nothing. */
function compact(fields: Record<string, Json | undefined>): Definition {
  const said: Definition = {};
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) continue;
    said[key] = value;
  }
  return said;
}
