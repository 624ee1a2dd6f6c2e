import { jsonToConvex } from 'convex/values';
import type { JSONValue, Value } from 'convex/values';
import { HttpError } from './http-error.ts';

/** How a value is written: so that it can be read back, or as JSON that is easy to use. */
export type ValueFormat = 'encoded' | 'clean';

/** Plain JSON is what a caller gets who does not say what he wants. */
export function parseValueFormat(format: unknown): ValueFormat {
  switch (format) {
    case undefined:
    case null:
    case 'json':
    case 'convex_clean_json':
      return 'clean';
    case 'convex_encoded_json':
    case 'convex_json':
      return 'encoded';
    default:
      throw new HttpError(
        400,
        'BadFormat',
        `format must be "json" or "convex_encoded_json". Got ${JSON.stringify(format)}`,
      );
  }
}

/** Convex JSON text in the format asked for. */
export function formatValue(encoded: string, format: ValueFormat): string {
  if (format === 'encoded') return encoded;
  const value: JSONValue = JSON.parse(encoded);
  return JSON.stringify(clean(jsonToConvex(value)));
}

/** Integers become decimal text, bytes base64, and numbers that JSON has not their names. */
function clean(value: Value): JSONValue {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map(clean);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter((entry): entry is [string, Value] => entry[1] !== undefined)
      .map(([name, field]) => [name, clean(field)]),
  );
}
