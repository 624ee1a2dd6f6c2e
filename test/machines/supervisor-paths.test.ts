import {
  createActor,
  fromCallback,
  setup,
  type AnyEventObject,
  type InspectionEvent,
  type SnapshotFrom,
} from 'xstate';
import { expect, test } from 'vitest';
import type { ChildSpec, RestartType, SupervisorInput } from '../../src/machines/child-spec.ts';
import { findChild } from '../../src/machines/child-table.ts';
import type { SupervisorEvent } from '../../src/machines/supervisor-events.ts';
import { supervisor } from '../../src/machines/supervisor.ts';
import { supervisorInput, worker } from '../support/supervision.ts';
import { transitionCoverage, walksOf, type Walk } from '../support/walk-paths.ts';

/** In the model no child lives: each counts as ended, so that any end may be explored at any time. */
const endedLogic = setup({}).createMachine({
  context: () => {
    throw new Error('not alive');
  },
});

/** Fails once more while it is dropped. */
const messyLogic = fromCallback<{ type: 'crash' }>(({ receive }) => {
  receive(() => {
    throw new Error('crashed');
  });
  return () => {
    throw new Error('cannot clean up');
  };
});

const events: AnyEventObject[] = [
  { type: 'shutdown' },
  { type: 'child.start', spec: worker('b', []) },
  { type: 'child.start', spec: worker('c', [], { restart: 'temporary', shutdown: 'brutal_kill' }) },
  { type: 'child.terminate', id: 'a' },
  { type: 'child.terminate', id: 'c' },
  ...['a', 'unknown'].map((id) => createDoneEvent(id)),
  ...['a', 'b'].map((id) => createErrorEvent(id)),
  { type: 'restart.due', id: 'a' },
  { type: 'restart.forgotten' },
  { type: 'stop.overdue', id: 'a' },
  { type: 'xstate.after.backoff.supervisor.running.backingOff' },
];

interface Setting extends Partial<SupervisorInput> {
  restart: RestartType;
  significant?: boolean;
}

const intensity = { maxRestarts: 1, windowMs: 1e6 };
const settings: Setting[] = [
  { strategy: 'one_for_one', restart: 'permanent', intensity },
  { strategy: 'rest_for_one', restart: 'permanent', intensity: { ...intensity, maxRestarts: 2 } },
  {
    strategy: 'one_for_all',
    restart: 'transient',
    intensity,
    significant: true,
    autoShutdown: 'all_significant',
  },
  {
    strategy: 'one_for_one',
    restart: 'temporary',
    intensity,
    significant: true,
    autoShutdown: 'any_significant',
  },
  { strategy: 'one_for_one', restart: 'temporary', intensity },
];

const coverage = transitionCoverage(supervisor);

test.each(settings)('generated walks end where the model says: $strategy, $restart', (setting) => {
  const model = { input: input(setting, 'ended'), events, key, isEnd };
  const walks = walksOf(supervisor, model);
  for (const walk of walks) {
    const { value } = play(walk, setting, coverage.inspect);
    expect(value, JSON.stringify(walk.events)).toEqual(walk.value);
  }
  expect(walks.length).toBeGreaterThan(100);
});

test('together they take every transition', () => {
  const children = [worker('a', []), worker('a', [])];
  // The one that no walk can take: it never gets to run.
  run({ ...supervisorInput([], {}), children }, coverage.inspect);
  expect(coverage.missing()).toEqual([]);
});

/** Plays a walk to a supervisor whose children live. */
function play(walk: Walk, setting: Setting, inspect: (event: InspectionEvent) => void) {
  const actor = run(input(setting, 'alive'), inspect);
  for (const event of walk.events) {
    const { children } = actor.getSnapshot().context;
    const child = findChild(children, event['actorId']);
    if (child?.ref) {
      const type = event.type.startsWith('xstate.done') ? 'finish' : 'crash';
      child.ref.send({ type, message: 'crashed' });
    } else {
      // A timer of XState is no event of the machine's own.
      actor.send(event as SupervisorEvent);
    }
  }
  const snapshot = actor.getSnapshot();
  actor.stop();
  return snapshot;
}

function run(input: SupervisorInput, inspect: (event: InspectionEvent) => void) {
  const actor = createActor(supervisor, { input, inspect });
  actor.subscribe({ error: () => {} });
  return actor.start();
}

function input(setting: Setting, children: 'alive' | 'ended'): SupervisorInput {
  const { restart, significant = false, ...options } = setting;
  const a = worker('a', [], { stubborn: true, restart, significant });
  const b: ChildSpec = {
    id: 'b',
    logic: messyLogic,
    restart: 'permanent',
    shutdown: 'brutal_kill',
  };
  const specs =
    children === 'alive' ? [a, b] : [a, b].map((spec) => ({ ...spec, logic: endedLogic }));
  return { ...supervisorInput([], {}, options), children: specs };
}

function key({ value, status, context }: SnapshotFrom<typeof supervisor>): string {
  const children = context.children.map(({ id, phase, leaving }) => [id, phase, leaving]);
  const { affected, recent } = context;
  return JSON.stringify([value, status, children, affected, recent.length]);
}

function isEnd(snapshot: SnapshotFrom<typeof supervisor>): boolean {
  return snapshot.matches('failed');
}

function createDoneEvent(actorId: string): AnyEventObject {
  return { type: `xstate.done.actor.${actorId}`, output: undefined, actorId };
}

function createErrorEvent(actorId: string): AnyEventObject {
  return { type: `xstate.error.actor.${actorId}`, error: new Error('crashed'), actorId };
}
