import { createActor, fromCallback, fromPromise, SimulatedClock, type EventObject } from 'xstate';
import { describe, expect, test } from 'vitest';
import type { ProjectsFrame } from '../../src/control/library.ts';
import { childSpec } from '../../src/machines/child-spec.ts';
import type { LibraryAnswer, LibrarySync } from '../../src/machines/library-events.ts';
import type { LibraryEvent } from '../../src/machines/library-steps.ts';
import { libraryWatch } from '../../src/machines/library-watch.ts';
import { BridgeError } from '../../src/errors.ts';
import { SYSTEM } from '../../src/machines/protocol.ts';
import { supervisor } from '../../src/machines/supervisor.ts';
import { childOf, supervisorInput } from '../support/supervision.ts';

const frame: ProjectsFrame = { type: 'bridge.projects', items: [], problems: [] };

describe('a burst of changes', () => {
  test('is one look, once nothing has changed for a while', async () => {
    const library = await settledLibrary();
    for (let change = 0; change < 10; change += 1) {
      library.send({ type: 'library.changed' });
      library.clock.increment(20);
    }
    expect(library.syncs).toEqual([true]);
    library.clock.increment(30);
    expect(library.syncs).toEqual([true, false]);
    await library.settle();
    expect(library.state()).toEqual({ watching: 'settled' });
  });

  test('that does not end is mirrored all the same', async () => {
    const library = await settledLibrary();
    for (let change = 0; change < 26; change += 1) {
      library.send({ type: 'library.changed' });
      library.clock.increment(20);
    }
    expect(library.syncs).toEqual([true, false]);
  });

  test('that comes while the files are read makes another look', async () => {
    const library = await settledLibrary();
    library.send({ type: 'library.changed' });
    library.clock.increment(30);
    library.send({ type: 'library.changed' });
    await library.settle();
    expect(library.state()).toEqual({ watching: { dirty: 'restless' } });
    library.clock.increment(30);
    expect(library.syncs).toEqual([true, false, false]);
  });
});

test('what no event told is found after a minute', async () => {
  const library = await settledLibrary();
  library.clock.increment(60_000);
  expect(library.syncs).toEqual([true, false]);
});

test('after an outage of Convex everything is compared anew', async () => {
  const library = await settledLibrary();
  library.send({ type: 'convex.offline', reason: 'gone' });
  expect(library.state()).toBe('paused');
  library.send({ type: 'convex.online' });
  expect(library.syncs).toEqual([true, true]);
});

test('a failure is told and tried again', async () => {
  const library = await settledLibrary();
  library.send({ type: 'library.changed' });
  library.clock.increment(30);
  await library.settle(new BridgeError('library_unreadable', '/p'));
  expect(library.state()).toBe('failed');
  expect(library.actor.getSnapshot().context.lastError).toContain('/p');
  library.clock.increment(5_000);
  expect(library.state()).toBe('paused');
});

test('news are broadcast, and only then', async () => {
  const library = await settledLibrary();
  expect(library.told.filter(({ type }) => type === 'broadcast')).toEqual([
    { type: 'broadcast', frame },
  ]);
});

describe('a verb', () => {
  test('is answered also while Convex is away, and leaves no child behind', async () => {
    const library = startLibrary();
    library.send(request('projects'));
    await library.answer({ frame, changed: false });
    expect(library.told).toContainEqual({ type: 'control.reply', requestId: 'r1', frame });
    expect(Object.keys(library.actor.getSnapshot().children)).toEqual([]);
  });

  test('that changed a file is mirrored without waiting for the kernel', async () => {
    const library = await settledLibrary();
    library.send(request('projects'));
    await library.answer({ frame, changed: true });
    expect(library.state()).toEqual({ watching: { dirty: 'restless' } });
  });

  test.each([
    ['project_invalid', 'invalid_request'],
    ['project_unknown', 'not_found'],
    ['internal', 'internal'],
  ] as const)('that fails with %s is answered with %s', async (code, answered) => {
    const library = startLibrary();
    library.send(request('projects'));
    await library.answer(new BridgeError(code, 'x'));
    expect(library.told.at(-1)).toMatchObject({
      type: 'control.failed',
      error: { code: answered },
    });
  });
});

function request(control: 'projects'): LibraryEvent {
  return { type: 'control.request', requestId: 'r1', clientId: 'client-1', request: { control } };
}

async function settledLibrary() {
  const library = startLibrary();
  library.send({ type: 'convex.online' });
  await library.settle();
  expect(library.state()).toEqual({ watching: 'settled' });
  return library;
}

function startLibrary() {
  const clock = new SimulatedClock();
  const syncs: boolean[] = [];
  const told: EventObject[] = [];
  let endSync: (outcome: LibrarySync | BridgeError) => void = () => {};
  let endAnswer: (outcome: LibraryAnswer | BridgeError) => void = () => {};
  const ending = <Output>(end: (settle: (with_: Output | BridgeError) => void) => void) =>
    new Promise<Output>((resolve, reject) => {
      end((outcome) => (outcome instanceof BridgeError ? reject(outcome) : resolve(outcome)));
    });
  const logic = libraryWatch.provide({
    actors: {
      changes: fromCallback(() => {}),
      sync: fromPromise<LibrarySync, { fresh: boolean }>(({ input }) => {
        syncs.push(input.fresh);
        return ending((settle) => (endSync = settle));
      }),
      answer: fromPromise(() => ending((settle) => (endAnswer = settle))),
    },
  });
  const root = createActor(supervisor, {
    clock,
    input: {
      ...supervisorInput([], {}),
      children: [
        childSpec({
          id: 'gateway',
          systemId: SYSTEM.gateway,
          logic: fromCallback(({ receive }) => receive((event) => told.push(event))),
          restart: 'permanent',
          shutdown: 'brutal_kill',
        }),
        childSpec({
          id: 'projects',
          systemId: SYSTEM.projects,
          logic,
          input: { id: 'projects', enabled: true },
          restart: 'permanent',
          shutdown: 1_000,
        }),
      ],
    },
  });
  root.subscribe({ error: () => {} });
  root.start();
  const actor = childOf(root, 'projects');
  // The promise and XState's own reaction to it take a turn of the event loop.
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    clock,
    syncs,
    told,
    actor,
    send: (event: LibraryEvent) => actor.send(event),
    state: () => actor.getSnapshot().value,
    settle: async (error?: BridgeError) => {
      const news = syncs.length === 1 ? frame : null;
      endSync(error ?? { items: 1, problems: 0, written: 1, removed: 0, folders: [], news });
      await turn();
    },
    answer: async (outcome: LibraryAnswer | BridgeError) => {
      endAnswer(outcome);
      await turn();
    },
  };
}
