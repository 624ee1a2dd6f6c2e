import * as fc from 'fast-check';
import type { Value } from 'convex/values';

const int64Edges = [0n, 1n, -1n, 127n, 128n, -128n, -129n, 32_767n, 32_768n, -32_769n].concat([
  2n ** 31n - 1n,
  2n ** 31n,
  -(2n ** 31n) - 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
]);
const floatEdges = [0, -0, NaN, Infinity, -Infinity, 5e-324, -5e-324, 1.5, -1.5, 2 ** 53];

/** Field names that Convex accepts in documents. */
export const fieldName = fc
  .string({ unit: fc.constantFrom('a', 'b', 'z', 'A', '0', ' ', '~', '_x'), maxLength: 3 })
  .filter((name) => !name.startsWith('_'));

/** Strings of every kind: empty, with zero characters, beyond the BMP, with lone surrogates. */
const anyString = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.string({
    unit: fc.constantFrom('\0', 'a', 'b', '\u007f', '\u0080', '\uffff', '😀', '\ud800', '\udfff'),
    maxLength: 4,
  }),
);

const scalar: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.constantFrom(...floatEdges),
  fc.double(),
  fc.constantFrom(...int64Edges),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  anyString,
  fc.uint8Array({ maxLength: 4 }).map((bytes) => Uint8Array.from(bytes).buffer),
);

/** Any value that a document can hold. */
export const anyValue: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'value' },
    scalar,
    fc.array(tie('value'), { maxLength: 3, depthIdentifier: 'value' }),
    fc.dictionary(fieldName, tie('value'), { maxKeys: 3, depthIdentifier: 'value' }),
  ),
})).value;

export const valueOrMissing: fc.Arbitrary<Value | undefined> = fc.oneof(
  { weight: 9, arbitrary: anyValue },
  { weight: 1, arbitrary: fc.constant(undefined) },
);
