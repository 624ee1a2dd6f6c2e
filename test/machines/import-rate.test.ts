import { expect, test } from 'vitest';
import { rateOf, timeFor, withSample, type RateSample } from '../../src/machines/import-rate.ts';

/** A thousand bytes a second, told every second, by a clock that shows `from` at first. */
function sampled(from: number, seconds: number, before: readonly RateSample[] = []): RateSample[] {
  const [done = 0] = before.slice(-1).map(({ bytes }) => bytes);
  return Array.from({ length: seconds }, (_, n) => n).reduce(
    (samples, n) => withSample(samples, { at: from + n * 1_000, bytes: done + n * 1_000 }),
    [...before],
  );
}

test('the rate is that of the last ten seconds, and the rest is told by it', () => {
  const samples = sampled(0, 60);
  expect(samples.length).toBeLessThanOrEqual(21);
  expect(rateOf(samples, { at: 60_000, bytes: 60_000 })).toBe(1_000);
  expect(timeFor(5_000, 1_000)).toBe(5_000);
});

test('of less than a second, and of nothing, nothing is told', () => {
  expect(rateOf([], { at: 5_000, bytes: 1 })).toBeNull();
  expect(rateOf([{ at: 0, bytes: 0 }], { at: 999, bytes: 1 })).toBeNull();
  expect(timeFor(1, null)).toBeNull();
  expect(timeFor(1, 0)).toBeNull();
});

test('a clock that was set back by a day costs a second, not a day', () => {
  const before = sampled(86_400_000, 20);
  const after = sampled(0, 3, before);
  expect(rateOf(after, { at: 3_000, bytes: 22_000 })).toBe(1_000);
});
