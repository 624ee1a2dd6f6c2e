/** One line of a session file, parsed as far as every kind of line has it in common. */
import { z } from 'zod';
import { parseJson } from '../parse-json.ts';
import type { LineProblem } from './rollout-reader.ts';

export interface RolloutLine {
  type: string;
  payload: LinePayload;
  /** Milliseconds since the epoch; absent when the line has none that can be read. */
  ts?: number;
  ordinal?: number;
  metadata?: Record<string, unknown>;
}

type LinePayload = Record<string, unknown> & { type?: string };

export type ParsedLine =
  | { ok: true; value: unknown; line?: RolloutLine }
  | { ok: false; problem: LineProblem };

/** Payloads pass through by reference: each kind has its own schema, and most lines are left out. */
const object = z.custom<Record<string, unknown>>(isObject);

const payloadObject = z.custom<LinePayload>(isObject);

const envelope = z.object({
  type: z.string(),
  payload: payloadObject,
  timestamp: z.string().optional().catch(undefined),
  ordinal: z.number().optional().catch(undefined),
  metadata: object.optional().catch(undefined),
});

/**
 * `line` is set when the line is wrapped (`{timestamp, type, payload}`, every release
 * since 2025-09); without it `value` is an object of the bare generation.
 */
export function parseLine(text: string): ParsedLine {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    return malformed(`not JSON: ${error instanceof Error ? shorten(error.message) : 'unknown'}`);
  }
  if (!isObject(value)) return malformed('not a JSON object');
  // Half of a bare file are records without one: a refusal by the schema costs much more.
  const parsed = Object.hasOwn(value, 'payload') ? envelope.safeParse(value) : undefined;
  if (!parsed?.success) return { ok: true, value };
  const { type, payload, timestamp, ordinal, metadata } = parsed.data;
  const ts = timestamp === undefined ? Number.NaN : Date.parse(timestamp);
  const line: RolloutLine = { type, payload };
  if (!Number.isNaN(ts)) line.ts = ts;
  if (ordinal !== undefined) line.ordinal = ordinal;
  if (metadata) line.metadata = metadata;
  return { ok: true, value, line };
}

/** Why a schema refused, in one short line. */
export function refusal(error: z.ZodError): string {
  const [issue] = error.issues;
  const path = issue?.path.join('.') ?? '';
  return `${path === '' ? 'the line' : path}: ${issue?.message ?? 'invalid'}`;
}

function malformed(reason: string): ParsedLine {
  return { ok: false, problem: { kind: 'malformed', reason } };
}

/** The engine quotes the text that it could not read; the reason must not carry content. */
function shorten(message: string): string {
  return message.replace(/,? ?(?:\.\.\.)?".*$/s, '').slice(0, 120);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
