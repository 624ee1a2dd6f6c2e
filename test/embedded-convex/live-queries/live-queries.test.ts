import { expect, test, vi } from 'vitest';
import { anonymous } from '../../../src/embedded-convex/authentication.ts';
import { LiveQueries } from '../../../src/embedded-convex/live-queries/live-queries.ts';
import type { Subscription } from '../../../src/embedded-convex/live-queries/subscription.ts';
import { QuerySet } from '../../../src/embedded-convex/sync/query-set.ts';
import { scriptedExecutor, turn } from '../support/scripted-executor.ts';

test('equal queries share one run, whoever asks', async () => {
  const { executor, live, subscribe } = start();
  const all = [subscribe('a', 'ann'), subscribe('a', 'bob'), subscribe('a', null)];
  const refreshed = live.refresh(all);
  await executor.answer();
  await refreshed;
  expect(all.map(value)).toEqual(['a@0', 'a@0', 'a@0']);
  expect(executor.batches).toEqual([['a']]);
  expect(live.size).toBe(1);
});

test('a run that asks who is calling belongs to its caller alone', async () => {
  const { executor, live, subscribe } = start();
  executor.observing.add('a');
  const ann = subscribe('a', 'ann');
  const bob = subscribe('a', 'bob');
  const refreshed = live.refresh([ann, bob]);
  await executor.answer();
  await refreshed;
  expect(value(ann)).toBe('a@0 for ann');
  expect(bob.run).toBeNull();
  const again = live.refresh([bob]);
  await executor.answer();
  await again;
  expect(value(bob)).toBe('a@0 for bob');
  // Another of ann's connections finds what she has, and bob's changes nothing of it.
  expect(value(subscribe('a', 'ann'))).toBe('a@0 for ann');
});

test('when identity begins to matter, those who shared a result are told', async () => {
  const { executor, live, subscribe } = start();
  const onStale = vi.fn<() => void>();
  const ann = subscribe('a', 'ann');
  const bob = subscribe('a', 'bob', onStale);
  const first = live.refresh([ann, bob]);
  await executor.answer();
  await first;
  executor.commit('a');
  executor.observing.add('a');
  onStale.mockClear();
  const second = live.refresh([ann]);
  await executor.answer();
  await second;
  expect(onStale).toHaveBeenCalled();
  expect(bob.isStale).toBe(true);
  expect(bob.run).toBeNull();
});

test('a commit makes exactly those stale that read what it changed', async () => {
  const { executor, live, subscribe } = start();
  const staleA = vi.fn<() => void>();
  const staleB = vi.fn<() => void>();
  const a = subscribe('a', null, staleA);
  const b = subscribe('b', null, staleB);
  const refreshed = live.refresh([a, b]);
  await executor.answer();
  await refreshed;
  executor.commit('b');
  executor.commit('b');
  expect([a.isStale, b.isStale]).toEqual([false, true]);
  expect(staleA).not.toHaveBeenCalled();
  expect(staleB).toHaveBeenCalledTimes(1);
});

test('a result that a commit has overtaken on the way is known to be stale', async () => {
  const { executor, live, subscribe } = start();
  const a = subscribe('a');
  const refreshed = live.refresh([a]);
  await executor.answer({ overtakenBy: 'a' });
  await refreshed;
  expect(a.run?.ts).toBe(100n);
  expect(a.isStale).toBe(true);
  expect(a.validAt(100n)).toBe(true);
  expect(a.validAt(101n)).toBe(false);
});

test('what nobody is subscribed to any more is forgotten, also when its result is on the way', async () => {
  const { executor, live, subscribe } = start();
  const a = subscribe('a');
  const b = subscribe('b');
  const refreshed = live.refresh([a, b]);
  await turn();
  live.unsubscribe(a);
  await executor.answer();
  await refreshed;
  live.unsubscribe(b);
  expect(live.size).toBe(0);
  executor.commit('a', 'b');
  expect(executor.batches).toHaveLength(1);
});

test('a run goes on with the journal of the last one; a newcomer starts without', async () => {
  const { executor, live, subscribe } = start();
  executor.journals.set('a', 'page ends here');
  const a = subscribe('a');
  const first = live.refresh([a]);
  await executor.answer();
  await first;
  live.followJournal(a);
  expect(a.query.request.journal).toBe('page ends here');
  expect(value(a)).toBe('a@0');
  expect(subscribe('a').query.request.journal).toBeNull();
  executor.commit('a');
  expect(a.isStale).toBe(true);
});

test('a page that its caller alone may see is not left to others with its journal', async () => {
  const { executor, live, subscribe } = start();
  executor.journals.set('a', 'end');
  executor.observing.add('a');
  const others = live.subscribe(
    { path: 'a', args: '[{}]', journal: 'end', identity: { tokenIdentifier: 'bob' } },
    () => undefined,
  );
  const ann = subscribe('a', 'ann');
  const refreshed = live.refresh([ann]);
  await executor.answer();
  await refreshed;
  live.followJournal(ann);
  expect(value(ann)).toBe('a@0 for ann');
  expect(others.run).toBeNull();
});

test('a long batch does not take up those who come after it', async () => {
  const { executor, live, subscribe } = start();
  const many = Array.from({ length: 100 }, (_, number) => subscribe(`many ${number}`));
  const few = subscribe('few');
  const refreshed = [live.refresh(many), live.refresh([few])];
  await turn();
  expect(executor.batches.map(({ length }) => length)).toEqual([100, 1]);
  await executor.answer();
  await executor.answer();
  await Promise.all(refreshed);
});

test('a failure of the executor reaches everybody who waits, and the next try is a new one', async () => {
  const executor = scriptedExecutor();
  const broken = vi.spyOn(executor, 'queries').mockRejectedValueOnce(new Error('engine gone'));
  const live = new LiveQueries(executor);
  const a = live.subscribe(request('a', null), () => undefined);
  const both = await Promise.allSettled([live.refresh([a]), live.refresh([a])]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  broken.mockRestore();
  const again = live.refresh([a]);
  await executor.answer();
  await again;
  expect(value(a)).toBe('a@0');
});

test('the queries of one connection are brought to one snapshot, whatever commits come between', async () => {
  const { executor, live } = start();
  const queries = new QuerySet(live, () => undefined);
  queries.apply([added(0, 'a'), added(1, 'b'), added(2, 'c')], anonymous);
  const first = queries.advance(live.ts);
  await executor.answer();
  expect((await first).modifications).toHaveLength(3);
  executor.commit('a');
  const advancing = queries.advance(live.ts);
  await turn();
  expect(executor.waiting).toEqual([['a']]);
  // While `a` waits for its run, `b` changes: at the snapshot of the run, what was sent of `b`
  // is not true any more, so both run again, together. Then the same happens with `c`.
  executor.commit('b');
  await executor.answer();
  expect(executor.waiting).toEqual([['a', 'b']]);
  executor.commit('c');
  await executor.answer();
  expect(executor.waiting).toEqual([['a', 'b', 'c']]);
  await executor.answer();
  const { ts, modifications } = await advancing;
  expect(ts).toBe(103n);
  expect(modifications.map((text) => JSON.parse(text).value)).toEqual(['a@101', 'b@102', 'c@103']);
});

test('a commit after the snapshot of a run does not hold the transition up, but calls for the next', async () => {
  const { executor, live } = start();
  const onStale = vi.fn<() => void>();
  const queries = new QuerySet(live, onStale);
  queries.apply([added(0, 'a'), added(1, 'b')], anonymous);
  const first = queries.advance(live.ts);
  await executor.answer();
  await first;
  executor.commit('a');
  const advancing = queries.advance(live.ts);
  await turn();
  onStale.mockClear();
  await executor.answer({ overtakenBy: 'b' });
  const { ts, modifications } = await advancing;
  expect(ts).toBe(101n);
  expect(modifications.map((text) => JSON.parse(text).value)).toEqual(['a@101']);
  expect(onStale).toHaveBeenCalled();
  const next = queries.advance(live.ts);
  await executor.answer();
  expect((await next).modifications.map((text) => JSON.parse(text).value)).toEqual(['b@102']);
});

test('a change that another connection has had run already is not run again, but sent', async () => {
  const { executor, live, subscribe } = start();
  const queries = new QuerySet(live, () => undefined);
  queries.apply([added(0, 'a')], anonymous);
  const first = queries.advance(live.ts);
  await executor.answer();
  await first;
  executor.commit('a');
  const other = live.refresh([subscribe('a')]);
  await executor.answer();
  await other;
  const { modifications } = await queries.advance(live.ts);
  expect(modifications.map((text) => JSON.parse(text).value)).toEqual(['a@101']);
  expect(executor.batches).toHaveLength(2);
});

test('a commit that nobody heard of makes everything stale as soon as it shows', async () => {
  const { executor, live, subscribe } = start();
  const a = subscribe('a');
  const b = subscribe('b');
  const first = live.refresh([a, b]);
  await executor.answer();
  await first;
  executor.commitInSilence('a', 'b');
  expect([a.isStale, b.isStale]).toEqual([false, false]);
  const other = live.refresh([subscribe('c')]);
  await executor.answer();
  await other;
  expect([a.isStale, b.isStale]).toEqual([true, true]);
  expect(live.changedSince([], 100n, 101n)).toBe(true);
  const again = live.refresh([a, b]);
  await executor.answer();
  await again;
  expect([a, b].map(value)).toEqual(['a@101', 'b@101']);
});

function start() {
  const executor = scriptedExecutor();
  const live = new LiveQueries(executor);
  const subscribe = (path: string, user: string | null = null, onStale = () => {}) =>
    live.subscribe(request(path, user), onStale);
  return { executor, live, subscribe };
}

function request(path: string, user: string | null) {
  const identity = user === null ? null : { tokenIdentifier: user };
  return { path, args: '[{}]', journal: null, identity, allowInternal: false };
}

function added(queryId: number, path: string) {
  return { type: 'Add' as const, queryId, path, args: '[{}]', journal: null, componentPath: '' };
}

function value({ run }: Subscription): unknown {
  return run?.result.outcome.ok === true ? JSON.parse(run.result.outcome.value) : undefined;
}
