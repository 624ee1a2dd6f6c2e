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
  queue.follow('followed');
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
    const gone = queue.follow(path);
    if (gone !== null) retired.push(gone);
  }
  expect(retired).toEqual(['f0', 'f1']);
  expect(queue.tailing).toBe(128);
  queue.addLive('f2');
  queue.drop('f2');
  expect(queue.next()?.path).toBe('f2');
});
