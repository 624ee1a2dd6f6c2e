import {
  createActor,
  fromCallback,
  fromPromise,
  sendTo,
  setup,
  SimulatedClock,
  waitFor,
} from 'xstate';
import { describe, expect, test } from 'vitest';
import { createRegistry, type Registry } from '../../src/actors/registry.ts';
import { createRegistryActor } from '../../src/actors/registry-actor.ts';
import { machineItem, replyFrame, type MachineItem } from '../../src/control/frames.ts';
import { childSpec } from '../../src/machines/child-spec.ts';
import type { ControlRequestEvent, GatewayCommand } from '../../src/machines/protocol.ts';
import { supervisor } from '../../src/machines/supervisor.ts';
import { childOf, supervisorInput, worker, type ChildOptions } from '../support/supervision.ts';

function watched(
  children: Record<string, ChildOptions>,
  options: { keepEndedMs?: number; keepEnded?: number } = {},
) {
  let time = 1000;
  const clock = new SimulatedClock();
  const registry = createRegistry({ now: () => time, ...options });
  const input = supervisorInput([], children);
  const root = createActor(supervisor, { id: 'root', clock, input, inspect: registry.inspect });
  root.subscribe({ error: () => {} });
  root.start();
  return {
    registry,
    root,
    pass: (ms: number) => {
      time += ms;
      clock.increment(ms);
    },
    crash: (id: string) => childOf(root, id).send({ type: 'crash', message: `${id} crashed` }),
    finish: (id: string) => childOf(root, id).send({ type: 'finish' }),
  };
}

function item(registry: Registry, id: string): MachineItem | undefined {
  return registry.machines().find((machine) => machine.id === id);
}

describe('machines', () => {
  test('shows each actor with its parent, state and context, in the shape of the protocol', () => {
    const { registry, root } = watched({ a: { restart: 'transient' } });
    const items = registry.machines();
    expect(items).toMatchObject([
      { id: 'root', parentId: null, machine: 'supervisor', state: 'running.steady', since: 1000 },
      {
        id: 'a',
        parentId: root.sessionId,
        machine: 'worker',
        state: 'working',
        status: 'active',
        restarts: 0,
        lastError: null,
        context: { id: 'a', stubborn: false },
      },
    ]);
    for (const shown of items) expect(machineItem.parse(shown)).toEqual(shown);
  });

  test('tells since when an actor is in its state, not when it last heard something', () => {
    const { registry, root, pass } = watched({ a: {} });
    pass(500);
    childOf(root, 'a').send({ type: 'be.stubborn' });
    expect(item(registry, 'a')).toMatchObject({ since: 1000, context: { stubborn: true } });
    childOf(root, 'a').send({ type: 'finish' });
    expect(item(registry, 'a')).toMatchObject({ state: 'ended', status: 'done', since: 1500 });
  });

  test('counts restarts and keeps the last error over them', () => {
    const { registry, crash, pass } = watched({ a: {} });
    crash('a');
    expect(item(registry, 'a')).toMatchObject({ status: 'error', lastError: 'a crashed' });
    for (let n = 0; n < 2; n += 1) {
      pass(200);
      crash('a');
    }
    pass(400);
    expect(registry.machines()).toHaveLength(2);
    expect(item(registry, 'a')).toMatchObject({
      status: 'active',
      state: 'working',
      restarts: 3,
      lastError: 'a crashed',
    });
  });

  test('counts a child of a restarted parent as started again', () => {
    const parent = setup({ actors: { inner: setup({}).createMachine({}) } }).createMachine({
      invoke: { src: 'inner', id: 'inner' },
      on: {
        crash: {
          actions: () => {
            throw new Error('broken');
          },
        },
      },
    });
    const { registry, crash, pass } = watched({ a: { logic: parent } });
    crash('a');
    pass(100);
    expect(item(registry, 'inner')).toMatchObject({ restarts: 1, status: 'active' });
  });

  test('does not count a piece of work that is done again, but one that failed', async () => {
    const work = fromPromise<void, boolean>(async ({ input }) => {
      if (input) throw new Error('failed');
    });
    const parent = setup({
      types: { events: {} as { type: 'again'; fails: boolean } },
      actors: { work },
    }).createMachine({
      initial: 'idle',
      states: {
        idle: { on: { again: 'working' } },
        working: {
          invoke: {
            src: 'work',
            id: 'work',
            input: ({ event }) => event.fails,
            onDone: 'idle',
            onError: 'idle',
          },
        },
      },
    });
    const { registry, root } = watched({ a: { logic: parent } });
    const again = async (fails: boolean) => {
      const actor = childOf(root, 'a');
      actor.send({ type: 'again', fails });
      await waitFor(actor, (snapshot) => snapshot.value === 'idle');
    };
    await again(false);
    await again(true);
    expect(item(registry, 'work')).toMatchObject({ restarts: 0, lastError: 'failed' });
    await again(false);
    expect(item(registry, 'work')).toMatchObject({ restarts: 1, status: 'done' });
  });

  test('shows an actor without states by its status', () => {
    const logic = fromCallback(() => {});
    const { registry, root } = watched({ a: { logic } });
    expect(item(registry, 'a')).toMatchObject({ state: 'active', status: 'active', context: {} });
    root.send({ type: 'child.terminate', id: 'a' });
    expect(item(registry, 'a')).toMatchObject({ state: 'stopped', status: 'stopped' });
  });

  test('leaves out the nameless helpers of a machine, but not what they start', () => {
    const leaf = setup({}).createMachine({ id: 'leaf' });
    const nameless = setup({ actors: { leaf } }).createMachine({
      invoke: { src: 'leaf', id: 'leaf' },
    });
    const parent = setup({ actors: { nameless, once: fromPromise(async () => 1) } }).createMachine({
      invoke: [{ src: 'nameless' }, { src: 'once' }],
    });
    const { registry, root } = watched({ a: { logic: parent } });
    expect(registry.machines().map(({ id }) => id)).toEqual(['root', 'a', 'leaf']);
    expect(item(registry, 'leaf')?.parentId).toBe(childOf(root, 'a').sessionId);
  });

  test('forgets ended actors after a while, and keeps no more than the limit of them', () => {
    const { registry, root, pass } = watched({}, { keepEndedMs: 1000, keepEnded: 3 });
    for (let n = 0; n < 10; n += 1) {
      root.send({ type: 'child.start', spec: worker(`run${n}`, [], { restart: 'temporary' }) });
      childOf(root, `run${n}`).send({ type: 'finish' });
    }
    expect(registry.machines().map(({ id }) => id)).toEqual(['root', 'run7', 'run8', 'run9']);
    pass(999);
    expect(registry.machines()).toHaveLength(4);
    pass(1);
    expect(registry.machines()).toHaveLength(1);
  });

  test('the history names the event that led to a state, not one that came while it was entered', () => {
    const registry = createRegistry({ now: () => 1 });
    const echo = fromCallback<{ type: 'ask' }>(({ sendBack, receive }) => {
      receive(() => sendBack({ type: 'answer' }));
    });
    const asking = setup({ actors: { echo } }).createMachine({
      invoke: { src: 'echo', id: 'echo' },
      initial: 'idle',
      states: {
        idle: { on: { go: 'asking' } },
        // Answered before this state can be told.
        asking: { entry: sendTo('echo', { type: 'ask' }), on: { answer: 'answered' } },
        answered: {},
      },
    });
    const actor = createActor(asking, { id: 'asking', inspect: registry.inspect }).start();
    actor.send({ type: 'go' });
    const [{ transitions } = { transitions: [] }] = registry.history('asking');
    expect(transitions.map(({ from, to, event, source }) => [from, to, event, source])).toEqual([
      [null, 'idle', 'xstate.init', null],
      ['idle', 'asking', 'go', null],
      ['asking', 'answered', 'answer', 'echo'],
    ]);
  });

  test('shows parallel states side by side', () => {
    const logic = setup({}).createMachine({
      type: 'parallel',
      states: { reading: { initial: 'idle', states: { idle: {} } }, link: {} },
    });
    const { registry } = watched({ a: { logic } });
    expect(item(registry, 'a')?.state).toBe('reading.idle,link');
  });
});

describe('losses', () => {
  test('counts events to ended actors', () => {
    const { registry, root, finish } = watched({ a: { restart: 'temporary' } });
    const a = childOf(root, 'a');
    finish('a');
    a.send({ type: 'be.stubborn' });
    expect(registry.losses()).toEqual({
      deadLetters: 1,
      unhandled: 0,
      last: '"be.stubborn" to "a", which has ended',
    });
  });

  test('counts events that a machine does not handle in its state', () => {
    const { registry, root } = watched({ a: {} });
    childOf(root, 'a').send({ type: 'no.such.event' });
    expect(registry.losses()).toEqual({
      deadLetters: 0,
      unhandled: 1,
      last: '"no.such.event" to "a" in working',
    });
  });

  test('an orderly life has none', () => {
    const { registry, root, crash, pass } = watched({ a: {}, b: { restart: 'transient' } });
    crash('a');
    pass(100);
    root.send({ type: 'shutdown' });
    expect(registry.losses()).toEqual({ deadLetters: 0, unhandled: 0, last: null });
  });
});

describe('the registry actor', () => {
  function asked(control: 'machines.list' | 'bridge.status' | 'convex.status') {
    const registry = createRegistry();
    const answers: GatewayCommand[] = [];
    const gateway = fromCallback<GatewayCommand>(({ receive }) =>
      receive((event) => answers.push(event)),
    );
    const facts = () => ({
      bind: '127.0.0.1:8787',
      version: '0.1.0',
      codex: { bin: 'codex', version: '0.169.0' },
      runs: { active: 1, queued: 0 },
      lastThreadId: null,
      convexUrl: 'http://127.0.0.1:7788',
      convexHealthy: true,
      startedAt: Date.now() - 5000,
    });
    const child = { restart: 'permanent', shutdown: 'brutal_kill' } as const;
    const root = createActor(supervisor, {
      id: 'root',
      inspect: registry.inspect,
      input: {
        ...supervisorInput([], {}),
        children: [
          childSpec({
            ...child,
            id: 'registry',
            systemId: 'registry',
            logic: createRegistryActor(registry, facts),
          }),
          childSpec({ ...child, id: 'gateway', systemId: 'gateway', logic: gateway }),
        ],
      },
    });
    root.start();
    const request: ControlRequestEvent = {
      type: 'control.request',
      requestId: 'r1',
      clientId: 'client-1',
      request: { control },
    };
    root.system.get('registry').send(request);
    root.stop();
    return answers[0];
  }

  test('answers machines.list, and shows what got lost as its own context', () => {
    const answer = asked('machines.list');
    expect(answer).toMatchObject({
      type: 'control.reply',
      requestId: 'r1',
      frame: {
        type: 'bridge.machines',
        items: [
          { id: 'root' },
          { id: 'registry', context: { deadLetters: 0, unhandled: 0 } },
          { id: 'gateway' },
        ],
      },
    });
  });

  test('answers bridge.status with the facts and all actors', () => {
    const answer = asked('bridge.status');
    if (answer?.type !== 'control.reply') throw new Error('no reply');
    const frame = replyFrame.parse(answer.frame);
    expect(frame).toMatchObject({ type: 'bridge.status', pid: process.pid, convexHealthy: true });
    if (frame.type !== 'bridge.status') throw new Error('another frame');
    expect(frame.uptimeMs).toBeGreaterThanOrEqual(5000);
    expect(frame.actors.map(({ id }) => id)).toEqual(['root', 'registry', 'gateway']);
  });

  test('refuses what is not its own', () => {
    expect(asked('convex.status')).toMatchObject({
      type: 'control.failed',
      error: { code: 'unknown_control' },
    });
  });
});
