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

// Neighbouring documents nearly always agree in what they can be filtered by.
let latest = { value: '', digest: '' };

function ofString(value: string): string {
  if (latest.digest === '' || latest.value !== value) latest = { value, digest: digest(value) };
  return latest.digest;
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
