import { CommitTsPlaceholder } from 'convex/values';
import type { Value } from 'convex/values';
import { FunctionError } from '../function-error.ts';
import { displayBytes } from './display.ts';

export interface Measure {
  /** Bytes, as Convex counts them. */
  size: number;
  /** 0 for a plain value, 1 for an array or object of plain values. */
  depth: number;
  /** `JSON.stringify` writes it exactly as `convexToJson` would have it, so that can be spared. */
  isPlainJson: boolean;
}

/** Checks a value against Convex's limits of form: lengths, depth, field names. */
export function measure(value: Value | undefined): Measure {
  deepest = 0;
  isPlainJson = true;
  const size = sizeOf(value, 0);
  return { size, depth: deepest, isPlainJson };
}

/** The same for a whole document, system fields included. */
export function checkDocument(document: Value): Measure {
  const measured = measure(document);
  const { size, depth } = measured;
  if (depth > maximumDocumentDepth) {
    throw new FunctionError(
      'InvalidDocumentError',
      `Document is too nested (nested ${depth} levels deep > maximum nesting ${maximumDocumentDepth})`,
    );
  }
  if (size > maximumDocumentSize) {
    throw new FunctionError(
      'ValueTooLargeError',
      `Value is too large (${displayBytes(size)} > maximum size ${displayBytes(maximumDocumentSize)})`,
    );
  }
  return measured;
}

// Convex's limits, from the open-source backend. Bytes, levels and counts.
const maximumDocumentSize = 1 << 20;
const maximumDocumentDepth = 16;
const maximumValueDepth = 64;
const maximumArrayLength = 8192;
const maximumFields = 1024;
const maximumFieldNameLength = 1024;

let deepest = 0;
let isPlainJson = true;

function sizeOf(value: Value | undefined, depth: number): number {
  switch (typeof value) {
    case 'undefined':
      return 0;
    case 'string':
      return 2 + Buffer.byteLength(value, 'utf8');
    case 'number':
      if (!Number.isFinite(value) || Object.is(value, -0)) isPlainJson = false;
      return 9;
    case 'boolean':
      return 1;
    case 'object':
      return value === null ? 1 : objectSize(value, depth + 1);
    default:
      // A bigint; or what is no Convex value at all, as convexToJson will say.
      isPlainJson = false;
      return 9;
  }
}

function objectSize(value: Extract<Value, object>, depth: number): number {
  if (Array.isArray(value)) return arraySize(value, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    isPlainJson = false;
    if (value instanceof ArrayBuffer) return 2 + value.byteLength;
    if (value instanceof CommitTsPlaceholder) return 9;
  }
  // What is left are objects of fields.
  return fieldsSize(value as { [name: string]: Value | undefined }, depth);
}

function arraySize(value: Value[], depth: number): number {
  checkDepth(depth);
  checkArrayLength(value.length);
  let size = 2;
  for (const element of value) size += sizeOf(element, depth);
  return size;
}

function fieldsSize(value: { [name: string]: Value | undefined }, depth: number): number {
  checkDepth(depth);
  let size = 2;
  let fields = 0;
  let previous = '';
  for (const name of Object.keys(value)) {
    const field = value[name];
    if (field === undefined) continue;
    fields += 1;
    checkFieldName(name);
    if (name < previous) isPlainJson = false;
    previous = name;
    size += name.length + 1 + sizeOf(field, depth);
  }
  checkFieldCount(fields);
  return size;
}

function checkDepth(depth: number): void {
  if (depth > deepest) deepest = depth;
  if (depth <= maximumValueDepth) return;
  throw new FunctionError(
    'TooNestedError',
    `Value is too nested (nested ${depth} levels deep > maximum nesting ${maximumValueDepth})`,
  );
}

function checkArrayLength(length: number): void {
  if (length <= maximumArrayLength) return;
  throw new FunctionError(
    'ArrayTooLong',
    `Array length is too long (${length} > maximum length ${maximumArrayLength})`,
  );
}

function checkFieldCount(fields: number): void {
  if (fields <= maximumFields) return;
  throw new FunctionError(
    'TooManyFieldsError',
    `Object has too many fields (${fields} > maximum number ${maximumFields})`,
  );
}

function checkFieldName(name: string): void {
  if (!isFieldName(name)) throw new FunctionError('InvalidFieldName', fieldNameProblem(name));
}

/** Printable ASCII, not starting with `$`. A loop: every field of every write comes by here. */
export function isFieldName(name: string): boolean {
  if (name.length > maximumFieldNameLength || name.charCodeAt(0) === 0x24) return false;
  for (let at = 0; at < name.length; at += 1) {
    const code = name.charCodeAt(at);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}

function fieldNameProblem(name: string): string {
  if (name.startsWith('$')) return `Field name ${name} starts with '$', which is reserved.`;
  const bad = /[^\x20-\x7e]/u.exec(name);
  if (bad !== null) {
    return `Field name ${name} has invalid character '${bad[0]}': Field names can only contain non-control ASCII characters`;
  }
  return `Field name is too long (${name.length} > maximum ${maximumFieldNameLength})`;
}
