import { jsonToConvex } from 'convex/values';
import type { JSONValue, Value } from 'convex/values';
import { isFieldName } from './size.ts';

/**
 * As `jsonToConvex`, but the value shares what it can with `json`, which nobody may change
 * any more: nearly all JSON is the value that it stands for. Throws as that does.
 */
export function fromJson(json: JSONValue): Value {
  return isItself(json) ? json : jsonToConvex(json);
}

/** Nothing in it stands for something else, and all names are good. */
function isItself(json: JSONValue): boolean {
  if (typeof json !== 'object' || json === null) return true;
  if (Array.isArray(json)) return json.every(isItself);
  for (const name of Object.keys(json)) {
    if (name === '__proto__' || !isFieldName(name)) return false;
    const field = json[name];
    if (field === undefined || !isItself(field)) return false;
  }
  return true;
}
