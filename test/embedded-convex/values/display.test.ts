import type { Value } from 'convex/values';
import { expect, test } from 'vitest';
import {
  displayBytes,
  displayLiteral,
  displayValue,
  typeName,
} from '../../../src/embedded-convex/values/display.ts';

test.each<[Value | undefined, string, string]>([
  [undefined, 'undefined', 'undefined'],
  [null, 'null', 'Null'],
  [true, 'true', 'Boolean'],
  [1, '1.0', 'Float64'],
  [-0, '-0.0', 'Float64'],
  [0.1, '0.1', 'Float64'],
  [1e16, '1e16', 'Float64'],
  [1.5e-7, '1.5e-7', 'Float64'],
  [NaN, 'NaN', 'Float64'],
  [-Infinity, '-inf', 'Float64'],
  [1n, '1', 'Int64'],
  ['a "b"\n\u0001', '"a \\"b\\"\\n\\u{1}"', 'String'],
  [Uint8Array.of(1, 2).buffer, 'b"AQI="', 'Bytes'],
  [[1, null], '[1.0, null]', 'Array'],
  [{ b: [], a: 'x' }, '{a: "x", b: []}', 'Object'],
])('%s reads %s, of type %s', (value, text, type) => {
  expect(displayValue(value)).toBe(text);
  expect(typeName(value)).toBe(type);
});

test('literals read as in v.literal()', () => {
  expect(displayLiteral('a"')).toBe('"a\\""');
  expect(displayLiteral(1)).toBe('1.0');
  expect(displayLiteral(1n)).toBe('<bigint>');
  expect(displayLiteral(false)).toBe('false');
});

test('sizes read in the largest binary unit that fits', () => {
  expect([0, 1536, 2 ** 20, 2 ** 24].map(displayBytes)).toEqual([
    '0 B',
    '1.50 KiB',
    '1 MiB',
    '16 MiB',
  ]);
});
