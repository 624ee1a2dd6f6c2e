/**
 * Whether a row says what its session file says. Pure.
 *
 * What may differ, because the bridge made it so: a large item is cut (`truncated`), JSON
 * that is too deep for a document is text, and a row that a run's stream showed first may
 * know more than the file: output that Codex cut there, and an end where its process ended
 * first.
 */
import type { Doc } from '../../../convex/_generated/dataModel.js';
import { MAX_ITEM_BYTES } from '../../codex/bounded-item.ts';
import type { JsonObject, JsonValue, ThreadItem } from '../../codex/thread-item.ts';
import { isEnded } from './next-word.ts';

export type Row = Doc<'messages'>;

/** An item, whole, with the line that told it last. */
export interface FiledItem {
  item: ThreadItem;
  /** Bytes. */
  lineLength: number;
}

/** What the files say of it besides. */
export interface RowRules {
  /** It was taken back. */
  isReverted?: boolean;
  /** The thread was migrated: the row may have been another form of the item before. */
  isMigrated?: boolean;
}

/** Excerpts, the file's and the row's; empty where there is nothing. */
export interface FieldDifference {
  field: string;
  file: string;
  row: string;
}

/** Bytes. The lines of which the tail keeps only a part, whatever of them their item is. */
const CONDENSED_LINE = 512 * 1024;

/** The first field that differs, or null. */
export function compareRow(
  { item, lineLength }: FiledItem,
  row: Row,
  { isReverted = false, isMigrated = false }: RowRules = {},
): FieldDifference | null {
  const mayKnowMore = row.runId !== undefined || isMigrated;
  const endedByRun = mayKnowMore && !isEnded(item) && (isEnded(row) || isGivenUp(row));
  const checks: Check[] = [
    ['kind', item.kind, row.kind],
    ['role', item.role, row.role],
    ['provisional', undefined, row.provisional],
    ['reverted', isReverted, row.reverted === true],
  ];
  if (!endedByRun) {
    checks.push(['ts', item.ts, row.ts], ['partial', item.partial, row.partial]);
    for (const field of FIELDS) {
      // A run may have told what the file leaves open.
      if (mayKnowMore && (item[field] === undefined || field === 'redactions')) continue;
      if (row.truncated !== undefined && field === 'redactions') continue;
      checks.push([field, item[field], row[field]]);
    }
  }
  for (const [field, file, found] of checks) {
    if (file !== found) return difference(field, file, found);
  }
  if (endedByRun) return null;
  if (row.truncated !== undefined) return compareCut(item, lineLength, row);
  return compareText(item, row, mayKnowMore) ?? compareData(item, row, mayKnowMore);
}

const FIELDS = ['turnId', 'itemId', 'ordinal', 'line', 'revision', 'redactions'] as const;

type Check = [field: string, file: JsonValue | undefined, row: JsonValue | undefined];

/** A secret may have been cut in its middle: the row says only that there was one. */
const CUT_SECRET = /\[redacted: [\w-]*\]?$/;

/** The end of a row's text or data may be missing, and nothing else. */
function compareCut(item: ThreadItem, lineLength: number, row: Row): FieldDifference | null {
  const mayBeCut = lineLength > CONDENSED_LINE || sizeOf(item) > MAX_ITEM_BYTES;
  if (!mayBeCut) return difference('truncated', undefined, 'it is small enough');
  if (!isCut(item.text?.toWellFormed(), row.text)) return difference('text', item.text, row.text);
  return isCut(item.data, row.data) ? null : firstDifference(item.data, row.data, isCut);
}

function compareText({ text }: ThreadItem, row: Row, mayKnowMore: boolean): FieldDifference | null {
  const wanted = text?.toWellFormed();
  const isLonger = mayKnowMore && row.text?.startsWith(wanted ?? '') === true;
  return wanted === row.text || isLonger ? null : difference('text', wanted, row.text);
}

function compareData({ data }: ThreadItem, row: Row, mayKnowMore: boolean): FieldDifference | null {
  const { output: _output, ...rest } = row.data ?? {};
  const [wanted, found] =
    mayKnowMore && keepsOutput(data, row) ? [without(data, 'output'), rest] : [data, row.data];
  return isSame(wanted, found) ? null : firstDifference(wanted, found, isSame);
}

/** Of a run that is over: the end may yet come into its file. */
function isGivenUp({ data }: Row): boolean {
  return data?.['status'] === 'interrupted';
}

/** Codex cuts long output in its file, and the stream has it whole. */
function keepsOutput(data: JsonObject | undefined, row: Row): boolean {
  const found: unknown = row.data?.['output'];
  const wanted = data?.['output'];
  if (typeof found !== 'string') return false;
  return wanted === undefined || (typeof wanted === 'string' && found.length > wanted.length);
}

/** Names the field below `data`, where one alone is to blame. */
function firstDifference(
  wanted: JsonObject | undefined,
  found: Record<string, unknown> | undefined,
  agrees: (wanted: JsonValue | undefined, found: unknown) => boolean,
): FieldDifference {
  for (const key of new Set([...Object.keys(wanted ?? {}), ...Object.keys(found ?? {})])) {
    if (!agrees(wanted?.[key], found?.[key])) {
      return difference(`data.${key}`, wanted?.[key], found?.[key]);
    }
  }
  return difference('data', wanted, found);
}

/** The order of an object's fields means nothing. */
function isSame(wanted: JsonValue | undefined, found: unknown): boolean {
  if (wanted === found) return true;
  if (typeof wanted === 'string' && typeof found === 'string')
    return wanted.toWellFormed() === found;
  if (!isContainer(wanted) || !isContainer(found)) return false;
  if (Array.isArray(wanted) || Array.isArray(found)) {
    return (
      (Array.isArray(wanted) &&
        Array.isArray(found) &&
        wanted.length === found.length &&
        wanted.every((part, at) => isSame(part, found[at]))) ||
      isFlattened(wanted, found)
    );
  }
  const keys = Object.keys(wanted);
  const agree =
    keys.length === Object.keys(found).length &&
    keys.every((key) => Object.hasOwn(found, key) && isSame(wanted[key], found[key]));
  return agree || isFlattened(wanted, found);
}

function isCut(wanted: JsonValue | undefined, found: unknown): boolean {
  if (typeof wanted === 'string' && typeof found === 'string') {
    return wanted.toWellFormed().startsWith(found.replace(CUT_SECRET, ''));
  }
  if (!isContainer(wanted) || !isContainer(found)) return wanted === found;
  if (Array.isArray(wanted) && Array.isArray(found)) {
    return found.length <= wanted.length && found.every((part, at) => isCut(wanted[at], part));
  }
  if (Array.isArray(wanted) || Array.isArray(found)) return isFlattened(wanted, found);
  const agree = Object.entries(found).every(
    ([key, part]) => Object.hasOwn(wanted, key) && isCut(wanted[key], part),
  );
  return agree || isFlattened(wanted, found);
}

/** What lies too deep for a document stands in it as `{ json: "…" }`. */
function isFlattened(wanted: JsonValue, found: object): boolean {
  return (
    'json' in found && Object.keys(found).length === 1 && found.json === JSON.stringify(wanted)
  );
}

function isContainer(value: unknown): value is JsonObject | JsonValue[] {
  return typeof value === 'object' && value !== null;
}

function without(data: JsonObject | undefined, key: string): JsonObject {
  return Object.fromEntries(Object.entries(data ?? {}).filter(([name]) => name !== key));
}

function sizeOf({ text, data }: ThreadItem): number {
  return Buffer.byteLength(text ?? '') + Buffer.byteLength(JSON.stringify(data ?? null));
}

/** Characters of an excerpt. */
const EXCERPT = 80;
/** Characters before the place where two texts part. */
const BEFORE = 20;

function difference(field: string, file: unknown, row: unknown): FieldDifference {
  const [wanted, found] = [shown(file), shown(row)];
  let at = 0;
  while (at < wanted.length && wanted[at] === found[at]) at += 1;
  const from = Math.max(0, at - BEFORE);
  return { field, file: excerpt(wanted, from), row: excerpt(found, from) };
}

function shown(value: unknown): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function excerpt(text: string, from: number): string {
  const end = from + EXCERPT;
  const part = text.slice(from, end).toWellFormed();
  return `${from > 0 ? '…' : ''}${part}${end < text.length ? '…' : ''}`;
}
