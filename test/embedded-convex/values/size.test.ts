import { getConvexSize } from 'convex/values';
import type { Value } from 'convex/values';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { displayValue } from '../../../src/embedded-convex/values/display.ts';
import { checkDocument, measure } from '../../../src/embedded-convex/values/size.ts';
import { anyValue } from '../support/convex-values.ts';

describe('measure', () => {
  test("counts bytes as Convex's own getConvexSize does", () => {
    // For a lone surrogate it depends on its neighbour whether 3 or 4 bytes are counted.
    const wellFormed = anyValue.filter((value) => !displayValue(value).includes('\\u{d'));
    fc.assert(
      fc.property(wellFormed, (value) => {
        expect(measure(value).size).toBe(getConvexSize(value));
      }),
      { seed: 3, numRuns: 1000 },
    );
  });

  test('counts depth from the plain value', () => {
    expect(measure(1).depth).toBe(0);
    expect(measure([]).depth).toBe(1);
    expect(measure({ a: [1, { b: null }], c: 2 }).depth).toBe(3);
  });

  test.each<[string, Value, string]>([
    ['a long array', Array(8193).fill(0), 'Array length is too long (8193 > maximum length 8192)'],
    [
      'an object of many fields',
      Object.fromEntries(Array.from({ length: 1025 }, (_, at) => [`f${at}`, 0])),
      'Object has too many fields (1025 > maximum number 1024)',
    ],
    ['a reserved name', { $a: 1 }, "Field name $a starts with '$', which is reserved."],
    [
      'a name that is not ASCII',
      { é: 1 },
      "Field name é has invalid character 'é': Field names can only contain non-control ASCII characters",
    ],
    ['a long name', { ['x'.repeat(1025)]: 1 }, 'Field name is too long (1025 > maximum 1024)'],
    [
      'a value of 65 levels',
      nested(65),
      'Value is too nested (nested 65 levels deep > maximum nesting 64)',
    ],
  ])('refuses %s', (_, value, message) => {
    expect(() => measure(value)).toThrow(message);
  });
});

describe('checkDocument', () => {
  test('accepts a mebibyte and not a byte more', () => {
    const overhead = getConvexSize({ text: '' });
    expect(checkDocument({ text: 'x'.repeat(2 ** 20 - overhead) }).size).toBe(2 ** 20);
    expect(() => checkDocument({ text: 'x'.repeat(2 ** 20) })).toThrow(
      'Value is too large (1.00 MiB > maximum size 1 MiB)',
    );
  });

  test('accepts 16 levels and not one more', () => {
    expect(() => checkDocument(nested(16))).not.toThrow();
    expect(() => checkDocument(nested(17))).toThrow(
      'Document is too nested (nested 17 levels deep > maximum nesting 16)',
    );
  });
});

function nested(levels: number): Value {
  let value: Value = 0;
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
}
