import { jsonToConvex } from 'convex/values';
import type { JSONValue, Value } from 'convex/values';
import type { DocValue } from '../doc.ts';
import { SnapshotError } from './snapshot-error.ts';

/**
 * One document of a snapshot, from the text that the database holds. In a snapshot a number
 * without a point is an int64, so 42 becomes `42.0`, and the int64 `42`; bytes and what JSON has
 * no number for stay `{"$bytes"}` and `{"$float"}`. As Convex's own exports have it since 2025.
 */
export function toSnapshotLine(json: string): string {
  // The database holds what `Doc.encode` wrote.
  return toText(JSON.parse(json) as JSONValue);
}

/** Throws a `SnapshotError` when the line is no document. */
export function fromSnapshotLine(line: string): DocValue {
  const value: unknown = JSON.parse(line, reviveValue);
  return asDocument(value);
}

/** Of a table that has no `generated_schema.jsonl`: each number is a float64. */
export function fromPlainLine(line: string): DocValue {
  // Whatever JSON is: `jsonToConvex` throws for what it does not know.
  return asDocument(jsonToConvex(JSON.parse(line) as JSONValue));
}

function toText(value: JSONValue): string {
  if (typeof value === 'number') return floatText(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(toText).join(',')}]`;
  const [name, ...more] = Object.keys(value);
  if (name?.startsWith('$') && more.length === 0) {
    const special = jsonToConvex(value);
    if (typeof special === 'bigint') return String(special);
    return Object.is(special, -0) ? '-0.0' : JSON.stringify(value);
  }
  const fields = Object.entries(value).map(
    ([field, inner]) => `${JSON.stringify(field)}:${toText(inner ?? null)}`,
  );
  return `{${fields.join(',')}}`;
}

function floatText(value: number): string {
  const text = String(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

/** Innermost values come first, so an object's own are revived already. */
function reviveValue(_: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value === 'number') return reviveNumber(value, context?.source ?? '');
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const [name] = Object.keys(value);
  // Only these have such a name, and strings within.
  return name?.startsWith('$') ? jsonToConvex(value as JSONValue) : value;
}

function reviveNumber(value: number, source: string): number | bigint {
  if (!/^-?\d+$/.test(source) || source === '-0') return value;
  const integer = BigInt(source);
  return BigInt.asIntN(64, integer) === integer ? integer : value;
}

function asDocument(value: unknown): DocValue {
  const isObject = typeof value === 'object' && value !== null;
  if (!isObject || Array.isArray(value) || value instanceof ArrayBuffer) {
    throw new SnapshotError('SnapshotInvalid', 'a document must be an object');
  }
  return value as { [field: string]: Value }; // what was revived consists of values
}
