/**
 * One batch, one transaction: the items, the thread's counters and the file's
 * cursor move together or not at all. Doing it again changes nothing.
 */
import type { Infer } from 'convex/values';
import type { Doc } from '../_generated/dataModel.js';
import type { MutationCtx } from '../_generated/server.js';
import { type CursorPlace, moveCursor } from '../cursors/move.ts';
import { refuse } from '../refuse.ts';
import {
  findOrCreateThread,
  type ThreadPatch,
  threadChanges,
  withHistoryMode,
} from '../threads/identity.ts';
import { withFileLeft, withoutPlace } from '../threads/place.ts';
import type { fileCursor, ingestResult } from '../validators.ts';
import { type Item, newRow, updateOfClaimed, updateOfKnown } from './reconcile.ts';
import { isNumbered, rowOfOtherForm } from './rematch.ts';
import { isReverted, scheduleRevert, withReverts } from './reverts.ts';
import { type BatchRow, RowChanges } from './row-changes.ts';

/**
 * Items of one batch. Each costs at most two index reads and one write, so this
 * stays far below Convex's 4,096 index ranges and 16,000 writes a transaction.
 * Bytes are the caller's to bound: at most 4 MiB of items a batch leaves room
 * for as much again that is read, and for indexes, below 16 MiB.
 */
export const MAX_INGEST_ITEMS = 500;

/** Rows of the moment between the two times of a message that are looked at. */
const MOST_BETWEEN = 100;

interface Batch {
  machineId: string;
  thread: ThreadPatch;
  items: Item[];
  cursor?: Infer<typeof fileCursor>;
  after?: CursorPlace;
}

export async function ingestBatch(
  ctx: MutationCtx,
  { machineId, thread, items, cursor, after }: Batch,
): Promise<Infer<typeof ingestResult>> {
  if (items.length > MAX_INGEST_ITEMS) {
    refuse(
      'batch_too_large',
      `A batch has at most ${MAX_INGEST_ITEMS} items, not ${items.length}.`,
    );
  }
  const { row, created } = await findOrCreateThread(ctx, machineId, withoutPlace(thread));
  const known = created ? [] : await rowsOf(ctx, row.threadId, items);
  const reverts = withReverts(row, thread.reverts);
  const tally = await writeItems(ctx, items, {
    threadId: row.threadId,
    known,
    reverts: reverts?.all ?? row.reverts,
    isMigrated: withHistoryMode(row, thread) === 'migrated',
  });
  if (reverts && !created) await scheduleRevert(ctx, row.threadId, reverts.fresh);
  const { _id: threadDocId, threadId } = row;
  const stored = cursor && (await moveCursor(ctx, machineId, { ...cursor, threadId }, after));
  // What is said of the file's place counts with its cursor, by which the bridge knows it again.
  const patch =
    stored === undefined ? await withFileLeft(ctx, machineId, row, thread) : withoutPlace(thread);
  const changes = {
    ...threadChanges(row, machineId, patch),
    ...activity(row, tally),
    ...(await newestMessage(ctx, row, tally)),
    ...(reverts ? { reverts: reverts.all } : {}),
  };
  if (Object.keys(changes).length > 0) await ctx.db.patch(row._id, changes);
  const { inserted, known: unchanged, claimed } = tally;
  const result = { threadDocId, threadId, inserted, known: unchanged, claimed };
  return stored === undefined ? result : { ...result, stored };
}

/** The rows that the items name by key or claim, read side by side. */
async function rowsOf(
  ctx: MutationCtx,
  threadId: string,
  items: Item[],
): Promise<Doc<'messages'>[]> {
  const keys = new Set<string>();
  for (const { key, claims } of items) {
    keys.add(key);
    if (claims !== undefined) keys.add(claims);
  }
  const rows = await Promise.all(
    [...keys].map((key) =>
      ctx.db
        .query('messages')
        .withIndex('by_thread_key', (q) => q.eq('threadId', threadId).eq('key', key))
        .unique(),
    ),
  );
  return rows.filter((row) => row !== null);
}

interface Tally {
  inserted: number;
  known: number;
  claimed: number;
  /** Rows of kind `message` among the inserted, without those that were taken back. */
  messages: number;
  /** Secrets taken out, more than the rows had before: they are kept with each row. */
  redactions: number;
  lastActivityAt: number;
  /** See `RowChanges`. */
  newestMessageAt: number;
  leftTime: number;
}

interface ThreadRows {
  threadId: string;
  /** Those that the items name. */
  known: Doc<'messages'>[];
  reverts: Doc<'threads'>['reverts'];
  isMigrated: boolean;
}

/** An item often comes twice, begun and ended: its row is written once, as the last one leaves it. */
async function writeItems(
  ctx: MutationCtx,
  items: Item[],
  { threadId, known, reverts, isMigrated }: ThreadRows,
): Promise<Tally> {
  const tally = {
    inserted: 0,
    known: 0,
    claimed: 0,
    messages: 0,
    lastActivityAt: 0,
  };
  const rows = new RowChanges(known);
  const now = Date.now();
  /** Now that its place is known: it was shown and counted as long as nobody knew. */
  const noteRevert = (row: BatchRow) => {
    if (row.fields.reverted === true || !isReverted(row.fields, reverts)) return;
    rows.patch(row, { reverted: true, updatedAt: now });
    if (row.fields.kind === 'message') tally.messages -= 1;
  };
  for (const item of items) {
    const row = rows.get(item.key);
    if (row) {
      tally.known += 1;
      const patch = updateOfKnown(row.fields, item, now);
      if (patch) rows.patch(row, patch);
      if (patch) noteRevert(row);
      continue;
    }
    const claimed = item.claims === undefined ? undefined : rows.get(item.claims);
    const former =
      isMigrated && !claimed ? await rowOfOtherForm(ctx, rows, threadId, item) : undefined;
    if (claimed) {
      tally.claimed += 1;
      rows.patch(claimed, updateOfClaimed(claimed.fields, item, now));
      noteRevert(claimed);
    } else if (former) {
      tally.known += 1;
      if (isNumbered(item)) {
        rows.patch(former, updateOfClaimed(former.fields, item, now));
        noteRevert(former);
      }
    } else {
      tally.inserted += 1;
      const reverted = isReverted(item, reverts);
      rows.insert({ ...newRow(threadId, item, now), ...(reverted && { reverted }) });
      if (item.kind === 'message' && !reverted) tally.messages += 1;
    }
    if (item.kind !== 'preface') tally.lastActivityAt = Math.max(tally.lastActivityAt, item.ts);
  }
  await rows.write(ctx);
  const { redactions, newestMessageAt, leftTime } = rows;
  return { ...tally, redactions, newestMessageAt, leftTime };
}

function activity(row: Doc<'threads'>, tally: Tally): Partial<Doc<'threads'>> {
  const changes: Partial<Doc<'threads'>> = {};
  if (tally.messages !== 0) changes.messageCount = row.messageCount + tally.messages;
  if (tally.redactions !== 0) changes.redactions = (row.redactions ?? 0) + tally.redactions;
  if (tally.lastActivityAt > row.updatedAt) changes.updatedAt = tally.lastActivityAt;
  return changes;
}

/**
 * A run's stream shows a message a moment after the time that its file gives it: with the
 * newest message the thread goes back to that time, or to another message in between.
 */
async function newestMessage(
  { db }: MutationCtx,
  { threadId, lastMessageAt }: Doc<'threads'>,
  { newestMessageAt, leftTime }: Tally,
): Promise<Partial<Doc<'threads'>>> {
  if (newestMessageAt > lastMessageAt) return { lastMessageAt: newestMessageAt };
  if (leftTime < lastMessageAt || newestMessageAt === lastMessageAt) return {};
  const between = await db
    .query('messages')
    .withIndex('by_thread_ts', (q) =>
      q.eq('threadId', threadId).eq('reverted', undefined).gt('ts', newestMessageAt),
    )
    .order('desc')
    .take(MOST_BETWEEN);
  const newest = between.find(({ kind }) => kind === 'message');
  if (newest === undefined && between.length === MOST_BETWEEN) return {};
  return { lastMessageAt: newest?.ts ?? newestMessageAt };
}
