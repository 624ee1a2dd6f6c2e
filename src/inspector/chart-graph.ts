/** A machine's definition as boxes and arrows; pure. */
import { z } from 'zod';

export interface ChartState {
  /** Dotted path below the machine; empty for the machine itself. */
  path: string;
  key: string;
  type: 'atomic' | 'compound' | 'parallel' | 'final';
  /** What it does while it is active, a line each. */
  notes: string[];
  initial: string | null;
  states: ChartState[];
}

export interface ChartArrow {
  id: string;
  source: string;
  target: string;
  events: ArrowEvent[];
}

interface ArrowEvent {
  /** `always` for a transition that needs no event; `after DELAY` for a timer. */
  label: string;
  /** The event's type as XState has it, or a pattern that ends with `*`. */
  type: string;
  guard: string | null;
}

export interface Chart {
  root: ChartState;
  arrows: ChartArrow[];
}

const transition = z.object({
  target: z.array(z.string()).optional(),
  guard: z.string().optional(),
  reenter: z.boolean().optional(),
});
const transitions = z.record(z.string(), z.array(transition)).default({});

const stateNode = z.object({
  id: z.string(),
  type: z.enum(['final', 'parallel']).optional(),
  initial: z.string().optional(),
  entry: z.array(z.string()).default([]),
  invoke: z.array(z.object({ id: z.string(), src: z.string() })).default([]),
  on: transitions,
  after: transitions,
  always: z.array(transition).default([]),
  get states() {
    return z.record(z.string(), stateNode).default({});
  },
});
type StateNode = z.infer<typeof stateNode>;

/** Null when it is no definition of a machine. */
export function chartOf(definition: unknown): Chart | null {
  const { data: machine } = stateNode.safeParse(definition);
  if (machine === undefined || Object.keys(machine.states).length === 0) return null;
  const pathById = new Map<string, string>();
  const collect = (node: StateNode, path: string): void => {
    pathById.set(`#${node.id}`, path);
    for (const [key, child] of Object.entries(node.states)) collect(child, below(path, key));
  };
  collect(machine, '');
  const arrows = new Map<string, ChartArrow>();
  const walk = (node: StateNode, path: string, key: string): ChartState => {
    for (const { label, type, to } of leaving(node)) {
      const target = pathById.get(to.target?.[0] ?? '');
      // Without a target nothing moves, and there is no arrow.
      if (target === undefined || (target === path && to.reenter !== true)) continue;
      const id = `${path}→${target}`;
      const arrow = arrows.get(id) ?? { id, source: path, target, events: [] };
      arrows.set(id, arrow);
      arrow.events.push({ label, type, guard: to.guard ?? null });
    }
    const states = Object.entries(node.states);
    return {
      path,
      key,
      type: node.type ?? (states.length > 0 ? 'compound' : 'atomic'),
      notes: node.invoke.map(({ id, src }) => `⟳ ${/^\d+\./.test(id) ? src : id}`),
      initial: node.initial ?? null,
      states: states.map(([name, child]) => walk(child, below(path, name), name)),
    };
  };
  const root = walk(machine, '', machine.id);
  return { root, arrows: [...arrows.values()] };
}

function below(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

function leaving(
  node: StateNode,
): { label: string; type: string; to: z.infer<typeof transition> }[] {
  return [
    ...Object.entries(node.on).flatMap(([type, list]) =>
      list.map((to) => ({ label: shortEvent(type), type, to })),
    ),
    ...Object.entries(node.after).flatMap(([delay, list]) =>
      list.map((to) => ({
        label: `after ${delay}`,
        type: `xstate.after.${delay}.${node.id}`,
        to,
      })),
    ),
    ...node.always.map((to) => ({ label: 'always', type: '', to })),
  ];
}

/** XState's own event names are long; what they say is short. */
export function shortEvent(type: string): string {
  const [, kind, of] = /^xstate\.(done|error)\.(?:actor|state)\.(.*)$/.exec(type) ?? [];
  if (kind !== undefined && of !== undefined) {
    // A nameless child is called after the state that it belongs to.
    return /^\d+\./.test(of)
      ? kind === 'done'
        ? 'done'
        : 'failed'
      : `${kind === 'done' ? 'done' : 'failed'}: ${of}`;
  }
  const [, delay] = /^xstate\.after\.([^.]+)\./.exec(type) ?? [];
  if (delay !== undefined) return `after ${delay}`;
  return PLAIN[type] ?? type;
}

const PLAIN: Record<string, string> = {
  'xstate.init': 'start',
  'xstate.stop': 'stop',
  'xstate.promise.resolve': 'resolved',
  'xstate.promise.reject': 'rejected',
};

/** The arrows that led from one set of active states to another by this event. */
export function firedArrows(
  { arrows }: Chart,
  before: readonly string[],
  after: readonly string[],
  event: string,
): Set<string> {
  const isActive = new Set(after);
  const sources = new Set(['', ...before]);
  const byEvent = arrows.filter(
    ({ source, events }) => sources.has(source) && events.some(({ type }) => fits(type, event)),
  );
  const direct = byEvent.filter(({ target }) => isActive.has(target));
  if (direct.length > 0) return new Set(direct.map(({ id }) => id));
  // Through a state that is left at once.
  for (const first of byEvent) {
    const second = arrows.find(
      ({ source, target, events }) =>
        (source === first.target || source.startsWith(`${first.target}.`)) &&
        isActive.has(target) &&
        events.some(({ type }) => type === ''),
    );
    if (second !== undefined) return new Set([first.id, second.id]);
  }
  return new Set();
}

function fits(pattern: string, type: string): boolean {
  if (pattern === '*') return true;
  if (pattern.endsWith('.*')) return type.startsWith(pattern.slice(0, -1));
  return pattern !== '' && pattern === type;
}
