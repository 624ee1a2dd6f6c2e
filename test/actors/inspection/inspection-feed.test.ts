import { createActor, setup, SimulatedClock } from 'xstate';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  createInspectionFeed,
  type InspectionFeed,
} from '../../../src/actors/inspection/inspection-feed.ts';
import { createRegistry, type Registry } from '../../../src/actors/registry.ts';
import { inspectFrame, type InspectFrame } from '../../../src/control/inspect-frames.ts';
import { supervisor } from '../../../src/machines/supervisor.ts';
import { createValueRecorder } from '../../../src/recording/recorded-value.ts';
import { childOf, supervisorInput } from '../../support/supervision.ts';

let registry: Registry;
let feed: InspectionFeed;
let clock: SimulatedClock;
let root: ReturnType<typeof start>;

beforeEach(() => {
  vi.useFakeTimers();
  clock = new SimulatedClock();
  feed = createInspectionFeed(
    () => registry.entries(),
    () =>
      createValueRecorder({ secret: /token/, holdsSecret: () => false, homeDirectory: '/home/me' }),
  );
  registry = createRegistry({ feed });
  root = start();
});

afterEach(() => {
  root.stop();
  vi.useRealTimers();
});

function start() {
  const input = supervisorInput([], { a: {}, b: { restart: 'transient' } });
  const actor = createActor(supervisor, { id: 'root', clock, input, inspect: registry.inspect });
  actor.subscribe({ error: () => {} });
  return actor.start();
}

function watch(options: { ids?: string[]; detail?: 'summary' | 'replay' } = {}) {
  const frames: InspectFrame[] = [];
  const unread = { bytes: 0 };
  const end = feed.watch({
    detail: 'summary',
    ...options,
    sink: { send: (frame) => frames.push(frame), backlog: () => unread.bytes },
  });
  return {
    end,
    frames,
    unread,
    next: () => {
      vi.advanceTimersByTime(300);
      return frames.splice(0).flatMap(({ events }) => events);
    },
  };
}

describe('a watcher', () => {
  test('is told at once what there is, in the shape of the protocol, each definition once', () => {
    const { frames } = watch();
    const [frame] = frames;
    expect(inspectFrame.parse(frame)).toEqual(frame);
    expect(frame?.events).toMatchObject([
      { type: '@xstate.actor', name: 'root', parentId: null, definition: { id: 'supervisor' } },
      {
        name: 'a',
        path: '/root/a',
        parentId: root.sessionId,
        machine: 'worker',
        snapshot: { status: 'active', value: 'working', context: { id: 'a' } },
        definition: {
          initial: 'working',
          states: { working: { on: { finish: [{ target: ['#worker.ended'] }] } } },
        },
      },
      { name: 'b' },
    ]);
    expect(frame?.events[2]).not.toHaveProperty('definition');
  });

  test('hears each event with its sender, and each state that it led to', () => {
    const { next } = watch();
    next();
    childOf(root, 'a').send({ type: 'finish' });
    expect(next()).toMatchObject([
      { type: '@xstate.event', source: null, event: { type: 'finish' } },
      { type: '@xstate.event', source: 'a', event: { type: 'xstate.done.actor.a' } },
      { type: '@xstate.snapshot', snapshot: { value: { running: 'steady' } } },
      {
        type: '@xstate.snapshot',
        event: { type: 'finish' },
        snapshot: { value: 'ended', status: 'done' },
      },
    ]);
  });

  test('sees a crash as the end of that actor, and its next life as another session', () => {
    const { next } = watch({ ids: ['a'] });
    next();
    const { sessionId } = childOf(root, 'a');
    childOf(root, 'a').send({ type: 'crash', message: 'broken' });
    clock.increment(200);
    const [, crash, birth] = next();
    expect(crash).toMatchObject({
      type: '@xstate.snapshot',
      sessionId,
      event: { type: 'crash' },
      snapshot: { status: 'error', error: 'broken' },
    });
    expect(birth).toMatchObject({ type: '@xstate.actor', path: '/root/a', restarts: 1 });
    expect(birth?.sessionId).not.toBe(sessionId);
  });

  test('hears only of the actors that it asked for', () => {
    const { next } = watch({ ids: ['b'] });
    expect(next()).toMatchObject([{ name: 'b' }]);
    childOf(root, 'a').send({ type: 'be.stubborn' });
    childOf(root, 'b').send({ type: 'be.stubborn' });
    expect(new Set(next().map((event) => event.sessionId))).toEqual(
      new Set([childOf(root, 'b').sessionId]),
    );
  });

  test('gets the context once a frame, as it is by then', () => {
    const { next } = watch({ ids: ['a'] });
    next();
    for (let n = 0; n < 3; n += 1) childOf(root, 'a').send({ type: 'be.stubborn' });
    const snapshots = next().filter((event) => event.type === '@xstate.snapshot');
    expect(snapshots.map(({ snapshot }) => snapshot.context)).toMatchObject([
      undefined,
      undefined,
      { stubborn: true },
    ]);
  });

  test('that reads nothing costs a bounded memory, and is told the gap and the present when it reads', () => {
    const { next, unread, frames } = watch({ ids: ['a'] });
    next();
    unread.bytes = 10_000_000;
    for (let n = 0; n < 5_000; n += 1) childOf(root, 'a').send({ type: 'be.stubborn' });
    expect(next()).toEqual([]);
    unread.bytes = 0;
    vi.advanceTimersByTime(300);
    expect(frames).toHaveLength(1);
    expect(frames[0]?.dropped).toBe(10_000);
    expect(frames[0]?.events).toMatchObject([
      { type: '@xstate.actor', name: 'a', snapshot: { context: { stubborn: true } } },
    ]);
    childOf(root, 'a').send({ type: 'finish' });
    vi.advanceTimersByTime(300);
    expect(frames[1]?.dropped).toBe(0);
  });

  test('gets what was collected when it ends, and nothing behind that; nobody is watched then', () => {
    const { end, next } = watch();
    next();
    expect(feed.isWatched).toBe(true);
    childOf(root, 'a').send({ type: 'be.stubborn' });
    end();
    expect(next()).toHaveLength(2);
    childOf(root, 'a').send({ type: 'be.stubborn' });
    expect(next()).toEqual([]);
    expect(feed.isWatched).toBe(false);
  });

  test('that records gets whole events, the contexts to start from, and what was drawn at random', () => {
    let count = 0;
    const draw = feed.drawn(() => `drawn-${(count += 1)}`);
    draw();
    const { next } = watch({ ids: ['a'], detail: 'replay' });
    expect(next()).toMatchObject([
      { start: { value: 'working', context: { id: 'a', stubborn: false } } },
    ]);
    draw();
    childOf(root, 'a').send({ type: 'note', text: 'a secret thought', path: '/home/me/notes' });
    expect(next().at(-1)).toMatchObject({
      replay: {
        event: { type: 'note', text: { $: 'text', length: 16 }, path: '~/notes' },
        drawn: ['drawn-2'],
      },
    });
  });
});

describe('history', () => {
  test('says through which states an actor went and why, over its restarts', () => {
    childOf(root, 'a').send({ type: 'crash', message: 'broken' });
    clock.increment(200);
    childOf(root, 'a').send({ type: 'finish' });
    expect(registry.history('a')).toMatchObject([
      {
        path: '/root/a',
        transitions: [
          { from: null, to: 'working', event: 'xstate.init', source: 'root', restarts: 0 },
          { from: 'working', to: 'working', status: 'error', event: 'crash', restarts: 0 },
          { from: null, to: 'working', restarts: 1 },
          { from: 'working', to: 'ended', status: 'done', event: 'finish', source: null },
        ],
      },
    ]);
  });

  test('keeps the latest fifty of each actor', () => {
    const toggle = setup({}).createMachine({
      initial: 'on',
      states: { on: { on: { turn: 'off' } }, off: { on: { turn: 'on' } } },
    });
    const own = createRegistry();
    const actor = createActor(toggle, { inspect: own.inspect }).start();
    for (let n = 0; n < 200; n += 1) actor.send({ type: 'turn' });
    const [history] = own.history();
    expect(history?.transitions).toHaveLength(50);
    expect(history?.transitions.at(-1)).toMatchObject({ from: 'off', to: 'on' });
  });

  test('tells the last event of each actor and who sent it', () => {
    childOf(root, 'a').send({ type: 'be.stubborn' });
    const items = registry.machines();
    expect(items.find(({ id }) => id === 'a')?.lastEvent).toMatchObject({
      type: 'be.stubborn',
      source: null,
    });
  });
});
