import { describe, expect, test } from 'vitest';
import {
  backoffDelay,
  endsSupervisor,
  exceedsIntensity,
  isRestarted,
  restartGroup,
} from '../../src/machines/restart-policy.ts';

describe('isRestarted', () => {
  test.each([
    ['permanent', 'done', true],
    ['permanent', 'error', true],
    ['transient', 'done', false],
    ['transient', 'error', true],
    ['temporary', 'done', false],
    ['temporary', 'error', false],
  ] as const)('%s child that ended as %s: %s', (restart, exit, expected) => {
    expect(isRestarted(restart, exit)).toBe(expected);
  });
});

describe('restartGroup', () => {
  const order = ['a', 'b', 'c', 'd'];
  test.each([
    ['one_for_one', 'a', 'a'],
    ['one_for_one', 'c', 'c'],
    ['rest_for_one', 'a', 'abcd'],
    ['rest_for_one', 'c', 'cd'],
    ['rest_for_one', 'd', 'd'],
    ['one_for_all', 'a', 'abcd'],
    ['one_for_all', 'd', 'abcd'],
  ] as const)('%s, %s failed: %s', (strategy, failed, expected) => {
    expect(restartGroup(strategy, order, failed).join('')).toBe(expected);
  });
});

describe('exceedsIntensity', () => {
  test.each([
    [0, 1, true],
    [3, 3, false],
    [3, 4, true],
  ])('at most %i restarts, the %ith: %s', (maxRestarts, restarts, expected) => {
    expect(exceedsIntensity({ maxRestarts, windowMs: 5000 }, restarts)).toBe(expected);
  });
});

describe('backoffDelay', () => {
  const backoff = { minMs: 100, maxMs: 1000, factor: 2 };
  test.each([
    [1, 0.5, 50],
    [2, 0.5, 100],
    [4, 0.5, 400],
    [5, 0.5, 500],
    [2000, 0.5, 500],
    [1, 0, 0],
    [9, 0.9999, 1000],
  ])('restart %i with random %d waits %d ms', (attempt, random, expected) => {
    expect(backoffDelay(backoff, attempt, random)).toBe(expected);
  });
});

describe('endsSupervisor', () => {
  test.each([
    ['never', true, false, false],
    ['any_significant', true, true, true],
    ['any_significant', true, false, true],
    ['any_significant', false, false, false],
    ['all_significant', true, true, false],
    ['all_significant', true, false, true],
    ['all_significant', false, false, false],
  ] as const)(
    '%s, significant: %s, others of them alive: %s: %s',
    (autoShutdown, significant, othersAlive, expected) => {
      expect(endsSupervisor(autoShutdown, significant, othersAlive)).toBe(expected);
    },
  );
});
