import { Base64 } from 'convex/values';
import type { Value } from 'convex/values';

/** A value as Convex's error messages show it: `{a: 1.0, b: "text", c: [true, null]}`. */
export function displayValue(value: Value | undefined): string {
  if (value === undefined) return 'undefined';
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return displayString(value);
  if (typeof value === 'number') return displayFloat(value);
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof ArrayBuffer) return `b"${Base64.fromByteArray(new Uint8Array(value))}"`;
  if (Array.isArray(value)) return `[${value.map(displayValue).join(', ')}]`;
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, field]) => `${name}: ${displayValue(field)}`);
  return `{${fields.join(', ')}}`;
}

/** Inside `v.literal(…)`. */
export function displayLiteral(value: Value): string {
  if (typeof value === 'bigint') return '<bigint>';
  if (typeof value === 'number') {
    return Number.isFinite(value) ? displayFloat(value) : '<number>';
  }
  return JSON.stringify(value);
}

/** The type's name in messages about filters. */
export function typeName(value: Value | undefined): string {
  if (value === undefined) return 'undefined';
  if (value === null) return 'Null';
  if (typeof value === 'boolean') return 'Boolean';
  if (typeof value === 'string') return 'String';
  if (typeof value === 'number') return 'Float64';
  if (typeof value === 'bigint') return 'Int64';
  if (value instanceof ArrayBuffer) return 'Bytes';
  return Array.isArray(value) ? 'Array' : 'Object';
}

/** 1536 → `1.50 KiB`, 1048576 → `1 MiB`. */
export function displayBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${Number.isInteger(size) ? size : size.toFixed(2)} ${units[unit]}`;
}

/** Whole numbers keep `.0`, so that they differ from int64 values. */
function displayFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  const magnitude = Math.abs(value);
  if (magnitude >= 1e16 || (magnitude !== 0 && magnitude < 1e-4)) {
    return value.toExponential().replace('e+', 'e');
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

function displayString(value: string): string {
  const named: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\\0' };
  const body = value.replace(/["\\\p{Cc}\p{Cs}]/gu, (character) => {
    if (character === '"' || character === '\\') return `\\${character}`;
    return named[character] ?? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
  return `"${body}"`;
}
