/**
 * Lines of the bare generation (before 0.30): the model's items as they are, a first
 * line with the thread's id, and records of state. They have no times of their own.
 */
import { z } from 'zod';
import type { RolloutLine } from './line.ts';

const meta = z.object({ id: z.string(), timestamp: z.string() });
const record = z.object({ record_type: z.string() });
const item = z.looseObject({ type: z.string() });

/** As today's files would have it; null when it is no line of that generation either. */
export function wrapBareLine(value: unknown): RolloutLine | null {
  const asRecord = record.safeParse(value);
  if (asRecord.success) return { type: `record_${asRecord.data.record_type}`, payload: {} };
  const asItem = item.safeParse(value);
  if (asItem.success) return { type: 'response_item', payload: asItem.data };
  const asMeta = meta.safeParse(value);
  return asMeta.success ? { type: 'session_meta', payload: { ...asMeta.data } } : null;
}
