import { v } from 'convex/values';
import type { GenericValidator, ValidatorJSON } from 'convex/values';
import { describe, expect, test } from 'vitest';
import { displayValidator, isSubset, parseValidator } from '../../src/embedded-convex/validator.ts';
import type { Validator } from '../../src/embedded-convex/validator.ts';

describe('displayValidator', () => {
  test.each<[GenericValidator, string]>([
    [v.number(), 'v.float64()'],
    [v.int64(), 'v.int64()'],
    [v.commitTs(), 'v.commitTs()'],
    [v.literal(true), 'v.literal(true)'],
    [v.literal(2), 'v.literal(2.0)'],
    [v.id('users'), 'v.id("users")'],
    [v.record(v.string(), v.any()), 'v.record(v.string(), v.any())'],
    [v.union(v.null(), v.array(v.bytes())), 'v.union(v.null(), v.array(v.bytes()))'],
    [
      v.object({ b: v.boolean(), a: v.optional(v.null()) }),
      'v.object({a: v.optional(v.null()), b: v.boolean()})',
    ],
  ])('writes what its author wrote', (validator, text) => {
    expect(displayValidator(parsed(validator))).toBe(text);
  });
});

describe('parseValidator', () => {
  test.each([
    ['a-b', "has invalid character '-'"],
    ['é', "Invalid first character 'é'"],
    ['1a', "Invalid first character '1'"],
    ['__', 'cannot have exclusively underscores'],
    ['a'.repeat(65), 'Identifier is too long (65 > maximum 64)'],
  ])('refuses the field name %s', (name, problem) => {
    const object = v.object({ inner: v.object({ [name]: v.string() }) });
    expect(() => parsed(object)).toThrow(problem);
  });
});

describe('isSubset', () => {
  const name = v.object({ name: v.string() });

  test.each<[GenericValidator, GenericValidator]>([
    [v.string(), v.any()],
    [v.literal('a'), v.string()],
    [v.literal(1), v.number()],
    [v.literal(1n), v.literal(1n)],
    [v.id('users'), v.string()],
    [v.id('users'), v.id('users')],
    [v.commitTs(), v.int64()],
    [v.string(), v.union(v.null(), v.string())],
    [v.union(v.literal('a'), v.null()), v.union(v.null(), v.string())],
    [v.array(v.literal('a')), v.array(v.string())],
    [v.record(v.id('users'), v.null()), v.record(v.string(), v.any())],
    [name, v.object({ name: v.optional(v.string()), more: v.optional(v.null()) })],
  ])('is certain that the wider one accepts all', (narrow, wide) => {
    expect(isSubset(parsed(narrow), parsed(wide))).toBe(true);
  });

  test.each<[GenericValidator, GenericValidator]>([
    [v.any(), v.string()],
    [v.string(), v.literal('a')],
    [v.number(), v.int64()],
    [v.literal('a'), v.literal('b')],
    [v.id('users'), v.id('teams')],
    [v.union(v.string(), v.null()), v.string()],
    [v.array(v.string()), v.array(v.null())],
    [v.array(v.string()), v.string()],
    [v.record(v.string(), v.any()), v.record(v.string(), v.null())],
    [name, v.object({})],
    [name, v.object({ name: v.string(), more: v.null() })],
    [v.object({ name: v.optional(v.string()) }), name],
    [name, v.object({ name: v.null() })],
  ])('is not certain, so rows are looked at', (narrow, wide) => {
    expect(isSubset(parsed(narrow), parsed(wide))).toBe(false);
  });
});

describe('parseValidator', () => {
  test('refuses a record whose keys are no strings', () => {
    const json = {
      type: 'record',
      keys: { type: 'number' },
      values: { fieldType: { type: 'any' }, optional: false },
    };
    expect(() => parseValidator(json as unknown as ValidatorJSON)).toThrow(
      'Records can only have string keys. Your validator contains a record with key typed as `v.float64()`',
    );
  });

  test('refuses a kind that it does not know', () => {
    expect(() => parseValidator({ type: 'date' } as unknown as ValidatorJSON)).toThrow(
      'Unknown validator type {"type":"date"}',
    );
  });
});

function parsed(validator: GenericValidator): Validator {
  const { json } = validator as unknown as { json: ValidatorJSON };
  return parseValidator(json);
}
