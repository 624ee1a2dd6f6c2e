/**
 * Items of bounded size. Convex takes at most 1 MiB a document, and subscribers
 * should not be sent that much for one row: text and data of more than 256 KiB
 * together are cut, and the item says how much there was and where the whole is. Pure.
 */
import type { JsonObject, JsonValue, ThreadItem } from './thread-item.ts';

/** UTF-8 bytes of one item's text and data together. */
export const MAX_ITEM_BYTES = 256 * 1024;
/** What a container may cost beside its strings, so that a million small ones end too. */
const BYTES_PER_VALUE = 8;

/** Where the whole is: a file and the offset of the line in it. */
export interface WholeItemPlace {
  path: string;
  offset: number;
}

/** The item itself when it is small enough, as nearly all are. */
export function boundedItem(item: ThreadItem, place: WholeItemPlace): ThreadItem {
  const text = item.text?.toWellFormed();
  const wellFormed = text === item.text || text === undefined ? item : { ...item, text };
  const size = sizeOf(item.text) + sizeOf(item.data);
  if (size <= MAX_ITEM_BYTES) return wellFormed;
  const budget = { left: MAX_ITEM_BYTES };
  const cut: ThreadItem = { ...wellFormed, truncated: { bytes: size, ...place } };
  if (text !== undefined) cut.text = cutString(text, budget);
  if (item.data) cut.data = cutObject(item.data, budget);
  return cut;
}

interface Budget {
  left: number;
}

function sizeOf(value: JsonValue | undefined): number {
  if (typeof value === 'string') return Buffer.byteLength(value) + BYTES_PER_VALUE;
  if (typeof value !== 'object' || value === null) return BYTES_PER_VALUE;
  let size = BYTES_PER_VALUE;
  for (const [key, entry] of Object.entries(value)) size += key.length + sizeOf(entry);
  return size;
}

function cutValue(value: JsonValue, budget: Budget): JsonValue {
  if (typeof value === 'string') return cutString(value, budget);
  budget.left -= BYTES_PER_VALUE;
  if (typeof value !== 'object' || value === null) return value;
  if (!Array.isArray(value)) return cutObject(value, budget);
  const entries: JsonValue[] = [];
  for (const entry of value) {
    if (budget.left <= 0) break;
    entries.push(cutValue(entry, budget));
  }
  return entries;
}

/**
 * Small fields first: a long output must not cost the exit code behind it. Every key
 * stays, unless an object has more of them than there is room for.
 */
function cutObject(object: JsonObject, budget: Budget): JsonObject {
  const smallFirst = Object.entries(object)
    .map(([key, value]) => ({ key, value, size: sizeOf(value) }))
    .sort((left, right) => left.size - right.size);
  const cut = new Map<string, JsonValue>();
  for (const { key, value } of smallFirst) {
    if (budget.left <= 0) break;
    budget.left -= key.length;
    cut.set(key, cutValue(value, budget));
  }
  const kept = Object.keys(object).filter((key) => cut.has(key));
  return Object.fromEntries(kept.map((key) => [key, cut.get(key) ?? null]));
}

/** Cuts between characters, never inside of one. */
function cutString(text: string, budget: Budget): string {
  const room = Math.max(0, budget.left - BYTES_PER_VALUE);
  const bytes = Buffer.byteLength(text);
  budget.left -= Math.min(bytes, room) + BYTES_PER_VALUE;
  if (bytes <= room) return text;
  const encoded = Buffer.from(text.slice(0, room));
  let end = Math.min(room, encoded.length);
  // 10xxxxxx continues a character.
  while (end > 0 && ((encoded[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return encoded.toString('utf8', 0, end);
}
