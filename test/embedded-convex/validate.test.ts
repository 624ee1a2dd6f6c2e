import { v } from 'convex/values';
import type { GenericValidator, ValidatorJSON, Value } from 'convex/values';
import { describe, expect, test } from 'vitest';
import {
  argumentsProblem,
  returnsProblem,
  validationProblem,
} from '../../src/embedded-convex/validate.ts';
import { parseValidator } from '../../src/embedded-convex/validator.ts';
import { encodeId } from '../../src/embedded-convex/values/ids.ts';

const tables: Record<number, string> = { 10_001: 'users', 10_002: 'teams', 5: '_jobs' };
const idOf = (number: number): string => encodeId(number, new Uint8Array(16));

describe('a value that fits', () => {
  test.each<[string, GenericValidator, Value]>([
    ['any', v.any(), { a: [1n] }],
    ['null', v.null(), null],
    ['a number that is none', v.number(), NaN],
    ['an integer', v.int64(), 3n],
    ['a commit timestamp', v.commitTs(), 3n],
    ['bytes', v.bytes(), new ArrayBuffer(2)],
    ['a literal integer', v.literal(3n), 3n],
    ['an id of the table', v.id('users'), idOf(10_001)],
    ['a missing optional field', v.object({ a: v.optional(v.string()) }), {}],
    ['one arm of a union', v.union(v.string(), v.array(v.null())), [null]],
    ['a record', v.record(v.string(), v.number()), { a: 1, b: 2 }],
    ['a record of ids', v.record(v.id('users'), v.null()), { [idOf(10_001)]: null }],
  ])('passes: %s', (_, validator, value) => {
    expect(problem(validator, value)).toBe(null);
  });
});

describe('a value that does not fit', () => {
  test('is shown with its path, itself and what was expected', () => {
    const validator = v.object({ list: v.array(v.object({ name: v.string() })) });
    expect(problem(validator, { list: [{ name: 'a' }, { name: 1 }] })).toBe(
      'Value does not match validator.\nPath: .list[1].name\nValue: 1.0\nValidator: v.string()',
    );
  });

  test('has an empty line for the path when it is wrong at the top', () => {
    expect(problem(v.array(v.any()), 1)).toBe(
      'Value does not match validator.\n\nValue: 1.0\nValidator: v.array(v.any())',
    );
  });

  test('may miss a field', () => {
    const validator = v.object({ b: v.optional(v.number()), a: v.null() });
    expect(problem(validator, { b: 1 })).toBe(
      'Object is missing the required field `a`. Consider wrapping the field validator in `v.optional(...)` if this is expected.\n\nObject: {b: 1.0}\nValidator: v.object({a: v.null(), b: v.optional(v.float64())})',
    );
  });

  test('may have a field too many', () => {
    const validator = v.object({ inner: v.object({}) });
    expect(problem(validator, { inner: { x: 'y' } })).toBe(
      'Object contains extra field `x` that is not in the validator.\nPath: .inner\nObject: {x: "y"}\nValidator: v.object({})',
    );
  });

  test('may be another literal', () => {
    expect(problem(v.object({ kind: v.literal('a') }), { kind: 'b' })).toBe(
      '`"b"` does not match literal validator `v.literal("a")`.Path: .kind',
    );
  });

  test('may be an id of another table', () => {
    const id = idOf(10_002);
    expect(problem(v.id('users'), id)).toBe(
      `Found ID "${id}" from table \`teams\`, which does not match the table name in validator \`v.id("users")\`.`,
    );
    const jobId = idOf(5);
    expect(problem(v.id('users'), jobId)).toBe(
      `Found ID "${jobId}" from a system table, which does not match the table name in validator \`v.id("users")\`.`,
    );
  });

  test('may be no id at all, or of no table', () => {
    expect(problem(v.id('users'), 'x')).toContain('Validator: v.id("users")');
    expect(problem(v.id('users'), idOf(10_003))).toContain('Validator: v.id("users")');
  });

  test('names the union when no arm fits, but looks into a union of one', () => {
    expect(problem(v.union(v.string(), v.null()), 1)).toContain(
      'Value: 1.0\nValidator: v.union(v.string(), v.null())',
    );
    expect(problem(v.union(v.object({ a: v.null() })), { a: 1 })).toContain('Path: .a\n');
  });

  test('says whether a key or a value of a record is wrong', () => {
    expect(problem(v.record(v.id('users'), v.null()), { x: null })).toContain('Path: .keys()');
    expect(problem(v.object({ r: v.record(v.string(), v.null()) }), { r: { x: 1 } })).toContain(
      'Path: .r.values()',
    );
  });

  test.each<[GenericValidator, Value]>([
    [v.number(), 1n],
    [v.int64(), 1],
    [v.boolean(), null],
    [v.null(), {}],
    [v.string(), new ArrayBuffer(0)],
    [v.bytes(), []],
    [v.object({}), []],
    [v.object({}), new ArrayBuffer(0)],
    [v.record(v.string(), v.any()), null],
    [v.literal(1), 1n],
  ])('is refused, whatever its type', (validator, value) => {
    expect(problem(validator, value)).not.toBe(null);
  });
});

test('arguments and results have their own names for it', () => {
  const validator = parseValidator({ type: 'object', value: {} });
  expect(argumentsProblem(validator, {}, () => null)).toBe(null);
  expect(argumentsProblem(validator, { a: 1 }, () => null)).toMatch(
    /^ArgumentValidationError: Object contains extra field `a`/,
  );
  expect(returnsProblem(validator, {}, () => null)).toBe(null);
  expect(returnsProblem(validator, null, () => null)).toMatch(
    /^ReturnsValidationError: Value does not match/,
  );
});

function problem(validator: GenericValidator, value: Value): string | null {
  // `json` is what `exportArgs()` and `schema.export()` write.
  const { json } = validator as unknown as { json: ValidatorJSON };
  return validationProblem(parseValidator(json), value, (number) => tables[number] ?? null);
}
