import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeId, encodeId, newId } from '../../../src/embedded-convex/values/ids.ts';

const internalId = fc.uint8Array({ minLength: 16, maxLength: 16 });
const tableNumber = fc.oneof(
  fc.constantFrom(1, 127, 128, 10_001, 16_383, 16_384, 2 ** 21, 2 ** 28, 2 ** 32 - 1),
  fc.integer({ min: 1, max: 2 ** 32 - 1 }),
);

describe('decodeId', () => {
  // Ids that real deployments made, as they appear in upstream's tests and documentation.
  test.each([
    ['k570e9j5cj1t5gf0zwf3tq3vkawxhqr0', 10_009],
    ['kg204m40v9m1bmkthp86n486mh85s0rc', 540],
    ['kg25efbgcywfzkr6h78cjw1pzx85r2ha', 540],
    ['kg2ch8s6wsdzvkefhzacfjvyvd85r1f1', 540],
  ])('knows the table number of %s', (id, number) => {
    expect(decodeId(id)).toEqual({ tableNumber: number });
  });

  test('reads back every table number', () => {
    fc.assert(
      fc.property(tableNumber, internalId, (number, internal) => {
        expect(decodeId(encodeId(number, internal))).toEqual({ tableNumber: number });
      }),
      { seed: 1, numRuns: 1000 },
    );
  });

  test('notices every changed character', () => {
    const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
    fc.assert(
      fc.property(
        tableNumber,
        internalId,
        fc.nat(36),
        fc.nat(31),
        (number, internal, at, digit) => {
          const id = encodeId(number, internal);
          const place = at % id.length;
          const changed = id.slice(0, place) + alphabet.charAt(digit) + id.slice(place + 1);
          fc.pre(changed !== id);
          expect(decodeId(changed)).toHaveProperty('error');
        },
      ),
      { seed: 2, numRuns: 2000 },
    );
  });

  test.each([
    ['', 'Unable to decode ID: Invalid ID length 0'],
    ['abc', 'Unable to decode ID: Invalid ID length 3'],
    ['j57d6s1z8s9t2v3w4x5y6z7a8b9c0d1u', "Unable to decode ID: ID wasn't valid base32"],
    ['K570E9J5CJ1T5GF0ZWF3TQ3VKAWXHQR0', "Unable to decode ID: ID wasn't valid base32"],
    ['0'.repeat(32), 'Unable to decode ID: Invalid table number'],
    ['z'.repeat(37), 'Unable to decode ID: Invalid table number'],
  ])('says what is wrong with %j', (id, error) => {
    expect(decodeId(id)).toEqual({ error });
  });

  test('names both versions when the check sum is wrong', () => {
    const decoded = decodeId('j57d6s1z8s9t2v3w4x5y6z7a8b9c0d1e');
    expect(decoded).toEqual({
      error: 'Unable to decode ID: Invalid ID version 11828 (expected 41990)',
    });
  });
});

describe('newId', () => {
  test('makes 32 characters for a user table, different each time', () => {
    const ids = new Set(Array.from({ length: 1000 }, () => newId(10_001, 1_795_000_000_000)));
    expect(ids.size).toBe(1000);
    for (const id of ids) {
      expect(id).toHaveLength(32);
      expect(decodeId(id)).toEqual({ tableNumber: 10_001 });
    }
  });

  test('follows the time, so that new ids lie together in their index', () => {
    const times = [0, 1, 255, 256, 2 ** 32 - 1, 2 ** 32, 1_795_000_000_000, 1_795_000_000_001];
    const ids = times.map((now) => newId(10_001, now));
    expect(ids.toSorted()).toEqual(ids);
  });
});
