import type { JSONValue, Value } from 'convex/values';
import { describe, expect, test } from 'vitest';
import { Doc } from '../../src/embedded-convex/doc.ts';
import { compileFilter } from '../../src/embedded-convex/filter.ts';

const document = Doc.encode('id', {
  n: 2,
  i: 5n,
  text: 'a',
  flag: true,
  nothing: null,
  o: { x: 1 },
});

const field = (path: string): JSONValue => ({ $field: path });
const literal = (value: JSONValue): JSONValue => ({ $literal: value });
const int = (value: bigint): JSONValue => literal({ $integer: int64(value) });

describe('comparisons', () => {
  test.each<[string, JSONValue, JSONValue, boolean]>([
    ['$eq', field('n'), literal(2), true],
    ['$eq', field('n'), int(2n), false],
    ['$neq', field('n'), literal(2), false],
    ['$lt', field('n'), literal(3), true],
    ['$lte', field('n'), literal(2), true],
    ['$gt', field('n'), literal(2), false],
    ['$gte', field('o.x'), literal(1), true],
    ['$eq', field('missing'), literal({ $undefined: null }), true],
    ['$eq', field('nothing'), literal({ $undefined: null }), false],
    ['$eq', field('nothing'), literal(null), true],
    ['$eq', field('text.length'), literal({ $undefined: null }), true],
    // Types are ordered too: numbers before strings, a missing field before everything.
    ['$lt', field('n'), field('text'), true],
    ['$lt', field('missing'), literal(null), true],
    ['$lt', literal({ $float: 'AAAAAAAAAIA=' }), literal(0), true],
  ])('%s', (operator, left, right, expected) => {
    expect(evaluate({ [operator]: [left, right] })).toBe(expected);
  });
});

describe('arithmetic', () => {
  test.each<[JSONValue, JSONValue]>([
    [{ $add: [field('n'), literal(1)] }, literal(3)],
    [{ $sub: [field('n'), literal(3)] }, literal(-1)],
    [{ $mul: [field('i'), int(3n)] }, int(15n)],
    [{ $div: [field('i'), int(2n)] }, int(2n)],
    [{ $div: [literal(1), literal(4)] }, literal(0.25)],
    [{ $mod: [int(-5n), int(3n)] }, int(-2n)],
    [{ $neg: field('i') }, int(-5n)],
    [{ $neg: literal(2) }, literal(-2)],
  ])('%j', (expression, expected) => {
    expect(evaluate({ $eq: [expression, expected] })).toBe(true);
  });

  test.each<[JSONValue, string]>([
    [{ $add: [field('n'), field('i')] }, 'Cannot add 2.0 (type Float64) and 5 (type Int64)'],
    [
      { $sub: [field('text'), literal(1)] },
      'Cannot subtract "a" (type String) and 1.0 (type Float64)',
    ],
    [{ $div: [field('i'), int(0n)] }, 'Cannot divide 5 by zero'],
    [{ $mod: [field('i'), int(0n)] }, 'Cannot mod 5 by zero'],
    [
      { $add: [int(2n ** 63n - 1n), int(1n)] },
      'Cannot add 9223372036854775807 and 1: the result is out of range for Int64',
    ],
    [
      { $neg: int(-(2n ** 63n)) },
      'Cannot negate -9223372036854775808: the result is out of range for Int64',
    ],
    [{ $neg: field('missing') }, 'Cannot negate undefined (type undefined)'],
  ])('%j fails', (expression, message) => {
    expect(() => evaluate({ $eq: [expression, literal(0)] })).toThrow(message);
  });
});

describe('logic', () => {
  const boom: JSONValue = { $not: literal('no boolean') };

  test.each<[JSONValue, boolean]>([
    [{ $and: [] }, true],
    [{ $or: [] }, false],
    [{ $and: [field('flag'), literal(true)] }, true],
    [{ $or: [literal(false), field('flag')] }, true],
    [{ $not: field('flag') }, false],
    [{ $and: [literal(false), boom] }, false],
    [{ $or: [literal(true), boom] }, true],
  ])('%j, stopping as soon as it is decided', (expression, expected) => {
    expect(evaluate(expression)).toBe(expected);
  });

  test.each<[JSONValue, string]>([
    [field('n'), 'Cannot use value 2.0 (type Float64) as a Boolean'],
    [field('missing'), 'Cannot use value undefined (type undefined) as a Boolean'],
    [{ $and: [field('nothing')] }, 'Cannot use value null (type Null) as a Boolean'],
    [{ $not: field('o') }, 'Cannot use value {x: 1.0} (type Object) as a Boolean'],
  ])('%j is no boolean', (expression, message) => {
    expect(() => evaluate(expression)).toThrow(message);
  });
});

test.each<[JSONValue]>([
  [{ $regex: [] }],
  [{ $eq: [literal(1)] }],
  [{ $eq: [literal(1), literal(1), literal(1)] }],
  [{ $field: 1 }],
  [{}],
  [null],
  [{ $and: 1 }],
])('refuses %j before any document is read', (expression) => {
  expect(() => compileFilter(expression)).toThrow('unknown expression');
});

function evaluate(expression: JSONValue): Value {
  return compileFilter(expression)(document);
}

function int64(value: bigint): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes.toString('base64');
}
