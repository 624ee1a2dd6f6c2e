import { createActor, setup } from 'xstate';
import { describe, expect, test } from 'vitest';
import type { ShutdownEvent } from '../../src/machines/protocol.ts';
import { supervisor } from '../../src/machines/supervisor.ts';
import { callbackWorker, supervise, supervisorInput, worker } from '../support/supervision.ts';

const shutdown: ShutdownEvent = { type: 'shutdown' };

describe('shutdown', () => {
  test('stops children in reverse order, the next only when the one before has ended', () => {
    const s = supervise({ a: {}, b: { stubborn: true }, c: {} });
    s.actor.start();
    s.actor.send(shutdown);
    expect(s.life.slice(3)).toEqual(['shutdown c', 'end c', 'shutdown b']);
    expect(s.actor.getSnapshot().value).toBe('stopping');
    s.clock.increment(999);
    expect(s.active()).toEqual(['a', 'b']);
    s.finish('b');
    expect(s.life.slice(6)).toEqual(['end b', 'shutdown a', 'end a']);
    expect(s.actor.getSnapshot()).toMatchObject({ status: 'done', value: 'stopped' });
    expect(Object.keys(s.actor.getSnapshot().children)).toEqual([]);
  });

  test('drops a child that does not end within its limit', () => {
    const s = supervise({ a: {}, b: { stubborn: true, shutdown: 300 } });
    s.actor.start();
    const b = s.child('b');
    s.actor.send(shutdown);
    s.clock.increment(300);
    expect(b.getSnapshot().status).toBe('stopped');
    expect(s.life).toEqual(['start a', 'start b', 'shutdown b', 'shutdown a', 'end a']);
    expect(s.actor.getSnapshot().status).toBe('done');
  });

  test('waits for ever for a child whose limit is "infinity"', () => {
    const s = supervise({ a: { stubborn: true, shutdown: 'infinity' } });
    s.actor.start();
    s.actor.send(shutdown);
    s.clock.increment(1e9);
    expect(s.actor.getSnapshot().value).toBe('stopping');
    s.finish('a');
    expect(s.actor.getSnapshot().status).toBe('done');
  });

  test('asks neither a child to be killed nor one without states', () => {
    const life: string[] = [];
    const s = supervise({
      a: { logic: callbackWorker, input: { id: 'a', life } },
      b: { shutdown: 'brutal_kill' },
    });
    s.actor.start();
    s.actor.send(shutdown);
    expect(s.life).toEqual(['start b']);
    expect(life).toEqual(['start a', 'dispose a']);
    expect(s.actor.getSnapshot().status).toBe('done');
  });

  test('goes on with the next when a child fails while it ends', () => {
    const s = supervise({ a: {}, b: { stubborn: true } });
    s.actor.start();
    s.actor.send(shutdown);
    s.crash('b', 'while ending');
    expect(s.emitted.find((event) => event.type === 'child.stopped')).toEqual({
      type: 'child.stopped',
      child: 'b',
      error: new Error('while ending'),
    });
    expect(s.actor.getSnapshot().status).toBe('done');
  });

  test('during a backoff starts nobody any more', () => {
    const s = supervise({ a: {}, b: {} });
    s.actor.start();
    s.crash('b');
    s.actor.send(shutdown);
    s.clock.increment(10_000);
    expect(s.life).toEqual(['start a', 'start b', 'shutdown a', 'end a']);
    expect(s.actor.getSnapshot().status).toBe('done');
  });

  test.each(['rest_for_one', 'one_for_all'] as const)('during a %s restart ends it', (strategy) => {
    const s = supervise({ a: {}, b: {}, c: { stubborn: true } }, { strategy });
    s.actor.start();
    s.crash('a');
    expect(s.actor.getSnapshot().value).toEqual({ running: 'regrouping' });
    s.actor.send(shutdown);
    s.finish('c');
    expect(s.life.slice(3)).toEqual(['shutdown c', 'end c', 'shutdown b', 'end b']);
    s.clock.increment(10_000);
    expect(s.actor.getSnapshot().status).toBe('done');
  });

  test('without children is immediate', () => {
    const s = supervise({});
    s.actor.start();
    s.actor.send(shutdown);
    expect(s.actor.getSnapshot().status).toBe('done');
  });
});

describe('significant children', () => {
  const both = { restart: 'transient', significant: true } as const;

  test('any_significant: the end of one ends the supervisor, without an error', () => {
    const s = supervise({ a: both, b: both, c: {} }, { autoShutdown: 'any_significant' });
    s.actor.start();
    s.finish('a');
    expect(s.life.slice(3)).toEqual(['end a', 'shutdown c', 'end c', 'shutdown b', 'end b']);
    expect(s.actor.getSnapshot().status).toBe('done');
    expect(s.errors).toEqual([]);
  });

  test('all_significant: only the end of the last one does', () => {
    const s = supervise({ a: both, b: both, c: {} }, { autoShutdown: 'all_significant' });
    s.actor.start();
    s.finish('a');
    expect(s.actor.getSnapshot().status).toBe('active');
    s.finish('b');
    expect(s.actor.getSnapshot().status).toBe('done');
  });

  test('one that is started again does not end it', () => {
    const s = supervise({ a: both }, { autoShutdown: 'any_significant' });
    s.actor.start();
    s.crash('a');
    s.clock.increment(100);
    expect(s.active()).toEqual(['a']);
  });

  test('a temporary one ends it with an error as well', () => {
    const s = supervise(
      { a: { restart: 'temporary', significant: true }, b: {} },
      { autoShutdown: 'any_significant' },
    );
    s.actor.start();
    s.crash('a');
    expect(s.actor.getSnapshot().status).toBe('done');
  });

  test('one that is terminated, or stopped with its group, does not end it', () => {
    const s = supervise(
      { a: {}, b: both, c: both },
      { autoShutdown: 'any_significant', strategy: 'one_for_all' },
    );
    s.actor.start();
    s.actor.send({ type: 'child.terminate', id: 'c' });
    s.crash('a');
    s.clock.increment(100);
    expect(s.active()).toEqual(['a', 'b']);
  });
});

describe('dynamic children', () => {
  test('are started, supervised like the others, and stopped first', () => {
    const s = supervise({ a: {} });
    s.actor.start();
    s.actor.send({ type: 'child.start', spec: worker('b', s.life) });
    s.crash('b');
    s.clock.increment(100);
    s.actor.send(shutdown);
    expect(s.life.slice(0, 3)).toEqual(['start a', 'start b', 'start b']);
    expect(s.life.slice(3)).toEqual(['shutdown b', 'end b', 'shutdown a', 'end a']);
  });

  test('that are terminated end in order, are forgotten and not restarted', () => {
    const s = supervise({ a: {}, b: { stubborn: true } });
    s.actor.start();
    s.actor.send({ type: 'child.terminate', id: 'a' });
    s.actor.send({ type: 'child.terminate', id: 'b' });
    s.actor.send({ type: 'child.terminate', id: 'b' });
    expect(s.life.slice(2)).toEqual(['shutdown a', 'end a', 'shutdown b']);
    s.clock.increment(1000);
    expect(s.actor.getSnapshot().context.children).toEqual([]);
    expect(Object.keys(s.actor.getSnapshot().children)).toEqual([]);
    s.actor.send({ type: 'child.start', spec: worker('a', s.life) });
    expect(s.active()).toEqual(['a']);
  });

  test('that are terminated while they wait for a restart stay down', () => {
    const s = supervise({ a: {} });
    s.actor.start();
    s.crash('a');
    s.actor.send({ type: 'child.terminate', id: 'a' });
    s.clock.increment(10_000);
    expect(s.life).toEqual(['start a']);
  });

  test('that are terminated while their group stops are not started with it', () => {
    const s = supervise({ a: {}, b: {}, c: { stubborn: true } }, { strategy: 'one_for_all' });
    s.actor.start();
    s.crash('a');
    for (const id of ['a', 'b', 'c']) s.actor.send({ type: 'child.terminate', id });
    s.finish('c');
    s.clock.increment(100);
    expect(s.life.slice(3)).toEqual(['shutdown c', 'end c', 'shutdown b', 'end b']);
    expect(s.actor.getSnapshot().context.children).toEqual([]);
  });

  test('that come while a group is down start with it', () => {
    const s = supervise({ a: {}, b: {} }, { strategy: 'rest_for_one' });
    s.actor.start();
    s.crash('b');
    s.actor.send({ type: 'child.start', spec: worker('c', s.life) });
    expect(s.active()).toEqual(['a']);
    s.clock.increment(100);
    expect(s.life).toEqual(['start a', 'start b', 'start b', 'start c']);
  });

  test('many temporary ones that ended leave nothing behind', () => {
    const s = supervise({});
    s.actor.start();
    for (let n = 0; n < 1000; n += 1) {
      const id = `run${n}`;
      s.actor.send({ type: 'child.start', spec: worker(id, [], { restart: 'temporary' }) });
      if (n % 2 === 0) s.finish(id);
      else s.crash(id);
    }
    expect(s.actor.getSnapshot().context.children).toEqual([]);
    expect(s.actor.getSnapshot().children).toEqual({});
    expect(s.actor.getSnapshot().context.recent).toEqual([]);
  });

  test('with the name of another one, or an unknown one, are refused with a reason', () => {
    const s = supervise({ a: {} });
    s.actor.start();
    s.actor.send({ type: 'child.start', spec: worker('a', s.life) });
    s.actor.send({ type: 'child.terminate', id: 'z' });
    const refusals = s.emitted.filter((event) => event.type === 'child.refused');
    expect(refusals.map((refusal) => refusal.error.message)).toEqual([
      expect.stringContaining('"a" is already a child'),
      expect.stringContaining('"z" is no child'),
    ]);
    expect(s.life).toEqual(['start a']);
  });

  test('are refused while the supervisor ends', () => {
    const s = supervise({ a: { stubborn: true } });
    s.actor.start();
    s.actor.send(shutdown);
    s.actor.send({ type: 'child.start', spec: worker('b', s.life) });
    expect(s.emitted.at(-1)).toMatchObject({ type: 'child.refused', error: { code: 'shutdown' } });
  });
});

describe('notify', () => {
  test('a listener gets every deed as a broadcast, and may be one of the children', () => {
    const frames: unknown[] = [];
    const listener = setup({
      types: { events: {} as { type: 'broadcast'; frame: unknown } | ShutdownEvent },
      actions: { keep: (_, params: { frame: unknown }) => frames.push(params.frame) },
    }).createMachine({
      initial: 'on',
      states: {
        on: {
          on: {
            broadcast: {
              actions: { type: 'keep', params: ({ event }) => ({ frame: event.frame }) },
            },
            shutdown: 'off',
          },
        },
        off: { type: 'final' },
      },
    });
    const s = supervise(
      { a: {}, gateway: { logic: listener, systemId: 'gateway' } },
      { notify: 'gateway' },
    );
    s.actor.start();
    s.crash('a', 'broken');
    s.clock.increment(100);
    const frame = { type: 'bridge.supervisor', supervisor: 'test' };
    expect(frames).toEqual([
      { ...frame, event: 'child.started', child: 'a' },
      { ...frame, event: 'child.started', child: 'gateway' },
      { ...frame, event: 'child.failed', child: 'a', error: 'broken' },
      { ...frame, event: 'child.restarted', child: 'a', attempt: 1, delay: 100 },
    ]);
    s.actor.send(shutdown);
    expect(s.actor.getSnapshot().status).toBe('done');
  });
});

test('a supervisor that was stopped by its parent takes its children along', () => {
  const life: string[] = [];
  const actor = createActor(supervisor, { input: supervisorInput(life, { a: {} }) });
  actor.start();
  const a = actor.getSnapshot().children['a'];
  actor.stop();
  expect(a?.getSnapshot().status).toBe('stopped');
});
