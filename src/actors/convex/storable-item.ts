import type { JsonObject, JsonValue, ThreadItem } from '../../codex/thread-item.ts';

/** A document has at most 16 levels; the document itself and `data` are two of them. */
const MAX_DEPTH = 13;

/**
 * An item as Convex can hold it: what lies deeper in `data` than a document may go
 * becomes `{ json: "…" }`. Size and characters are bounded where items are made.
 */
export function storableItem(item: ThreadItem): ThreadItem {
  if (item.data === undefined || !isTooDeep(item.data, 0)) return item;
  return { ...item, data: mapFields(item.data, (part) => flattened(part, 1)) };
}

function isTooDeep(value: JsonValue, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depth > MAX_DEPTH || Object.values(value).some((part) => isTooDeep(part, depth + 1));
}

function flattened(value: JsonValue, depth: number): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return { json: JSON.stringify(value) };
  const flatten = (part: JsonValue) => flattened(part, depth + 1);
  return Array.isArray(value) ? value.map(flatten) : mapFields(value, flatten);
}

function mapFields(object: JsonObject, change: (part: JsonValue) => JsonValue): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([key, part]) => [key, change(part)]));
}
