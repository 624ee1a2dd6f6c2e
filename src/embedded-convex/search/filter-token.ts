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
  const key = encodeKey([value]);
  const bytes = key.length < hashBytes ? key : createHash('sha256').update(key).digest();
  return `¶${position.toString(36)}${Buffer.from(bytes).toString('hex')}`;
}

/** Longer keys are stored as their SHA-256, as upstream stores them. */
const hashBytes = 32;

/** Of a document, one for each filter field, separated by spaces. */
export function filterTokens(fields: readonly IndexField[], document: DocValue): string {
  return fields
    .map(({ path }, position) => filterToken(position, valueAt(document, path)))
    .join(' ');
}
