import { describe, expect, test } from 'vitest';
import { append, emptyQueue, takeNext, type WriteQueue } from '../../src/machines/write-queue.ts';
import { fileJob } from '../support/writing.ts';

/** `a1!` is a live job of thread a, `a1` one of its history. */
function queueOf(...names: string[]): WriteQueue {
  return names.reduce(
    (queue, name) =>
      append(queue, {
        from: 'sessions',
        job: fileJob(name, name.charAt(0), {
          priority: name.endsWith('!') ? 'live' : 'history',
          bytes: 10,
        }),
      }),
    emptyQueue,
  );
}

function taken(queue: WriteQueue, busy = '', historyToo = true): string[] {
  const order: string[] = [];
  const openings = {
    laneOf: ({ job }: { job: { thread: { resumeId?: string } } }) => job.thread.resumeId ?? '',
    busyLanes: new Set(busy),
    historyToo,
  };
  for (let next = takeNext(queue, openings); next; next = takeNext(queue, openings)) {
    order.push(next.entry.job.id);
    queue = next.queue;
  }
  return order;
}

describe('what goes next', () => {
  test.each([
    ['in order of arrival', ['a1', 'b1', 'a2'], ['a1', 'b1', 'a2']],
    ['live before history', ['a1', 'b1!', 'c1!'], ['b1!', 'c1!', 'a1']],
    [
      'live work takes the older history of its thread along',
      ['b1', 'a1', 'a2!'],
      ['a1', 'a2!', 'b1'],
    ],
    ['a thread never overtakes itself', ['a1!', 'a2', 'a3!'], ['a1!', 'a2', 'a3!']],
  ])('%s', (_title, arrived, order) => {
    expect(taken(queueOf(...arrived))).toEqual(order);
  });

  test('nothing of a busy thread, however live', () => {
    expect(taken(queueOf('a1!', 'b1', 'a2!'), 'a')).toEqual(['b1']);
  });

  test('no history when that has to wait, but what live work stands behind', () => {
    expect(taken(queueOf('a1', 'b1', 'b2!', 'c1!'), '', false)).toEqual(['b1', 'b2!', 'c1!']);
  });

  test('nothing from an empty queue', () => {
    expect(taken(emptyQueue)).toEqual([]);
  });
});

test('the bytes that wait are counted', () => {
  const queue = queueOf('a1', 'b1');
  expect(queue.bytes).toBe(20);
  const next = takeNext(queue, { laneOf: () => 'x', busyLanes: new Set(), historyToo: true });
  expect(next?.queue.bytes).toBe(10);
});
