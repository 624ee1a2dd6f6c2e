import { createHash } from 'node:crypto';
import type { Value } from 'convex/values';
import { valueAt } from '../index-field.ts';
import type { IndexField } from '../index-field.ts';
import type { DocValue } from '../doc.ts';
import { encodeKey } from '../values/keys.ts';

/**
 * A value of a filter field as one term, equal for equal values and no others. `position` is
 * the field's place in its index. Begins with a character that no term of a text has.
 */
export function filterToken(position: number, value: Value | undefined): string {
  return `¶${position.toString(36)}${typeof value === 'string' ? ofString(value) : digest(value)}`;
}

/** What was asked last: neighbouring documents mostly agree in what they can be filtered by. */
const known = new Map<string, string>();
/** Values; the threads that are written at the same time, and a few kinds. */
const mostKnown = 64;
/** Characters: an id, a name. */
const longestKnown = 128;

function ofString(value: string): string {
  const before = known.get(value);
  if (before !== undefined) return before;
  const found = digest(value);
  if (known.size === mostKnown) known.clear();
  if (value.length <= longestKnown) known.set(value, found);
  return found;
}

function digest(value: Value | undefined): string {
  const key = encodeKey([value]);
  const bytes = key.length < hashBytes ? key : createHash('sha256').update(key).digest();
  return Buffer.from(bytes).toString('hex');
}

/** Longer keys are stored as their SHA-256, as upstream stores them. */
const hashBytes = 32;

/** Of a document, one for each filter field, separated by spaces. */
export function filterTokens(fields: readonly IndexField[], document: DocValue): string {
  return fields
    .map(({ path }, position) => filterToken(position, valueAt(document, path)))
    .join(' ');
}
