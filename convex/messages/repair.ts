/** Rows that are not as their session file says, put right in one transaction. */
import type { Infer } from 'convex/values';
import type { Doc, Id } from '../_generated/dataModel.js';
import type { MutationCtx } from '../_generated/server.js';
import { refuse } from '../refuse.ts';
import { threadByThreadId } from '../threads/identity.ts';
import type { repairResult, threadCounters } from '../validators.ts';
import { MAX_INGEST_ITEMS } from './ingest.ts';
import { type Item, type MessageFields, newRow } from './reconcile.ts';
import { isReverted } from './reverts.ts';

interface SeenRow {
  id: Id<'messages'>;
  seen: number;
}

interface Repair {
  threadId: string;
  replace: (SeenRow & { item: Item })[];
  remove: SeenRow[];
  recount?: Record<'was' | 'is', Infer<typeof threadCounters>>;
}

export async function repairRows(
  ctx: MutationCtx,
  { threadId, replace, remove, recount }: Repair,
): Promise<Infer<typeof repairResult>> {
  const rows = replace.length + remove.length;
  if (rows > MAX_INGEST_ITEMS) {
    refuse('batch_too_large', `A repair has at most ${MAX_INGEST_ITEMS} rows, not ${rows}.`);
  }
  const thread =
    (await threadByThreadId(ctx, threadId)) ??
    refuse('thread_unknown', `There is no thread ${threadId}.`);
  const result = { replaced: 0, removed: 0, recounted: false, left: 0 };
  let messages = 0;
  for (const { item, ...wanted } of replace) {
    const row = await unchanged(ctx, threadId, wanted);
    if (row === null) result.left += 1;
    else {
      const fields = replaced(row, item, isReverted(item, thread.reverts));
      await ctx.db.replace(row._id, fields);
      messages += countsAs(fields) - countsAs(row);
      result.replaced += 1;
    }
  }
  for (const wanted of remove) {
    const row = await unchanged(ctx, threadId, wanted);
    if (row === null) result.left += 1;
    else {
      await ctx.db.delete(row._id);
      messages -= countsAs(row);
      result.removed += 1;
    }
  }
  if (recount !== undefined) {
    result.recounted = await setCounters(ctx, thread, recount);
  } else if (messages !== 0) {
    await ctx.db.patch(thread._id, { messageCount: thread.messageCount + messages });
  }
  return result;
}

/** The row itself stays, and what the run that showed it knows of it. */
function replaced(row: Doc<'messages'>, item: Item, reverted: boolean): MessageFields {
  const { createdAt, runId, threadId } = row;
  return {
    ...newRow(threadId, item, createdAt),
    ...(runId === undefined ? {} : { runId }),
    ...(reverted && { reverted }),
    updatedAt: Date.now(),
  };
}

/** Messages that the thread counts. */
function countsAs({ kind, reverted }: Pick<MessageFields, 'kind' | 'reverted'>): number {
  return kind === 'message' && reverted !== true ? 1 : 0;
}

async function unchanged(
  ctx: MutationCtx,
  threadId: string,
  { id, seen }: SeenRow,
): Promise<Doc<'messages'> | null> {
  const row = await ctx.db.get(id);
  if (row === null || row.threadId !== threadId) return null;
  return (row.updatedAt ?? row.createdAt) === seen ? row : null;
}

async function setCounters(
  ctx: MutationCtx,
  { _id, messageCount, lastMessageAt }: Doc<'threads'>,
  { was, is }: NonNullable<Repair['recount']>,
): Promise<boolean> {
  if (was.messageCount !== messageCount || was.lastMessageAt !== lastMessageAt) return false;
  await ctx.db.patch(_id, is);
  return true;
}
