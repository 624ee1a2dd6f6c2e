import { CommitTsPlaceholder } from 'convex/values';
import type { Value } from 'convex/values';

/**
 * Index keys: byte strings whose `memcmp` order is Convex's order of values, across all
 * types. The format is Convex's own (tagged, self-delimiting, after FoundationDB's tuple
 * layer), so no key of an index is a prefix of another key of the same index.
 */
export function encodeKey(values: readonly (Value | undefined)[]): Uint8Array {
  length = 0;
  for (const value of values) writeValue(value);
  // A copy: a buffer's own slice would be a view of the scratch.
  return new Uint8Array(scratch.subarray(0, length));
}

/**
 * Lies behind every key that starts with the values of `prefix`, and before every other key
 * behind them. (Counting up the last byte would take in `"a\0…"` for `"a"`: behind a string's
 * end comes either a tag or, when the zero belongs to a longer string, the escape byte.)
 */
export function afterPrefix(prefix: Uint8Array): Uint8Array {
  const end = new Uint8Array(prefix.length + 1);
  end.set(prefix);
  end[prefix.length] = escape;
  return end;
}

/** The very next byte string: `[key, afterKey(key))` holds `key` alone. */
export function afterKey(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/** For sorting and searching; -1, 0 or 1. */
export function compareKeys(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

const tag = {
  undefined: 0x01,
  null: 0x03,
  /** ±1 … ±4 from here: 1, 2, 4 or 8 bytes follow. */
  zero: 0x08,
  float: 0x0d,
  false: 0x0e,
  true: 0x0f,
  string: 0x10,
  bytes: 0x11,
  array: 0x12,
  object: 0x15,
} as const;

const terminator = 0x00;
/** Follows a zero byte inside a string or bytes; no tag has this value. */
const escape = 0xff;

// One buffer for all keys: encoding never awaits, so nobody else can be in the middle of one.
let scratch = Buffer.alloc(4096);
let length = 0;

function writeValue(value: Value | undefined): void {
  switch (typeof value) {
    case 'undefined':
      return writeByte(tag.undefined);
    case 'string':
      writeByte(tag.string);
      return writeString(value);
    case 'number':
      return writeFloat(value);
    case 'boolean':
      return writeByte(value ? tag.true : tag.false);
    case 'bigint':
      return writeInteger(value);
    default:
      return writeObject(value);
  }
}

function writeObject(value: Extract<Value, object> | null): void {
  if (value === null) return writeByte(tag.null);
  if (value instanceof ArrayBuffer) {
    writeByte(tag.bytes);
    return writeEscaped(new Uint8Array(value));
  }
  // Unresolved commit timestamps are later than every resolved one.
  if (value instanceof CommitTsPlaceholder) return writeInteger(2n ** 63n - 1n);
  if (Array.isArray(value)) {
    writeByte(tag.array);
    for (const element of value) writeValue(element);
    return writeByte(terminator);
  }
  writeByte(tag.object);
  for (const name of Object.keys(value).sort()) {
    const field = value[name];
    if (field === undefined) continue;
    writeFieldName(name);
    writeValue(field);
  }
  writeByte(terminator);
}

/** The empty name's terminator is escaped, or it would end the object. */
function writeFieldName(name: string): void {
  if (name !== '') return writeString(name);
  writeByte(terminator);
  writeByte(escape);
}

function writeFloat(value: number): void {
  reserve(9);
  scratch[length] = tag.float;
  scratch.writeDoubleBE(value, length + 1);
  // Negative: all bits turned, so that larger magnitudes sort first; else the sign bit set.
  const negative = (scratch[length + 1] ?? 0) >= 0x80;
  if (negative) {
    for (let at = length + 1; at < length + 9; at += 1) scratch[at] = ~(scratch[at] ?? 0);
  } else {
    scratch[length + 1] = (scratch[length + 1] ?? 0) | 0x80;
  }
  length += 9;
}

function writeInteger(value: bigint): void {
  if (value === 0n) return writeByte(tag.zero);
  // Two's complement: n bytes hold -2^(8n-1) … 2^(8n-1)-1.
  const magnitude = value < 0n ? -value - 1n : value;
  const step = magnitude < 0x80n ? 1 : magnitude < 0x8000n ? 2 : magnitude < 0x80000000n ? 3 : 4;
  const bytes = 1 << (step - 1);
  reserve(9);
  scratch[length] = value < 0n ? tag.zero - step : tag.zero + step;
  const wide = BigInt.asUintN(64, value);
  for (let at = 0; at < bytes; at += 1) {
    scratch[length + bytes - at] = Number((wide >> BigInt(8 * at)) & 0xffn);
  }
  length += 1 + bytes;
}

function writeString(value: string): void {
  if (!value.isWellFormed()) return writeEscaped(generalizedUtf8(value));
  // A UTF-16 unit takes at most three bytes; a zero byte doubles.
  reserve(value.length * 3 + 1);
  const written = scratch.write(value, length, 'utf8');
  if (scratch.subarray(length, length + written).includes(terminator)) {
    return writeEscaped(Uint8Array.from(scratch.subarray(length, length + written)));
  }
  length += written;
  writeByte(terminator);
}

function writeEscaped(bytes: Uint8Array): void {
  reserve(bytes.length * 2 + 1);
  for (const byte of bytes) {
    scratch[length++] = byte;
    if (byte === terminator) scratch[length++] = escape;
  }
  writeByte(terminator);
}

/**
 * UTF-8 that also encodes unpaired surrogates, three bytes each, as `compareValues` does.
 * The plain encoder would make them all U+FFFD, and different strings equal.
 */
function generalizedUtf8(value: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of value) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0xd800 && code <= 0xdfff) {
      bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    } else {
      bytes.push(...Buffer.from(character, 'utf8'));
    }
  }
  return Uint8Array.from(bytes);
}

function writeByte(byte: number): void {
  reserve(1);
  scratch[length++] = byte;
}

function reserve(bytes: number): void {
  if (length + bytes <= scratch.length) return;
  const larger = Buffer.alloc(Math.max(scratch.length * 2, length + bytes));
  scratch.copy(larger, 0, 0, length);
  scratch = larger;
}
