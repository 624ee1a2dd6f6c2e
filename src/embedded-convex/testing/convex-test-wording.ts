/**
 * The engine's own text with convex-test's words for the same mistake before it: suites written
 * for convex-test look for those.
 */
export function convexTestWording(message: string): string {
  const found = wordings.find(([pattern]) => pattern.test(message));
  if (found === undefined) return message;
  const [pattern, words] = found;
  return `${words(pattern.exec(message) ?? [])}: ${message}`;
}

type Words = (match: ArrayLike<string | undefined>) => string;

const wordings: [pattern: RegExp, words: Words][] = [
  [/^ArgumentValidationError/, () => 'Validator error'],
  [/^Failed to insert or update a document/, () => 'Validator error'],
  [/^ReturnsValidationError/, () => 'Return value validation failed'],
  [
    /^Already defined (?:lower|upper) bound/,
    () => 'cannot chain more operators after both `.gt` and `.lt` were already used',
  ],
  [
    /^Can't use (\w+)/,
    ({ 1: name }) => `\`${name}\` is not supported in Convex queries or mutations`,
  ],
  [/^Too many bytes read/, () => 'Read too much data'],
  [/^Too many documents read/, () => 'Scanned too many documents'],
  [/^Too many bytes written/, () => 'Wrote too much data'],
  [/^Too many writes/, () => 'Wrote too many documents'],
  [/^Too many reads/, () => 'Too many index ranges'],
  [
    /^Invalid argument `id` for `[\w.]+`: expected to be an Id<"(\w+)">, got Id<"(\w+)">/,
    ({ 1: expected, 2: actual }) =>
      `Invalid argument \`id\`, expected ID in table '${expected}' but got ID in table '${actual}'`,
  ],
  [
    /^Provided document ID "\w+" doesn't match '_id' field/,
    () => 'Provided `_id` field value does not match the document ID',
  ],
  [
    /^Provided creation time [\d.]+ doesn't match '_creationTime' field/,
    () => "Provided `_creationTime` field value does not match the document's creation time",
  ],
];
