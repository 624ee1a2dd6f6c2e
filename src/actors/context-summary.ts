import type { EventObject } from 'xstate';
import type { z } from 'zod';

type Json = z.infer<ReturnType<typeof z.json>>;

interface Bounds {
  /** Deeper than this only sizes are told. */
  depth: number;
  /** Of an object's fields or a list's items. */
  entries: number;
  /** Characters of one string. */
  text: number;
}

const CONTEXT: Bounds = { depth: 3, entries: 20, text: 500 };
/** Events are many, and shown a line each. */
const EVENT: Bounds = { depth: 2, entries: 8, text: 120 };
/** Fields whose value is never shown, whatever it is. */
export const SECRET = /token|secret|password|authorization|cookie|credential|api_?key|^env$/i;

/**
 * What of a machine's context can be shown to a client: bounded, secrets left out, and free
 * of what has no meaning outside of the process. It may be shown, never parsed.
 */
export function contextSummary(context: unknown): Record<string, Json> {
  const summary = summarise(context, 0, CONTEXT);
  return isRecord(summary) ? summary : {};
}

/** The same of an event. */
export function eventSummary(event: EventObject): { type: string; [field: string]: Json } {
  const summary = summarise(event, 0, EVENT);
  return { ...(isRecord(summary) ? summary : {}), type: event.type };
}

function summarise(value: unknown, depth: number, bounds: Bounds): Json | undefined {
  switch (typeof value) {
    case 'string':
      return value.length > bounds.text
        ? `${value.slice(0, bounds.text)}… (${value.length})`
        : value;
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'boolean':
      return value;
    case 'bigint':
      return String(value);
    case 'object':
      return value === null ? null : summariseObject(value, depth, bounds);
    case 'undefined':
    case 'function':
    case 'symbol':
      return undefined;
  }
}

function summariseObject(value: object, depth: number, bounds: Bounds): Json | undefined {
  if (value instanceof Error) return summarise(value.message, depth, bounds);
  if (value instanceof Date) return summarise(value.getTime(), depth, bounds);
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if (value instanceof Map || value instanceof Set) return `${value.size} entries`;
  if ('sessionId' in value && 'send' in value) return `actor ${String(value.sessionId)}`;
  const isList = Array.isArray(value);
  const entries = Object.entries(value);
  if (depth >= bounds.depth) return `${entries.length} ${isList ? 'items' : 'fields'}`;
  const shown: [string, Json][] = [];
  for (const [key, field] of entries.slice(0, bounds.entries)) {
    const summary = SECRET.test(key) ? '[redacted]' : summarise(field, depth + 1, bounds);
    if (summary !== undefined) shown.push([key, summary]);
  }
  if (isList) {
    const items = shown.map(([, item]) => item);
    return entries.length > bounds.entries ? [...items, `… ${entries.length} items`] : items;
  }
  if (entries.length > bounds.entries) shown.push(['…', `${entries.length} fields`]);
  return Object.fromEntries(shown);
}

function isRecord(value: Json | undefined): value is Record<string, Json> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
