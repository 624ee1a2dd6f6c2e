import { expect, test } from 'vitest';
import { ReadQueue } from '../../../src/actors/sessions/read-queue.ts';

/** Everything that is due now, in order. */
function take(queue: ReadQueue): string[] {
  const taken: string[] = [];
  for (let next = queue.next(); next !== null; next = queue.next()) taken.push(next.path);
  return taken;
}
const paths = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, n) => `${prefix}${n}`);

test('what changed just now comes before history, and of history the last added first', () => {
  const queue = new ReadQueue();
  queue.addHistory(['old', 'older'].reverse());
  queue.addLive('live');
  expect(queue.next()).toEqual({ path: 'live', live: true });
  expect(queue.next()).toEqual({ path: 'old', live: false });
  expect(queue.next()).toEqual({ path: 'older', live: false });
  expect(queue.next()).toBeNull();
});

test('neither history nor a flood of changed files takes the place of a followed one', () => {
  const queue = new ReadQueue();
  queue.addLive('followed');
  queue.next();
  queue.follow('followed', 1);
  queue.addHistory(paths('h', 50));
  for (const path of paths('l', 50)) queue.addLive(path);
  const taken = take(queue);
  expect(taken.filter((path) => path.startsWith('h'))).toHaveLength(3);
  expect(taken.filter((path) => path.startsWith('l'))).toHaveLength(6);
  expect(queue.reading).toBe(9);
  queue.addLive('followed');
  expect(queue.next()).toEqual({ path: 'followed', live: true });
});

test('a file is in one place at a time', () => {
  const queue = new ReadQueue();
  queue.addHistory(['a']);
  queue.addLive('a');
  queue.addHistory(['a']);
  expect(take(queue)).toEqual(['a']);
  queue.addLive('a');
  queue.addHistory(['a']);
  expect(queue.next()).toBeNull();
  queue.drop('a');
  queue.addLive('a');
  expect(take(queue)).toEqual(['a']);
});

test('what is held is left alone until it is released', () => {
  const queue = new ReadQueue();
  queue.addLive('a');
  queue.next();
  queue.hold('a');
  queue.addLive('a');
  queue.addHistory(['a']);
  expect(queue.next()).toBeNull();
  expect(queue).toMatchObject({ reading: 0, tailing: 1 });
  queue.unhold('a');
  queue.addLive('a');
  expect(queue.next()?.path).toBe('a');
});

test('of too many followed files the one that was read longest ago goes, and is not forgotten', () => {
  const queue = new ReadQueue();
  const retired: string[] = [];
  for (const path of paths('f', 130)) {
    queue.addLive(path);
    queue.next();
    retired.push(...queue.follow(path, 1));
  }
  expect(retired).toEqual(['f0', 'f1']);
  expect(queue.tailing).toBe(128);
  queue.addLive('f2');
  queue.drop('f2');
  expect(queue.next()?.path).toBe('f2');
});

test('of followed files that are too large together those that were read longest ago go', () => {
  const queue = new ReadQueue();
  const read = (path: string, megabytes: number) => {
    queue.addLive(path);
    queue.next();
    return queue.follow(path, megabytes * 1_024 * 1_024);
  };
  expect(read('a', 50)).toEqual([]);
  expect(read('b', 50)).toEqual([]);
  expect(read('a', 51)).toEqual([]);
  expect(read('c', 50)).toEqual(['b']);
  expect(read('d', 120)).toEqual(['a', 'c']);
  expect(read('huge', 9_000)).toEqual(['d']);
  expect(queue.isFollowed('huge')).toBe(true);
  expect(read('e', 1)).toEqual(['huge']);
});
