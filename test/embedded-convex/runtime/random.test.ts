import { expect, test } from 'vitest';
import { newSeed, seededRandom, seedFrom } from '../../../src/embedded-convex/runtime/random.ts';

test('the same seed gives the same numbers, another one others', () => {
  const take = (seed: Uint32Array) => Array.from({ length: 20 }, seededRandom(seed));
  const seed = Uint32Array.of(1, 2, 3, 4);
  expect(take(seed)).toEqual(take(seed));
  expect(take(seed)).not.toEqual(take(Uint32Array.of(1, 2, 3, 5)));
  expect(newSeed()).not.toEqual(newSeed());
});

test('numbers lie evenly from 0 up to 1', () => {
  const random = seededRandom(Uint32Array.of(7, 7, 7, 7));
  const buckets = Array.from({ length: 10 }, () => 0);
  for (let at = 0; at < 20_000; at += 1) {
    const bucket = Math.floor(random() * 10);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  expect(buckets).toHaveLength(10);
  // Five standard deviations: the seed is fixed, so this holds always or never.
  for (const count of buckets) expect(Math.abs(count - 2000)).toBeLessThan(213);
});

test('a seed for a called function follows from the numbers of the caller', () => {
  const seed = () => seedFrom(seededRandom(Uint32Array.of(1, 2, 3, 4)));
  expect(seed()).toEqual(seed());
});
