import { convexToJson } from 'convex/values';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Doc } from '../../src/embedded-convex/doc.ts';
import type { DocValue } from '../../src/embedded-convex/doc.ts';
import { anyValue, fieldName } from './support/convex-values.ts';

describe('a document', () => {
  test('has the text that convexToJson gives, whatever is in it', () => {
    fc.assert(
      fc.property(fc.dictionary(fieldName, anyValue), (value) => {
        expect(Doc.encode('id', value).json).toBe(JSON.stringify(convexToJson(value)));
      }),
      { seed: 6, numRuns: 2000 },
    );
  });

  test('is read back from its text as it was', () => {
    fc.assert(
      fc.property(fc.dictionary(fieldName, anyValue), (value) => {
        const { json, size } = Doc.encode('id', value);
        const read = new Doc('id', json, size).value;
        expect(JSON.stringify(convexToJson(read as never))).toBe(json);
      }),
      { seed: 7, numRuns: 1000 },
    );
  });

  test('leaves out what is undefined, at every depth', () => {
    const value: DocValue = { b: undefined, a: { y: undefined, x: 1 } };
    expect(Doc.encode('id', value).json).toBe('{"a":{"x":1}}');
  });

  test('decodes a single field by its path', () => {
    const doc = Doc.encode('id', { a: { b: [1n], c: 5n }, list: [{ x: 1 }], none: null });
    expect(doc.field(['a', 'b'])).toEqual([1n]);
    expect(doc.field(['a', 'c'])).toBe(5n);
    expect(doc.field(['none'])).toBe(null);
    expect(doc.field(['a', 'x'])).toBe(undefined);
    expect(doc.field(['list', '0'])).toBe(undefined);
    expect(doc.field(['none', 'x'])).toBe(undefined);
    expect(doc.field(['toString'])).toBe(undefined);
  });

  test('is refused when it holds what Convex cannot', () => {
    const encode = (value: unknown): unknown => Doc.encode('id', { value } as DocValue);
    expect(() => encode(new Date(0))).toThrow('is not a supported Convex type');
    expect(() => encode(2n ** 63n)).toThrow('does not fit into a 64-bit signed integer');
    expect(() => encode(new Map())).toThrow('is not a supported Convex type');
  });
});
