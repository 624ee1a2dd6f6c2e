import { jsonToConvex } from 'convex/values';
import type { ValidatorJSON, Value } from 'convex/values';
import { displayLiteral } from './values/display.ts';

/** A parsed validator, as `check` and `isSubset` use it. */
export type Validator =
  | { type: 'any' | 'null' | 'number' | 'bigint' | 'boolean' | 'string' | 'bytes' | 'commitTs' }
  | { type: 'literal'; value: Value }
  | { type: 'id'; tableName: string }
  | { type: 'array'; element: Validator }
  | { type: 'record'; keys: Validator; values: Validator }
  | { type: 'object'; fields: Map<string, FieldValidator> }
  | { type: 'union'; members: Validator[] };

interface FieldValidator {
  validator: Validator;
  optional: boolean;
}

export type ObjectValidator = Extract<Validator, { type: 'object' }>;

/** Reads what `exportArgs()`, `exportReturns()` and `schema.export()` hold. */
export function parseValidator(json: ValidatorJSON): Validator {
  switch (json.type) {
    case 'literal':
      return { type: 'literal', value: jsonToConvex(json.value) };
    case 'id':
      return { type: 'id', tableName: json.tableName };
    case 'array':
      return { type: 'array', element: parseValidator(json.value) };
    case 'record':
      return parseRecord(json);
    case 'object':
      return parseObject(json);
    case 'union':
      return { type: 'union', members: json.value.map(parseValidator) };
    case 'any':
    case 'null':
    case 'number':
    case 'bigint':
    case 'boolean':
    case 'string':
    case 'bytes':
    case 'commitTs':
      return { type: json.type };
    default:
      // A newer `convex` package may know kinds that this server does not.
      throw new TypeError(`Unknown validator type ${JSON.stringify(json)}`);
  }
}

/** The validator as its author would write it: `v.object({a: v.optional(v.string())})`. */
export function displayValidator(validator: Validator): string {
  switch (validator.type) {
    case 'number':
      return 'v.float64()';
    case 'bigint':
      return 'v.int64()';
    case 'literal':
      return `v.literal(${displayLiteral(validator.value)})`;
    case 'id':
      return `v.id("${validator.tableName}")`;
    case 'array':
      return `v.array(${displayValidator(validator.element)})`;
    case 'record':
      return `v.record(${displayValidator(validator.keys)}, ${displayValidator(validator.values)})`;
    case 'object':
      return `v.object({${[...validator.fields].map(displayField).join(', ')}})`;
    case 'union':
      return `v.union(${validator.members.map(displayValidator).join(', ')})`;
    default:
      return `v.${validator.type}()`;
  }
}

/**
 * Whether surely every value that `narrow` accepts is accepted by `wide`. A wrong no costs
 * only a scan of the table; a wrong yes would let rows through that do not fit.
 */
export function isSubset(narrow: Validator, wide: Validator): boolean {
  if (wide.type === 'any') return true;
  if (narrow.type === 'union') return narrow.members.every((member) => isSubset(member, wide));
  if (wide.type === 'union') return wide.members.some((member) => isSubset(narrow, member));
  if (narrow.type === 'array' && wide.type === 'array') {
    return isSubset(narrow.element, wide.element);
  }
  if (narrow.type === 'record' && wide.type === 'record') {
    return isSubset(narrow.keys, wide.keys) && isSubset(narrow.values, wide.values);
  }
  if (narrow.type === 'object' && wide.type === 'object') return isObjectSubset(narrow, wide);
  if (narrow.type === 'literal') return isLiteralSubset(narrow.value, wide);
  if (narrow.type === 'id') {
    return wide.type === 'string' || (wide.type === 'id' && wide.tableName === narrow.tableName);
  }
  const integers = ['bigint', 'commitTs'];
  if (integers.includes(narrow.type)) return integers.includes(wide.type);
  // What is left has no parts, except containers against something else.
  return narrow.type === wide.type;
}

function isObjectSubset(narrow: ObjectValidator, wide: ObjectValidator): boolean {
  for (const name of narrow.fields.keys()) if (!wide.fields.has(name)) return false;
  for (const [name, field] of wide.fields) {
    const before = narrow.fields.get(name);
    if (before === undefined) {
      if (!field.optional) return false;
    } else if (
      (before.optional && !field.optional) ||
      !isSubset(before.validator, field.validator)
    ) {
      return false;
    }
  }
  return true;
}

function isLiteralSubset(value: Value, wide: Validator): boolean {
  if (wide.type === 'literal') return Object.is(wide.value, value);
  return wide.type === (typeof value as string);
}

function parseRecord(json: Extract<ValidatorJSON, { type: 'record' }>): Validator {
  const keys = parseValidator(json.keys);
  if (!isSubset(keys, { type: 'string' })) {
    throw new TypeError(
      `Records can only have string keys. Your validator contains a record with key typed as \`${displayValidator(keys)}\`, which is not a subtype of \`v.string()\``,
    );
  }
  return { type: 'record', keys, values: parseValidator(json.values.fieldType) };
}

function parseObject(json: Extract<ValidatorJSON, { type: 'object' }>): ObjectValidator {
  // In the order of names: the first complaint is then always the same one.
  const names = Object.keys(json.value).sort();
  const fields = new Map<string, FieldValidator>();
  for (const name of names) {
    const field = json.value[name];
    if (field === undefined) continue;
    checkIdentifier(name);
    fields.set(name, { validator: parseValidator(field.fieldType), optional: field.optional });
  }
  return { type: 'object', fields };
}

/** Fields of documents may have other names, but no validator can speak of them. */
function checkIdentifier(name: string): void {
  const [first = ''] = name;
  const invalid = /[^A-Za-z0-9_]/.exec(name.slice(1))?.[0];
  if (name === '') throw new TypeError('Identifier cannot be empty');
  if (!/[A-Za-z_]/.test(first)) {
    throw new TypeError(
      `Invalid first character '${first}' in ${name}: Identifiers must start with an alphabetic character or underscore`,
    );
  }
  if (invalid !== undefined) {
    throw new TypeError(
      `Identifier ${name} has invalid character '${invalid}': Identifiers can only contain alphanumeric characters or underscores`,
    );
  }
  if (name.length > maximumIdentifierLength) {
    throw new TypeError(
      `Identifier is too long (${name.length} > maximum ${maximumIdentifierLength})`,
    );
  }
  if (/^_+$/.test(name)) {
    throw new TypeError(`Identifier ${name} cannot have exclusively underscores`);
  }
}

/** Convex's; characters, all of them ASCII. */
const maximumIdentifierLength = 64;

function displayField([name, field]: [string, FieldValidator]): string {
  const type = displayValidator(field.validator);
  return `${name}: ${field.optional ? `v.optional(${type})` : type}`;
}
