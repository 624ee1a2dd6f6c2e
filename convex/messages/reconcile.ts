/**
 * What an item that arrives (again) changes in the row that is already there.
 * The file is for truth, the stream for immediacy: what a file has settled, a
 * late sighting in the stream does not undo. Pure.
 */
import type { Infer } from 'convex/values';
import { getConvexSize } from 'convex/values';
import type { Doc } from '../_generated/dataModel.js';
import type { threadItem } from '../validators.ts';

export type Item = Infer<typeof threadItem>;
export type MessageFields = Omit<Doc<'messages'>, '_id' | '_creationTime'>;

type Removable = 'provisional' | 'partial' | 'seq' | 'truncated' | 'redactions' | 'revision';

/** Fields to write; `undefined` removes one. */
export type MessagePatch = Partial<Omit<MessageFields, Removable>> & {
  [Field in Removable]?: MessageFields[Field] | undefined;
};

/** A row of its own for an item that is not there yet. */
export function newRow(threadId: string, item: Item, now: number): MessageFields {
  const { claims: _, ...fields } = item;
  return { ...fields, threadId, createdAt: now };
}

/** The same key was seen before: the fields to patch, or null when nothing is new. */
export function updateOfKnown(row: MessageFields, item: Item, now: number): MessagePatch | null {
  const [is, was] = [finality(item), finality(row)];
  if (is > was) return updateOfClaimed(row, item, now);
  const { revision = 0 } = row;
  const isRevision = is === was && (item.revision ?? 0) > revision;
  const isSame = is === was && (item.revision ?? 0) === revision;
  const patch: MessagePatch = placeIn(row, item);
  if (isRevision) Object.assign(patch, revisedContent(row, item), { revision: item.revision });
  else if (isSame && isLarger(row, item)) Object.assign(patch, content(row, item));
  return Object.keys(patch).length === 0 ? null : { ...patch, updatedAt: now };
}

/** The row becomes the item, such as that of the stream the file's: its `_id` stays. */
export function updateOfClaimed(row: MessageFields, item: Item, now: number): MessagePatch {
  return { ...content(row, item), ...identity(row, item), updatedAt: now };
}

/**
 * The file's word counts for more than the stream's, and an end for more than a
 * beginning. A file that is read again tells its beginnings once more: no news.
 */
function finality({ provisional, partial, data }: Pick<Item, 'provisional' | 'partial' | 'data'>) {
  const ended = partial !== true && data?.['status'] !== 'in_progress';
  return (provisional === true ? 0 : 2) + (ended ? 1 : 0);
}

function identity(row: MessageFields, item: Item): MessagePatch {
  const fields: MessagePatch = {
    key: item.key,
    ts: item.ts,
    provisional: item.provisional === true ? true : undefined,
    partial: item.partial === true ? true : undefined,
    ...placeIn(row, item),
  };
  if (item.revision !== row.revision) fields.revision = item.revision;
  // Pieces of its text that come late are ignored: it is not partial any more.
  if (item.partial !== true) fields.seq = undefined;
  if (item.turnId !== undefined) fields.turnId = item.turnId;
  if (item.itemId !== undefined) fields.itemId = item.itemId;
  if (item.runId !== undefined) fields.runId = item.runId;
  return fields;
}

/**
 * The place that the row does not have yet; the numbers of a migration come to the lines of
 * before. What it has stays: the line that told of an item first counts, not one that ends it.
 */
function placeIn(
  row: MessageFields,
  { ordinal, line }: Item,
): Pick<MessagePatch, 'ordinal' | 'line'> {
  return {
    ...(ordinal !== undefined && row.ordinal === undefined && { ordinal }),
    ...(line !== undefined && row.line === undefined && row.ordinal === undefined && { line }),
  };
}

/** What the file says of it last stands, also where it says less; a stream may have had it whole. */
function revisedContent(row: MessageFields, item: Item): MessagePatch {
  if (row.runId !== undefined) return content(row, item);
  const { text = row.text, data = row.data, truncated, redactions } = item;
  return {
    ...(text === undefined ? {} : { text }),
    ...(data === undefined ? {} : { data }),
    truncated,
    redactions,
  };
}

/** Codex cuts long output in its file, the stream has it whole: the longer one stays. */
function content(row: MessageFields, item: Item): MessagePatch {
  const fields: MessagePatch = {};
  const textIsCut = (item.text?.length ?? 0) < (row.text?.length ?? 0);
  const keepsText = textIsCut && row.text?.startsWith(item.text ?? '') === true;
  if (item.text !== undefined && !keepsText) {
    fields.text = item.text;
    fields.truncated = item.truncated;
  }
  const keepsOutput = hasLongerOutput(row.data, item.data);
  if (item.data !== undefined) {
    fields.data = keepsOutput ? { ...item.data, output: row.data?.['output'] } : item.data;
  }
  const redactions = redactionsOf(row, item, { isWhole: !keepsText && !keepsOutput });
  if (redactions !== row.redactions) fields.redactions = redactions;
  return fields;
}

function hasLongerOutput(old: Item['data'], fresh: Item['data']): boolean {
  const oldOutput: unknown = old?.['output'];
  const freshOutput: unknown = fresh?.['output'];
  return (
    typeof oldOutput === 'string' &&
    (typeof freshOutput !== 'string' || freshOutput.length < oldOutput.length)
  );
}

/** What stays of the row may hold more of them than the item, which was cut. */
function redactionsOf(
  row: MessageFields,
  item: Item,
  { isWhole }: { isWhole: boolean },
): number | undefined {
  if (isWhole) return item.redactions;
  const most = Math.max(row.redactions ?? 0, item.redactions ?? 0);
  return most === 0 ? undefined : most;
}

function isLarger(row: MessageFields, item: Item): boolean {
  return (
    (item.text?.length ?? 0) > (row.text?.length ?? 0) ||
    getConvexSize(item.data) > getConvexSize(row.data)
  );
}
