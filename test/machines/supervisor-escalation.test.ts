import { createActor, fromCallback, fromPromise, setup, SimulatedClock } from 'xstate';
import { describe, expect, test } from 'vitest';
import { BridgeError } from '../../src/errors.ts';
import { childSpec } from '../../src/machines/child-spec.ts';
import { supervisor } from '../../src/machines/supervisor.ts';
import {
  callbackWorker,
  childOf,
  supervise,
  supervisorInput,
  worker,
} from '../support/supervision.ts';

describe('intensity', () => {
  test('as many restarts as allowed within the window, then it gives up', () => {
    const s = supervise(
      { a: {}, b: {}, c: {} },
      { intensity: { maxRestarts: 2, windowMs: 10_000 } },
    );
    s.actor.start();
    for (const id of ['a', 'b']) {
      s.crash(id);
      s.clock.increment(100);
    }
    expect(s.active().toSorted()).toEqual(['a', 'b', 'c']);
    s.crash('b', 'once too often');
    expect(s.life.slice(5)).toEqual(['shutdown c', 'end c', 'shutdown a', 'end a']);
    const [error] = s.errors;
    expect(error).toBeInstanceOf(BridgeError);
    expect(error).toMatchObject({ code: 'restarts_exhausted', cause: new Error('once too often') });
    expect(s.actor.getSnapshot().status).toBe('error');
    expect(s.emitted.map((event) => event.type).slice(-4)).toEqual([
      'child.failed',
      'escalated',
      'child.stopped',
      'child.stopped',
    ]);
  });

  test('a restart outside of the window does not count', () => {
    const s = supervise({ a: {} }, { intensity: { maxRestarts: 1, windowMs: 10_000 } });
    s.actor.start();
    for (let n = 0; n < 5; n += 1) {
      s.crash('a');
      s.clock.increment(100);
      s.clock.increment(9900);
    }
    expect(s.active()).toEqual(['a']);
    expect(s.errors).toEqual([]);
  });

  test('none allowed: the first failure is the last', () => {
    const s = supervise({ a: {} }, { intensity: { maxRestarts: 0, windowMs: 10_000 } });
    s.actor.start();
    s.crash('a');
    expect(s.errors).toHaveLength(1);
  });

  test('a failure of a child that stays down does not count', () => {
    const s = supervise(
      { a: { restart: 'temporary' }, b: { restart: 'transient' } },
      { intensity: { maxRestarts: 0, windowMs: 10_000 } },
    );
    s.actor.start();
    s.crash('a');
    s.finish('b');
    expect(s.actor.getSnapshot().status).toBe('active');
  });

  test('the failure of a group counts once', () => {
    const s = supervise(
      { a: {}, b: {}, c: {} },
      { strategy: 'one_for_all', intensity: { maxRestarts: 1, windowMs: 10_000 } },
    );
    s.actor.start();
    s.crash('b');
    s.clock.increment(100);
    expect(s.active()).toHaveLength(3);
    s.crash('a');
    expect(s.errors).toHaveLength(1);
  });

  test('a child that does not end keeps the failing supervisor no longer than its limit', () => {
    const s = supervise(
      { a: { stubborn: true, shutdown: 500 }, b: {} },
      { intensity: { maxRestarts: 0, windowMs: 1000 } },
    );
    s.actor.start();
    const a = s.child('a');
    s.crash('b');
    expect(s.actor.getSnapshot().value).toBe('escalating');
    s.clock.increment(500);
    expect(s.errors).toHaveLength(1);
    expect(a.getSnapshot().status).toBe('stopped');
  });

  test('told to end while it gives up, it ends in order', () => {
    const s = supervise(
      { a: { stubborn: true }, b: {} },
      { intensity: { maxRestarts: 0, windowMs: 1000 } },
    );
    s.actor.start();
    s.crash('b');
    s.actor.send({ type: 'shutdown' });
    s.finish('a');
    expect(s.actor.getSnapshot()).toMatchObject({ status: 'done', value: 'stopped' });
  });
});

describe('escalation through two levels', () => {
  const intensity = { maxRestarts: 1, windowMs: 10_000 };

  function tree(rootIntensity = intensity) {
    const life: string[] = [];
    const clock = new SimulatedClock();
    const errors: unknown[] = [];
    const inner = childSpec({
      id: 'inner',
      logic: supervisor,
      input: () => supervisorInput(life, { x: {}, y: {} }, { id: 'inner', intensity }),
      restart: 'permanent',
      shutdown: 'infinity',
    });
    const input = supervisorInput(life, {}, { id: 'root', intensity: rootIntensity });
    const root = createActor(supervisor, {
      clock,
      input: { ...input, children: [worker('first', life), inner] },
    });
    root.subscribe({ error: (error) => errors.push(error) });
    root.start();
    const crash = (id: string) =>
      childOf(childOf(root, 'inner'), id).send({ type: 'crash', message: id });
    return { life, clock, errors, root, crash };
  }

  test('a supervisor that gave up is a failed child: its parent starts it afresh', () => {
    const { life, clock, root, crash, errors } = tree();
    crash('x');
    clock.increment(100);
    crash('x');
    expect(life.slice(4)).toEqual(['shutdown y', 'end y']);
    clock.increment(100);
    expect(life.slice(6)).toEqual(['start x', 'start y']);
    expect(root.getSnapshot().value).toEqual({ running: 'steady' });
    expect(errors).toEqual([]);
  });

  test('the root fails when even that did not help, with the first cause at the end of the chain', () => {
    const { life, clock, crash, errors, root } = tree();
    for (let n = 0; n < 3; n += 1) {
      crash('x');
      clock.increment(100);
    }
    crash('y');
    expect(root.getSnapshot().status).toBe('error');
    expect(life.at(-1)).toBe('end first');
    const [error] = errors;
    expect(error).toMatchObject({
      code: 'restarts_exhausted',
      cause: { code: 'restarts_exhausted', cause: new Error('y') },
    });
  });

  test('shutdown goes down the tree in reverse order', () => {
    const { life, root } = tree();
    root.send({ type: 'shutdown' });
    expect(life.slice(3)).toEqual([
      'shutdown y',
      'end y',
      'shutdown x',
      'end x',
      'shutdown first',
      'end first',
    ]);
    expect(root.getSnapshot().status).toBe('done');
  });
});

describe('a child that fails in its very start', () => {
  const atInitial = setup({}).createMachine({
    context: () => {
      throw new Error('no context');
    },
  });
  const inEntry = setup({
    actions: {
      fail: () => {
        throw new Error('no entry');
      },
    },
  }).createMachine({ entry: 'fail' });
  const inInvoke = setup({
    actors: {
      port: fromCallback(() => {
        throw new Error('no port');
      }),
    },
  }).createMachine({ invoke: { src: 'port' } });
  const inCallback = fromCallback(() => {
    throw new Error('no callback');
  });

  test.each([
    ['in its context', { logic: atInitial }, 'no context'],
    ['in its first entry action', { logic: inEntry }, 'no entry'],
    ['in an invoked actor', { logic: inInvoke }, 'no port'],
    ['in a callback', { logic: inCallback }, 'no callback'],
    [
      'in its input function',
      {
        input: () => {
          throw new Error('no input');
        },
      },
      'no input',
    ],
    ['for want of its name', { systemId: 'taken' }, 'another actor holds the name "taken"'],
  ])('%s is restarted, and given up on in the end', (_, options, message) => {
    const s = supervise(
      { first: { systemId: 'taken' }, a: options },
      { intensity: { maxRestarts: 2, windowMs: 10_000 } },
    );
    s.actor.start();
    expect(s.active()).toEqual(['first']);
    s.clock.increment(100);
    expect(s.errors).toEqual([]);
    s.clock.increment(200);
    const failures = s.emitted.filter((event) => event.type === 'child.failed');
    expect(failures).toHaveLength(3);
    for (const failure of failures) expect(String(failure.error)).toContain(message);
    expect(s.errors).toHaveLength(1);
    expect(s.life).toEqual(['start first', 'shutdown first', 'end first']);
  });

  test('as a promise is restarted once it rejected', async () => {
    const rejecting = fromPromise(() => Promise.reject(new Error('no promise')));
    const s = supervise({ a: { logic: rejecting }, b: {} });
    const failed = new Promise((resolve) => s.actor.on('child.failed', resolve));
    s.actor.start();
    await expect(failed).resolves.toMatchObject({ child: 'a', error: new Error('no promise') });
    s.clock.increment(100);
    expect(s.emitted.at(-1)).toEqual({
      type: 'child.restarted',
      child: 'a',
      attempt: 1,
      delay: 100,
    });
    expect(s.active().toSorted()).toEqual(['a', 'b']);
  });
});

describe('what a crash leaves behind', () => {
  test('actors that the crashed child had started are stopped before it starts again', () => {
    const life: string[] = [];
    const parent = setup({
      actors: { callbackWorker },
      actions: {
        fail: () => {
          throw new Error('crashed');
        },
      },
    }).createMachine({
      invoke: { src: 'callbackWorker', systemId: 'socket', input: { id: 'socket', life } },
      on: { crash: { actions: 'fail' } },
    });
    const s = supervise({ a: { logic: parent } });
    s.actor.start();
    s.crash('a');
    expect(life).toEqual(['start socket', 'dispose socket']);
    s.clock.increment(100);
    expect(life).toEqual(['start socket', 'dispose socket', 'start socket']);
    expect(s.active()).toEqual(['a']);
  });

  test('a child that fails while it is being dropped is reported, and hurts nobody', () => {
    const logic = fromCallback(() => () => {
      throw new Error('cannot clean up');
    });
    const s = supervise({ a: { logic }, b: {} });
    s.actor.start();
    s.actor.send({ type: 'child.terminate', id: 'a' });
    expect(s.emitted.at(-1)).toMatchObject({ type: 'child.failed', child: 'a' });
    expect(s.active()).toEqual(['b']);
    expect(s.actor.getSnapshot().status).toBe('active');
  });

  test('such a child does not hide why the supervisor failed', () => {
    const logic = fromCallback(() => () => {
      throw new Error('cannot clean up');
    });
    const s = supervise({ a: { logic }, b: {} }, { intensity: { maxRestarts: 0, windowMs: 1000 } });
    s.actor.start();
    s.crash('b');
    expect(s.errors).toMatchObject([{ code: 'restarts_exhausted' }]);
  });
});

describe('child specs that cannot be', () => {
  test.each([
    [[worker('a', []), worker('a', [])], '"a" is already a child'],
    [[worker('a', [], { significant: true })], '"a" is permanent and cannot be significant'],
    [
      [worker('a', [], { significant: true, restart: 'transient' })],
      'this supervisor has autoShutdown "never"',
    ],
  ])('%#: the supervisor fails at once and starts nobody', (children, problem) => {
    const errors: unknown[] = [];
    const actor = createActor(supervisor, { input: { ...supervisorInput([], {}), children } });
    actor.subscribe({ error: (error) => errors.push(error) });
    actor.start();
    expect(String(errors[0])).toContain(problem);
    expect(actor.getSnapshot().status).toBe('error');
  });
});
