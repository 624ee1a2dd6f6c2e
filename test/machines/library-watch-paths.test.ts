import {
  createActor,
  fromCallback,
  fromPromise,
  type AnyEventObject,
  type InspectionEvent,
} from 'xstate';
import { expect, test } from 'vitest';
import { BridgeError } from '../../src/errors.ts';
import type { LibraryEvent } from '../../src/machines/library-steps.ts';
import { libraryWatch } from '../../src/machines/library-watch.ts';
import { transitionCoverage, walksOf } from '../support/walk-paths.ts';

const error = new BridgeError('library_unreadable', '/p');
const output = { items: 1, problems: 0, written: 1, removed: 0, folders: [], news: null };

const events: AnyEventObject[] = [
  { type: 'shutdown' },
  { type: 'convex.online' },
  { type: 'convex.offline', reason: 'r' },
  {
    type: 'control.request',
    requestId: 'r1',
    clientId: 'client-1',
    request: { control: 'projects' },
  },
  { type: 'library.changed' },
  { type: 'library.degraded', reason: 'the kernel watches no more' },
  { type: 'xstate.done.actor.sync', actorId: 'sync', output },
  { type: 'xstate.error.actor.sync', actorId: 'sync', error },
  { type: 'xstate.error.actor.changes', actorId: 'changes', error },
  {
    type: 'xstate.done.actor.answer:r1',
    actorId: 'answer:r1',
    output: { frame: { type: 'bridge.projects', items: [], problems: [] }, changed: true },
  },
  { type: 'xstate.error.actor.answer:r1', actorId: 'answer:r1', error },
  ...['watching.dirty.restless', 'watching.dirty', 'watching.settled', 'failed'].flatMap((state) =>
    ['QUIET_TIME', 'LONGEST_WAIT', 'SWEEP_INTERVAL', 'RETRY_DELAY'].map((delay) => ({
      type: `xstate.after.${delay}.libraryWatch.${state}`,
    })),
  ),
];

const idle = libraryWatch.provide({
  actors: {
    changes: fromCallback(() => {}),
    sync: fromPromise(() => new Promise(() => {})),
    answer: fromPromise(() => new Promise(() => {})),
  },
});

test('generated walks end where the model says, and take every transition', () => {
  const coverage = transitionCoverage(libraryWatch);
  expect(walk(true, coverage.inspect)).toBeGreaterThan(80);
  expect(walk(false, coverage.inspect)).toBeGreaterThan(5);
  expect(coverage.missing()).toEqual([]);
});

function walk(enabled: boolean, inspect: (event: InspectionEvent) => void): number {
  const input = { id: 'projects', enabled } as const;
  const walks = walksOf(libraryWatch, {
    input,
    events,
    canCome: ({ value }, { type }) => {
      // The work of a state ends in that state, and its timers too.
      const at = JSON.stringify(value);
      if (type.endsWith('.sync')) return at.includes('scanning') || at.includes('syncing');
      if (!type.startsWith('xstate.after.')) return true;
      return type
        .split('.')
        .slice(4)
        .every((state) => at.includes(`"${state}"`));
    },
    key: ({ value, status, context: { again, degraded } }) =>
      JSON.stringify([value, status, again, degraded !== null]),
  });
  for (const { events: steps, value } of walks) {
    const actor = createActor(idle, { input, inspect });
    actor.start();
    // Timers and work done are XState's own events, which the types do not list.
    for (const step of steps) actor.send(step as LibraryEvent);
    expect(actor.getSnapshot().value, JSON.stringify(steps)).toEqual(value);
    actor.stop();
  }
  return walks.length;
}
