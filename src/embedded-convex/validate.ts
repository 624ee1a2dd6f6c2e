import { compareValues } from 'convex/values';
import type { Value } from 'convex/values';
import { displayValue } from './values/display.ts';
import { decodeId } from './values/ids.ts';
import { displayValidator } from './validator.ts';
import type { ObjectValidator, Validator } from './validator.ts';

/** The name of the table with this number, or null. */
export type TableNames = (tableNumber: number) => string | null;

type ValueObject = { [field: string]: Value | undefined };

/** null when the arguments object fits, else the text of Convex's error. */
export function argumentsProblem(
  validator: Validator,
  value: Value,
  tableNames: TableNames,
): string | null {
  const problem = validationProblem(validator, value, tableNames);
  return problem === null ? null : `ArgumentValidationError: ${problem}`;
}

/** null when a function's result fits, else the text of Convex's error. */
export function returnsProblem(
  validator: Validator,
  value: Value,
  tableNames: TableNames,
): string | null {
  const problem = validationProblem(validator, value, tableNames);
  return problem === null ? null : `ReturnsValidationError: ${problem}`;
}

/** null when the value fits, else what does not, where (`Path: .a[0]`), and what was expected. */
export function validationProblem(
  validator: Validator,
  value: Value,
  tableNames: TableNames,
): string | null {
  const mismatch = check(validator, value, tableNames);
  if (mismatch === null) return null;
  const path = mismatch.path.toReversed().join('');
  return mismatch.message(path === '' ? '' : `Path: ${path}`);
}

/** The text is made only for the mismatch that is reported: unions drop many. */
interface Mismatch {
  /** Innermost step first. */
  path: string[];
  message(context: string): string;
}

function check(validator: Validator, value: Value, tableNames: TableNames): Mismatch | null {
  switch (validator.type) {
    case 'any':
      return null;
    case 'literal':
      return compareValues(validator.value, value) === 0 ? null : literalMismatch(validator, value);
    case 'union':
      return checkUnion(validator.members, validator, value, tableNames);
    case 'id':
      return checkId(validator, value, tableNames);
    case 'array':
      if (!Array.isArray(value)) return noMatch(validator, value);
      return firstMismatch(value.entries(), ([index, element]) =>
        at(`[${index}]`, check(validator.element, element, tableNames)),
      );
    case 'object':
      return isObject(value)
        ? checkObject(validator, value, tableNames)
        : noMatch(validator, value);
    case 'record':
      if (!isObject(value)) return noMatch(validator, value);
      return checkRecord(validator, value, tableNames);
    default:
      return hasType(validator.type, value) ? null : noMatch(validator, value);
  }
}

function hasType(type: Validator['type'], value: Value): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'bytes':
      return value instanceof ArrayBuffer;
    case 'commitTs':
      return typeof value === 'bigint';
    default:
      return typeof value === type;
  }
}

function checkUnion(
  members: Validator[],
  union: Validator,
  value: Value,
  tableNames: TableNames,
): Mismatch | null {
  // A union of one says what is wrong inside; one of several only that none fits.
  const only = members.length === 1 ? members[0] : undefined;
  if (only !== undefined) return check(only, value, tableNames);
  for (const member of members) if (check(member, value, tableNames) === null) return null;
  return noMatch(union, value);
}

function checkId(
  validator: Extract<Validator, { type: 'id' }>,
  value: Value,
  tableNames: TableNames,
): Mismatch | null {
  if (typeof value !== 'string') return noMatch(validator, value);
  const decoded = decodeId(value);
  const found = 'error' in decoded ? null : tableNames(decoded.tableNumber);
  if (found === null) return noMatch(validator, value);
  if (found === validator.tableName) return null;
  const origin = found.startsWith('_') ? 'a system table' : `table \`${found}\``;
  return mismatch(
    (context) =>
      `Found ID "${value}" from ${origin}, which does not match the table name in validator \`v.id("${validator.tableName}")\`.${context}`,
  );
}

function checkRecord(
  validator: Extract<Validator, { type: 'record' }>,
  record: ValueObject,
  tableNames: TableNames,
): Mismatch | null {
  const checkField = (name: string, field: Value): Mismatch | null =>
    at('.keys()', check(validator.keys, name, tableNames)) ??
    at('.values()', check(validator.values, field, tableNames));
  // Most records fit: the order counts only for which of several mismatches is reported.
  const fits = Object.keys(record).every((name) => {
    const field = record[name];
    return field === undefined || checkField(name, field) === null;
  });
  if (fits) return null;
  return firstMismatch(sortedFields(record), ([name, field]) => checkField(name, field));
}

function checkObject(
  validator: ObjectValidator,
  object: ValueObject,
  tableNames: TableNames,
): Mismatch | null {
  let present = 0;
  for (const [name, field] of validator.fields) {
    const value = Object.hasOwn(object, name) ? object[name] : undefined;
    if (value !== undefined) {
      present += 1;
      const inner = check(field.validator, value, tableNames);
      if (inner !== null) return at(`.${name}`, inner);
    } else if (!field.optional) {
      return missingField(validator, object, name);
    }
  }
  const fields = Object.keys(object);
  // Most objects fit: count first, look for the stranger only when there is one.
  if (fields.length === present) return null;
  const extra = sortedFields(object).find(([name]) => !validator.fields.has(name));
  return extra === undefined ? null : extraField(validator, object, extra[0]);
}

function missingField(validator: ObjectValidator, object: ValueObject, name: string): Mismatch {
  return mismatch(
    (context) =>
      `Object is missing the required field \`${name}\`. Consider wrapping the field validator in \`v.optional(...)\` if this is expected.\n${context}\nObject: ${displayValue(object)}\nValidator: ${displayValidator(validator)}`,
  );
}

function extraField(validator: ObjectValidator, object: ValueObject, name: string): Mismatch {
  return mismatch(
    (context) =>
      `Object contains extra field \`${name}\` that is not in the validator.\n${context}\nObject: ${displayValue(object)}\nValidator: ${displayValidator(validator)}`,
  );
}

function literalMismatch(validator: Validator, value: Value): Mismatch {
  return mismatch(
    (context) =>
      `\`${displayValue(value)}\` does not match literal validator \`${displayValidator(validator)}\`.${context}`,
  );
}

function noMatch(validator: Validator, value: Value): Mismatch {
  return mismatch(
    (context) =>
      `Value does not match validator.\n${context}\nValue: ${displayValue(value)}\nValidator: ${displayValidator(validator)}`,
  );
}

function mismatch(message: (context: string) => string): Mismatch {
  return { path: [], message };
}

function at(step: string, inner: Mismatch | null): Mismatch | null {
  inner?.path.push(step);
  return inner;
}

function firstMismatch<Item>(
  items: Iterable<Item>,
  test: (item: Item) => Mismatch | null,
): Mismatch | null {
  for (const item of items) {
    const found = test(item);
    if (found !== null) return found;
  }
  return null;
}

function isObject(value: Value): value is ValueObject {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof ArrayBuffer)
  );
}

function sortedFields(object: ValueObject): [string, Value][] {
  return Object.keys(object)
    .sort()
    .flatMap((name) => {
      const field = object[name];
      return field === undefined ? [] : [[name, field] satisfies [string, Value]];
    });
}
