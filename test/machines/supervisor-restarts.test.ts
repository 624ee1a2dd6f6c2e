import { describe, expect, test } from 'vitest';
import { supervise, type Supervision } from '../support/supervision.ts';

/** Each exit that a child can take by itself, or be made to take by someone else than its supervisor. */
const exits = {
  finish: (s: Supervision, id: string) => s.finish(id),
  crash: (s: Supervision, id: string) => s.crash(id),
  'shut down by a third party': (s: Supervision, id: string) =>
    s.child(id).send({ type: 'shutdown' }),
};

describe('every strategy with every restart type and every exit', () => {
  const restarted = {
    one_for_one: ['start b'],
    rest_for_one: ['shutdown c', 'end c', 'start b', 'start c'],
    one_for_all: ['shutdown c', 'end c', 'shutdown a', 'end a', 'start a', 'start b', 'start c'],
  };
  const isRestarted = {
    permanent: { finish: true, crash: true, 'shut down by a third party': true },
    transient: { finish: false, crash: true, 'shut down by a third party': false },
    temporary: { finish: false, crash: false, 'shut down by a third party': false },
  };
  const strategies = ['one_for_one', 'rest_for_one', 'one_for_all'] as const;
  const restarts = ['permanent', 'transient', 'temporary'] as const;
  const ways = ['finish', 'crash', 'shut down by a third party'] as const;
  const cases = strategies.flatMap((strategy) =>
    restarts.flatMap((restart) => ways.map((way) => ({ strategy, restart, way }))),
  );

  test.each(cases)('$strategy, $restart, $way', ({ strategy, restart, way }) => {
    const s = supervise({ a: {}, b: { restart }, c: {} }, { strategy });
    s.actor.start();
    const before = s.child('b');
    exits[way](s, 'b');
    s.clock.increment(100);
    const own = {
      finish: ['end b'],
      crash: [],
      'shut down by a third party': ['shutdown b', 'end b'],
    };
    const expected = isRestarted[restart][way] ? restarted[strategy] : [];
    expect(s.life.slice(3)).toEqual([...own[way], ...expected]);
    expect(s.active().toSorted()).toEqual(isRestarted[restart][way] ? ['a', 'b', 'c'] : ['a', 'c']);
    expect(before.getSnapshot().status).not.toBe('active');
    expect(s.actor.getSnapshot().value).toEqual({ running: 'steady' });
    expect(s.errors).toEqual([]);
  });
});

describe('a restart', () => {
  test('waits longer each time, and starts at the beginning when the window is over', () => {
    const s = supervise({ a: {} }, { intensity: { maxRestarts: 3, windowMs: 10_000 } });
    s.actor.start();
    for (const delay of [100, 200, 400]) {
      s.crash('a');
      s.clock.increment(delay - 1);
      expect(s.active()).toEqual([]);
      s.clock.increment(1);
      expect(s.active()).toEqual(['a']);
    }
    s.clock.increment(10_000);
    s.crash('a');
    s.clock.increment(100);
    expect(s.active()).toEqual(['a']);
    expect(s.emitted.filter((event) => event.type === 'child.restarted')).toEqual([
      { type: 'child.restarted', child: 'a', attempt: 1, delay: 100 },
      { type: 'child.restarted', child: 'a', attempt: 2, delay: 200 },
      { type: 'child.restarted', child: 'a', attempt: 3, delay: 400 },
      { type: 'child.restarted', child: 'a', attempt: 1, delay: 100 },
    ]);
  });

  test('of one child does not wait for that of another', () => {
    const s = supervise({ a: {}, b: {} });
    s.actor.start();
    s.crash('a');
    s.clock.increment(100);
    s.crash('a');
    s.clock.increment(50);
    s.crash('b');
    s.clock.increment(100);
    expect(s.active()).toEqual(['b']);
    s.clock.increment(50);
    expect(s.active().toSorted()).toEqual(['a', 'b']);
  });

  test('of a group takes along a sibling that fails while the group is down', () => {
    const s = supervise({ a: {}, b: {}, c: {} }, { strategy: 'rest_for_one' });
    s.actor.start();
    s.crash('b');
    expect(s.active()).toEqual(['a']);
    s.crash('a');
    s.clock.increment(100);
    expect(s.life.slice(3)).toEqual(['shutdown c', 'end c', 'start a', 'start b', 'start c']);
    expect(
      s.emitted.filter((event) => event.type === 'child.restarted').map((e) => e.child),
    ).toEqual(['a', 'b']);
  });

  test('of a group forgets the temporary siblings that it stopped', () => {
    const s = supervise({ a: {}, b: { restart: 'temporary' }, c: {} }, { strategy: 'one_for_all' });
    s.actor.start();
    s.crash('a');
    s.clock.increment(100);
    expect(s.active()).toEqual(['a', 'c']);
    expect(s.emitted.filter((event) => event.child === 'b').map((e) => e.type)).toEqual([
      'child.started',
      'child.stopped',
    ]);
  });

  test('of a group starts a transient sibling again that had ended, as OTP does', () => {
    const s = supervise({ a: {}, b: { restart: 'transient' } }, { strategy: 'one_for_all' });
    s.actor.start();
    s.finish('b');
    s.crash('a');
    s.clock.increment(100);
    expect(s.active()).toEqual(['a', 'b']);
  });

  test('of a group drops a sibling that does not end within its limit', () => {
    const s = supervise(
      { a: {}, b: { stubborn: true, shutdown: 700 } },
      { strategy: 'one_for_all' },
    );
    s.actor.start();
    s.crash('a');
    expect(s.actor.getSnapshot().value).toEqual({ running: 'regrouping' });
    s.clock.increment(700);
    expect(s.actor.getSnapshot().value).toEqual({ running: 'backingOff' });
    s.clock.increment(100);
    expect(s.active()).toEqual(['a', 'b']);
    const stopped = s.emitted.find((event) => event.type === 'child.stopped');
    expect(String(stopped?.error)).toContain('"b" did not end within 700 ms and was dropped');
  });

  test('calls the input function at each start', () => {
    let starts = 0;
    const life: string[] = [];
    const s = supervise({ a: { input: () => ({ id: `a${(starts += 1)}`, life }) } });
    s.actor.start();
    s.crash('a');
    s.clock.increment(100);
    expect(life).toEqual(['start a1', 'start a2']);
  });

  test('a thousand times leaves nothing behind', () => {
    const s = supervise(
      { a: { systemId: 'writer' }, b: {}, c: { restart: 'transient' } },
      {
        intensity: { maxRestarts: 1000, windowMs: 1000 },
        backoff: { minMs: 1, maxMs: 1, factor: 1 },
      },
    );
    s.actor.start();
    for (let n = 0; n < 1000; n += 1) {
      s.crash('a');
      s.clock.increment(10);
    }
    s.clock.increment(1000);
    const snapshot = s.actor.getSnapshot();
    expect(s.life.length).toBe(1003);
    expect(Object.keys(snapshot.children)).toHaveLength(3);
    expect(snapshot.context.recent).toEqual([]);
    expect(Object.keys(s.actor.system.getSnapshot()._scheduledEvents)).toEqual([]);
    expect(s.actor.system.get('writer')).toBe(s.child('a'));
  });
});
