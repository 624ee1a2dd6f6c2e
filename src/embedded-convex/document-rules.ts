import { CommitTsPlaceholder } from 'convex/values';
import type { Value } from 'convex/values';
import type { DocValue } from './doc.ts';
import { FunctionError } from './function-error.ts';
import { displayValue } from './values/display.ts';

/** `_id` and `_creationTime` may be given if they say what is true anyway; nothing else with `_`. */
export function checkSystemFields(id: string, creationTime: number, value: DocValue): void {
  const { _id: givenId, _creationTime: givenTime } = value;
  if (givenId !== undefined && givenId !== id) {
    throw new FunctionError(
      'InvalidIdError',
      `Provided document ID "${id}" doesn't match '_id' field ${displayValue(givenId)}`,
    );
  }
  if (givenTime !== undefined && givenTime !== creationTime) {
    throw new FunctionError(
      'InvalidCreationTimeError',
      `Provided creation time ${displayValue(creationTime)} doesn't match '_creationTime' field in ${displayValue(value)}`,
    );
  }
  for (const name of Object.keys(value)) {
    if (name.startsWith('_') && name !== '_id' && name !== '_creationTime') {
      throw new FunctionError(
        'InvalidDocumentError',
        `Field '${name}' starts with an underscore, which is only allowed for system fields like '_id'`,
      );
    }
  }
}

/** Of a table that is about to be created. */
export function checkTableName(name: string): void {
  if (name.startsWith('_')) {
    throw new FunctionError(
      'InvalidTableName',
      `Invalid table name ${name} starts with metadata prefix '_'`,
    );
  }
  if (!/^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(name)) {
    throw new FunctionError(
      'InvalidArgument',
      `Invalid argument \`table\` for \`db.insert\`: Invalid table name: "${name}". Identifiers must start with a letter and can only contain letters, digits, and underscores.`,
    );
  }
}

/** What a schema describes. */
export function withoutSystemFields(value: DocValue): DocValue {
  const { _id, _creationTime, ...rest } = value;
  return _id === undefined && _creationTime === undefined ? value : rest;
}

/** The whole document, its fields in the order of their names, as its text will have them. */
export function withSystemFields(value: DocValue, id: string, creationTime: number): DocValue {
  const document: DocValue = {};
  for (const name of Object.keys(value).concat('_creationTime', '_id').sort()) {
    document[name] = value[name];
  }
  document['_creationTime'] = creationTime;
  document['_id'] = id;
  return document;
}

/** The value with every `db.vars.commitTs` replaced; itself when there is none. */
export function withCommitTs(value: DocValue, ts: bigint): DocValue {
  // The copy of an object is an object.
  return hasPlaceholder(value) ? (replacePlaceholders(value, ts) as DocValue) : value;
}

/** Whether `db.vars.commitTs` is somewhere in it. */
export function hasPlaceholder(value: Value | undefined): boolean {
  if (typeof value !== 'object' || value === null || value instanceof ArrayBuffer) return false;
  if (value instanceof CommitTsPlaceholder) return true;
  return Array.isArray(value)
    ? value.some(hasPlaceholder)
    : Object.values(value).some(hasPlaceholder);
}

function replacePlaceholders(value: Value | undefined, ts: bigint): Value | undefined {
  if (typeof value !== 'object' || value === null || value instanceof ArrayBuffer) return value;
  if (value instanceof CommitTsPlaceholder) return ts;
  if (Array.isArray(value)) {
    return value.map((element) => replacePlaceholders(element, ts) ?? null);
  }
  const copy: DocValue = {};
  for (const [name, field] of Object.entries(value)) copy[name] = replacePlaceholders(field, ts);
  return copy;
}
