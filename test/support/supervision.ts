/** A supervisor under a simulated clock, with children that do as they are told. */
import {
  assign,
  createActor,
  fromCallback,
  setup,
  SimulatedClock,
  type Actor,
  type AnyActorRef,
} from 'xstate';
import type { ChildSpec, SupervisorInput } from '../../src/machines/child-spec.ts';
import type { SupervisorEmitted } from '../../src/machines/supervisor-events.ts';
import { supervisor } from '../../src/machines/supervisor.ts';

export interface Supervision {
  actor: Actor<typeof supervisor>;
  clock: SimulatedClock;
  /** `start a`, `shutdown a`, `end a` … in the order in which it happened in the children. */
  life: string[];
  /** What the supervisor emitted. */
  emitted: SupervisorEmitted[];
  /** What the supervisor itself failed with. */
  errors: unknown[];
  child(id: string): AnyActorRef;
  /** Makes a child end by itself. */
  finish(id: string): void;
  crash(id: string, message?: string): void;
  /** Ids of the children that are active, in the order of the supervisor's table. */
  active(): string[];
}

export type ChildOptions = Partial<Omit<ChildSpec, 'id' | 'logic'>> & {
  /** Ends when it is told to (default), or only by `finish` or `crash`. */
  stubborn?: boolean;
  logic?: ChildSpec['logic'];
};

export function supervise(
  children: Record<string, ChildOptions>,
  options: Partial<Omit<SupervisorInput, 'children'>> = {},
): Supervision {
  const life: string[] = [];
  const clock = new SimulatedClock();
  const actor = createActor(supervisor, {
    clock,
    input: supervisorInput(life, children, options),
  });
  const emitted: SupervisorEmitted[] = [];
  const errors: unknown[] = [];
  actor.on('*', (event) => emitted.push(event));
  actor.subscribe({ error: (error) => errors.push(error) });
  const child = (id: string): AnyActorRef => childOf(actor, id);
  return {
    actor,
    clock,
    life,
    emitted,
    errors,
    child,
    finish: (id) => child(id).send({ type: 'finish' }),
    crash: (id, message = 'crashed') => child(id).send({ type: 'crash', message }),
    active: () => activeIn(actor),
  };
}

export function supervisorInput(
  life: string[],
  children: Record<string, ChildOptions>,
  options: Partial<Omit<SupervisorInput, 'children'>> = {},
): SupervisorInput {
  return {
    id: 'test',
    strategy: 'one_for_one',
    intensity: { maxRestarts: 5, windowMs: 60_000 },
    // A delay of exactly 100 ms, then 200 ms, 400 ms … with this `random`.
    backoff: { minMs: 200, maxMs: 10_000, factor: 2 },
    random: () => 0.5,
    ...options,
    children: Object.entries(children).map(([id, spec]) => worker(id, life, spec)),
  };
}

export function worker(id: string, life: string[], options: ChildOptions = {}): ChildSpec {
  const { stubborn = false, ...spec } = options;
  return {
    id,
    logic: workerMachine,
    input: { id, life, stubborn },
    restart: 'permanent',
    shutdown: 1000,
    ...spec,
  };
}

/** A child without states, as a socket or a timer would be. */
export const callbackWorker = fromCallback<{ type: 'crash' }, { id: string; life: string[] }>(
  ({ input }) => {
    input.life.push(`start ${input.id}`);
    return () => input.life.push(`dispose ${input.id}`);
  },
);

const workerMachine = setup({
  types: {
    context: {} as { id: string; life: string[]; stubborn: boolean },
    input: {} as { id: string; life: string[]; stubborn?: boolean },
    events: {} as
      | { type: 'finish' }
      | { type: 'crash'; message: string }
      | { type: 'shutdown' }
      | { type: 'be.stubborn' },
  },
  actions: {
    note: ({ context }, params: { what: string }) => {
      context.life.push(`${params.what} ${context.id}`);
    },
    throw: (_, params: { message: string }) => {
      throw new Error(params.message);
    },
  },
  guards: { isStubborn: ({ context }) => context.stubborn },
}).createMachine({
  id: 'worker',
  context: ({ input }) => ({ stubborn: false, ...input }),
  entry: { type: 'note', params: { what: 'start' } },
  exit: { type: 'note', params: { what: 'end' } },
  initial: 'working',
  states: {
    working: {
      on: {
        finish: 'ended',
        crash: { actions: { type: 'throw', params: ({ event }) => ({ message: event.message }) } },
        'be.stubborn': { actions: assign({ stubborn: true }) },
        shutdown: [
          { guard: 'isStubborn', actions: { type: 'note', params: { what: 'shutdown' } } },
          { actions: { type: 'note', params: { what: 'shutdown' } }, target: 'ended' },
        ],
      },
    },
    ended: { type: 'final' },
  },
});

export function childOf(parent: AnyActorRef, id: string): AnyActorRef {
  const ref = childrenOf(parent)[id];
  if (!ref) throw new Error(`there is no child "${id}"`);
  return ref;
}

function childrenOf(parent: AnyActorRef): Record<string, AnyActorRef> {
  return parent.getSnapshot().children;
}

function activeIn(parent: AnyActorRef): string[] {
  return Object.values(childrenOf(parent))
    .filter((ref) => ref.getSnapshot().status === 'active')
    .map((ref) => ref.id);
}
