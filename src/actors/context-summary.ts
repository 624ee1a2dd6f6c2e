import type { z } from 'zod';

type Json = z.infer<ReturnType<typeof z.json>>;

/** Deeper than this only sizes are told. */
const MAX_DEPTH = 3;
/** Of an object's fields or a list's items. */
const MAX_ENTRIES = 20;
/** Characters of one string. */
const MAX_TEXT = 500;
/** Fields whose value is never shown, whatever it is. */
const SECRET = /token|secret|password|authorization|cookie|credential|api_?key|^env$/i;

/**
 * What of a machine's context can be shown to a client: bounded, secrets left out, and free
 * of what has no meaning outside of the process. It may be shown, never parsed.
 */
export function contextSummary(context: unknown): Record<string, Json> {
  const summary = summarise(context, 0);
  return isRecord(summary) ? summary : {};
}

function summarise(value: unknown, depth: number): Json | undefined {
  switch (typeof value) {
    case 'string':
      return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}… (${value.length})` : value;
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'boolean':
      return value;
    case 'bigint':
      return String(value);
    case 'object':
      return value === null ? null : summariseObject(value, depth);
    case 'undefined':
    case 'function':
    case 'symbol':
      return undefined;
  }
}

function summariseObject(value: object, depth: number): Json | undefined {
  if (value instanceof Error) return summarise(value.message, depth);
  if (value instanceof Date) return summarise(value.getTime(), depth);
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if (value instanceof Map || value instanceof Set) return `${value.size} entries`;
  if ('sessionId' in value && 'send' in value) return `actor ${String(value.sessionId)}`;
  const isList = Array.isArray(value);
  const entries = Object.entries(value);
  if (depth >= MAX_DEPTH) return `${entries.length} ${isList ? 'items' : 'fields'}`;
  const shown: [string, Json][] = [];
  for (const [key, field] of entries.slice(0, MAX_ENTRIES)) {
    const summary = SECRET.test(key) ? '[redacted]' : summarise(field, depth + 1);
    if (summary !== undefined) shown.push([key, summary]);
  }
  if (isList) {
    const items = shown.map(([, item]) => item);
    return entries.length > MAX_ENTRIES ? [...items, `… ${entries.length} items`] : items;
  }
  if (entries.length > MAX_ENTRIES) shown.push(['…', `${entries.length} fields`]);
  return Object.fromEntries(shown);
}

function isRecord(value: Json | undefined): value is Record<string, Json> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
