/** An item of a condensed line. Pure. */
import { boundedItem, type WholeItemPlace } from '../bounded-item.ts';
import type { JsonObject, JsonValue, ThreadItem } from '../thread-item.ts';
import { readStandIn, withoutStandIns } from './stand-in.ts';

/** `lineBytes` says how much there is: nobody has counted what the item alone would be. */
export function condensedItem(
  item: ThreadItem,
  place: WholeItemPlace,
  lineBytes: number,
): ThreadItem {
  const { text, data } = item;
  const cleaned = { ...item };
  if (text !== undefined) cleaned.text = withoutStandIns(text);
  if (data !== undefined) cleaned.data = cleanObject(data);
  const bounded = boundedItem(cleaned, place);
  // A turn holds nothing of what its line says.
  if (item.kind === 'turn') return bounded;
  return { ...bounded, truncated: { bytes: lineBytes, ...place } };
}

function cleanObject(object: JsonObject): JsonObject {
  const cleaned: JsonObject = Object.create(null) as JsonObject;
  for (const [key, value] of Object.entries(object)) cleaned[key] = clean(value);
  return cleaned;
}

function clean(value: JsonValue): JsonValue {
  if (typeof value === 'string') {
    const image = readStandIn(value);
    return image ? { ...image } : withoutStandIns(value);
  }
  if (typeof value !== 'object' || value === null) return value;
  return Array.isArray(value) ? value.map(clean) : cleanObject(value);
}
