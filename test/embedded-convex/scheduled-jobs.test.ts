import { expect, test } from 'vitest';
import {
  findJob,
  finishJob,
  insertJob,
  jobsToRun,
  markInProgress,
  pruneJobs,
} from '../../src/embedded-convex/scheduled-jobs.ts';
import type { JobsToRun } from '../../src/embedded-convex/scheduled-jobs.ts';
import type { Store } from '../../src/embedded-convex/store.ts';
import { memoryStore, read, write } from './support/memory-store.ts';

const week = 7 * 24 * 60 * 60 * 1000;

function insert(store: Store, scheduledTime: number): string {
  return write(store, (transaction) =>
    insertJob(transaction, { name: 'f.js:x', args: {}, scheduledTime, isCanceled: false }),
  );
}

function toRun(store: Store, limit: number): JobsToRun {
  const transaction = store.begin({ readOnly: true, isSystem: true });
  try {
    return jobsToRun(transaction, limit);
  } finally {
    transaction.close();
  }
}

function prune(store: Store): boolean {
  const transaction = store.begin({ isSystem: true });
  try {
    const isMore = pruneJobs(transaction);
    transaction.commit();
    return isMore;
  } finally {
    transaction.close();
  }
}

test('due jobs come in the order of their times, and then of their creation', () => {
  using memory = memoryStore({ now: () => 1000 });
  const { store } = memory;
  const ids = [900, 1001, 500, 900, 5000].map((time) => insert(store, time));
  expect(toRun(store, 8)).toEqual({ ids: [ids[2], ids[0], ids[3]], nextTime: 1001 });
  expect(toRun(store, 2).ids).toEqual([ids[2], ids[0]]);
});

test('jobs in progress are named too, ended ones are not', () => {
  using memory = memoryStore({ now: () => 1000 });
  const { store } = memory;
  const [started = '', ended = ''] = [1, 2].map((time) => insert(store, time));
  write(store, (transaction) => markInProgress(transaction, started));
  write(store, (transaction) => finishJob(transaction, ended, { kind: 'success' }));
  expect(toRun(store, 8)).toEqual({ ids: [started], nextTime: 1000 + week });
});

test('a job that has ended stays as it ended', () => {
  using memory = memoryStore({ now: () => 1000 });
  const { store } = memory;
  const id = insert(store, 1);
  write(store, (transaction) => finishJob(transaction, id, { kind: 'canceled' }));
  write(store, (transaction) => finishJob(transaction, id, { kind: 'success' }));
  write(store, (transaction) => markInProgress(transaction, id));
  expect(read(store, (transaction) => findJob(transaction, id))?.state).toEqual({
    kind: 'canceled',
  });
});

test('ended jobs are forgotten after a week, waiting ones never', () => {
  let now = 1000;
  using memory = memoryStore({ now: () => now });
  const { store } = memory;
  const waiting = insert(store, 10 * week);
  const ids = Array.from({ length: 100 }, () => insert(store, 0));
  write(store, (transaction) => {
    for (const id of ids) finishJob(transaction, id, { kind: 'success' });
  });
  now = 999 + week;
  expect(prune(store)).toBe(false);
  expect(toRun(store, 8).nextTime).toBe(1000 + week);
  now = 1000 + week;
  let rounds = 1;
  while (prune(store)) rounds += 1;
  expect(rounds).toBe(2);
  const left = [waiting, ...ids].filter(
    (id) => read(store, (transaction) => findJob(transaction, id)) !== null,
  );
  expect(left).toEqual([waiting]);
  expect(toRun(store, 8)).toEqual({ ids: [], nextTime: 10 * week });
});

test('a new database has the table, and does not show it among those of functions', () => {
  using memory = memoryStore();
  expect(toRun(memory.store, 1)).toEqual({ ids: [], nextTime: null });
  expect(memory.store.tableCounts()).toEqual({});
});
