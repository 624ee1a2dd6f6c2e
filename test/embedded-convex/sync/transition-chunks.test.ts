import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  joinsChunks,
  splitTransition,
} from '../../../src/embedded-convex/sync/transition-chunks.ts';

test('parts that were sent as UTF-8 make the whole again, wherever they were cut', () => {
  const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 7 }), (whole, partLength) => {
      fc.pre(whole.length > partLength);
      const messages = splitTransition(whole, partLength);
      const parts = messages.map((message) => JSON.parse(Buffer.from(message).toString()));
      expect(parts.map(({ chunk }) => chunk).join('')).toBe(whole);
      expect(parts.map(({ partNumber }) => partNumber)).toEqual([...parts.keys()]);
      expect(new Set(parts.map(({ totalParts }) => totalParts))).toEqual(new Set([parts.length]));
      expect(new Set(parts.map(({ transitionId }) => transitionId)).size).toBe(1);
    }),
    { seed: 5, numRuns: 500 },
  );
});

test('what fits is sent as it is', () => {
  expect(splitTransition('{"type":"Transition"}', 21)).toEqual(['{"type":"Transition"}']);
});

test('parts go only to clients that are known to join them', () => {
  expect(['1.28.0', '1.48.0', '2.0.0'].map(joinsChunks)).toEqual([true, true, true]);
  expect([null, '', '1.27.5', '0.30.0', 'python-0.7.0'].map(joinsChunks)).toEqual(
    Array.from({ length: 5 }, () => false),
  );
});
