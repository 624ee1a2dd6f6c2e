import { CommitTsPlaceholder, compareValues, jsonToConvex } from 'convex/values';
import type { JSONValue, Value } from 'convex/values';
import type { IndexInfo } from './catalog.ts';
import { FunctionError } from './function-error.ts';
import type { RangeExpression } from './query.ts';
import { displayValue } from './values/display.ts';
import { afterPrefix, encodeKey } from './values/keys.ts';

/** `[from, to)`; null: to the end of the index. */
export interface KeyInterval {
  from: Uint8Array;
  to: Uint8Array | null;
}

export const everything: KeyInterval = { from: new Uint8Array(0), to: null };

export interface CompiledRange {
  interval: KeyInterval;
  /** What the keys cannot decide: conditions on `_id` behind all the fields of the index. */
  acceptsId: ((id: string) => boolean) | null;
}

/**
 * The interval of keys that a range selects: equalities on the first fields of the index, in
 * any order, then bounds on at most one more. `commitTs` is what this transaction writes for
 * `db.vars.commitTs`. Throws a `FunctionError` with Convex's text.
 */
export function compileRange(
  index: IndexInfo,
  range: readonly RangeExpression[],
  commitTs: bigint,
): CompiledRange {
  const conditions = split(index, range, commitTs);
  checkOrder(index, conditions);
  const keyed = index.fields.map((field) => field.name);
  const acceptsId = keyed.includes('_id') ? null : takeIdConditions(conditions);
  const { equal, bounds } = conditions;
  const prefix = keyed.slice(0, equal.size).map((name) => equal.get(name));
  const whole = encodeKey(prefix);
  const interval = {
    from: lowerKey(prefix, whole, bounds.lower),
    to: upperKey(prefix, whole, bounds.upper),
  };
  return { interval, acceptsId };
}

/** `{ "$undefined": null }` stands for a missing field. Throws a `FunctionError` for no value. */
export function rangeValue(json: JSONValue): Value | undefined {
  if (typeof json === 'object' && json !== null && !Array.isArray(json) && '$undefined' in json) {
    return undefined;
  }
  try {
    return jsonToConvex(json);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FunctionError(
      'InvalidArgument',
      `Invalid argument \`query\` for \`queryStream\`: ${reason}`,
      { cause: error },
    );
  }
}

interface Bound {
  value: Value | undefined;
  inclusive: boolean;
}

interface Conditions {
  equal: Map<string, Value | undefined>;
  bounds: Bounds;
}

interface Bounds {
  field: string | null;
  lower: Bound | null;
  upper: Bound | null;
}

const symbols = { Eq: '==', Gt: '>', Gte: '>=', Lt: '<', Lte: '<=' } as const;

function lowerKey(
  prefix: (Value | undefined)[],
  whole: Uint8Array,
  bound: Bound | null,
): Uint8Array {
  if (bound === null) return whole;
  const key = encodeKey([...prefix, bound.value]);
  return bound.inclusive ? key : afterPrefix(key);
}

function upperKey(
  prefix: (Value | undefined)[],
  whole: Uint8Array,
  bound: Bound | null,
): Uint8Array | null {
  if (bound === null) return prefix.length === 0 ? null : afterPrefix(whole);
  const key = encodeKey([...prefix, bound.value]);
  return bound.inclusive ? afterPrefix(key) : key;
}

function split(index: IndexInfo, range: readonly RangeExpression[], commitTs: bigint): Conditions {
  const equal = new Map<string, Value | undefined>();
  const bounds: Bounds = { field: null, lower: null, upper: null };
  for (const expression of range) {
    const given = rangeValue(expression.value);
    const value = given instanceof CommitTsPlaceholder ? commitTs : given;
    const field = expression.fieldPath;
    if (expression.type === 'Eq') {
      if (equal.has(field)) throw alreadyBound('equality', field, '==', equal.get(field));
      equal.set(field, value);
      continue;
    }
    addBound(index, bounds, expression, value);
  }
  if (bounds.field !== null && equal.has(bounds.field)) {
    throw alreadyBound('inequality', bounds.field, '==', equal.get(bounds.field));
  }
  return { equal, bounds };
}

function addBound(
  index: IndexInfo,
  bounds: Bounds,
  expression: RangeExpression,
  value: Value | undefined,
): void {
  const side = expression.type === 'Lt' || expression.type === 'Lte' ? 'upper' : 'lower';
  const field = expression.fieldPath;
  if (bounds[side] !== null) throw alreadyBound(side, field, symbols[expression.type], value);
  if (bounds.field !== null && bounds.field !== field) {
    throw new FunctionError(
      'BoundsOnMultipleFields',
      `Upper and lower bounds in \`range\` can only be applied to a single index field. This query against index ${index.qualifiedName} attempted to set a range bound on both "${bounds.field}" and "${field}". Consider using \`filter\` instead. See https://docs.convex.dev/using/indexes for more info.`,
    );
  }
  bounds.field = field;
  bounds[side] = { value, inclusive: expression.type.endsWith('e') };
}

/** Removes the conditions on `_id` and returns them as a test; null: there are none. */
function takeIdConditions({ equal, bounds }: Conditions): CompiledRange['acceptsId'] {
  if (equal.has('_id')) {
    const wanted = equal.get('_id');
    equal.delete('_id');
    return (id) => id === wanted;
  }
  if (bounds.field !== '_id') return null;
  const { lower, upper } = bounds;
  bounds.lower = null;
  bounds.upper = null;
  return (id) =>
    (lower === null || isWithin(compareValues(id, lower.value), lower)) &&
    (upper === null || isWithin(compareValues(upper.value, id), upper));
}

function isWithin(order: number, bound: Bound): boolean {
  return order > 0 || (bound.inclusive && order === 0);
}

function checkOrder(index: IndexInfo, { equal, bounds }: Conditions): void {
  const bounded = bounds.field;
  if (isInOrder(index, equal, bounded)) return;
  const names = index.fields.map((field) => field.name);
  if (!names.includes('_id')) names.push('_id');
  const rank = new Map(names.map((name, at) => [name, at]));
  for (const field of [...equal.keys(), ...(bounded === null ? [] : [bounded])]) {
    if (!rank.has(field)) throw fieldNotInIndex(index, field);
  }
  const used = [...equal.keys()].sort((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0));
  if (bounded !== null) used.push(bounded);
  const wrong = used.find((field, at) => rank.get(field) !== at);
  if (wrong === undefined) return;
  throw new FunctionError(
    'InvalidIndexRange',
    `Tried to query index ${index.qualifiedName} but the query didn't use the index fields in order.\nIndex fields: ${displayFields(index)}\nQuery fields: [${used.map((field) => `"${field}"`).join(', ')}]\nFirst incorrect field: "${wrong}"\nFor more information see https://docs.convex.dev/using/indexes.`,
  );
}

/** As nearly all queries are: then there is nothing to put in order, and to complain of. */
function isInOrder(index: IndexInfo, equal: Conditions['equal'], bounded: string | null): boolean {
  let at = 0;
  for (const field of equal.keys()) if (index.fields[at++]?.name !== field) return false;
  return bounded === null || index.fields[at]?.name === bounded;
}

function alreadyBound(
  kind: string,
  field: string,
  symbol: string,
  value: Value | undefined,
): FunctionError {
  return new FunctionError(
    'AlreadyDefinedBound',
    `Already defined ${kind} bound in index range. Can't add "${field}" ${symbol} ${displayValue(value)}.`,
  );
}

function fieldNotInIndex(index: IndexInfo, field: string): FunctionError {
  return new FunctionError(
    'FieldNotInIndex',
    `The index range included a comparison with "${field}", but ${index.qualifiedName} with fields ${displayFields(index)} doesn't index this field. For more information see https://docs.convex.dev/using/indexes.`,
  );
}

function displayFields(index: IndexInfo): string {
  const names = index.fields.map((field) => field.name).filter((name) => name !== '_id');
  return `[${names.map((name) => `"${name}"`).join(', ')}]`;
}
