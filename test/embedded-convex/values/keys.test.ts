import { compareValues } from 'convex/values';
import type { Value } from 'convex/values';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  afterKey,
  afterPrefix,
  compareKeys,
  encodeKey,
} from '../../../src/embedded-convex/values/keys.ts';
import { valueOrMissing } from '../support/convex-values.ts';

const seeded = { seed: 20_261_123, numRuns: 5000 };

describe('encodeKey', () => {
  test('orders as compareValues does, across all types', () => {
    fc.assert(
      fc.property(valueOrMissing, valueOrMissing, (a, b) => {
        const order = compareKeys(encodeKey([a]), encodeKey([b]));
        expect(Math.sign(order)).toBe(Math.sign(compareValues(a, b)));
      }),
      seeded,
    );
  });

  test('orders several values as a tuple of them', () => {
    const pair = fc.tuple(valueOrMissing, valueOrMissing);
    fc.assert(
      fc.property(pair, pair, (a, b) => {
        const order = compareValues(a[0], b[0]) || compareValues(a[1], b[1]);
        expect(Math.sign(compareKeys(encodeKey(a), encodeKey(b)))).toBe(Math.sign(order));
      }),
      seeded,
    );
  });

  test.each<[string, Value | undefined, string]>([
    ['a missing field', undefined, '01'],
    ['null', null, '03'],
    ['zero', 0n, '08'],
    ['a one-byte integer', 127n, '097f'],
    ['a two-byte integer', -129n, '06ff7f'],
    ['the smallest integer', -(2n ** 63n), '048000000000000000'],
    ['a positive float', 1, '0dbff0000000000000'],
    ['negative zero', -0, '0d7fffffffffffffff'],
    ['false', false, '0e'],
    ['true', true, '0f'],
    ['a string with a zero character', 'a\0b', '106100ff6200'],
    ['bytes', Uint8Array.of(0, 255).buffer, '1100ffff00'],
    ['an array', [null, true], '12030f00'],
    ['an object, its names sorted', { b: null, a: true }, '1561000f62000300'],
    ['an object with an empty name', { '': null }, '1500ff0300'],
  ])('writes %s in the format of upstream', (_, value, hex) => {
    expect(Buffer.from(encodeKey([value])).toString('hex')).toBe(hex);
  });

  test('a key stays what it was when further keys are encoded', () => {
    const key = encodeKey(['first']);
    const copy = Uint8Array.from(key);
    encodeKey(['another, longer one']);
    expect(key).toEqual(copy);
  });

  test('takes strings that are larger than any buffer so far', () => {
    const long = '\0é'.repeat(100_000);
    expect(encodeKey([long]).length).toBe(2 + 100_000 * 4);
  });
});

describe('bounds', () => {
  test('afterPrefix is behind every key with the prefix and before every other later key', () => {
    fc.assert(
      fc.property(valueOrMissing, valueOrMissing, valueOrMissing, (a, more, b) => {
        const end = afterPrefix(encodeKey([a]));
        expect(compareKeys(encodeKey([a, more]), end)).toBe(-1);
        const isLater = compareValues(b, a) > 0;
        expect(compareKeys(encodeKey([b]), end) > 0).toBe(isLater);
      }),
      { ...seeded, numRuns: 2000 },
    );
  });

  test('a string ends before the longer string that goes on with a zero character', () => {
    const end = afterPrefix(encodeKey(['a']));
    expect(compareKeys(encodeKey(['a\0']), end)).toBe(1);
    expect(compareKeys(encodeKey(['a', 'z']), end)).toBe(-1);
  });

  test('afterKey leaves no room for another key in between', () => {
    expect(afterKey(Uint8Array.of(7))).toEqual(Uint8Array.of(7, 0));
  });
});
