/** A row that grows while its item is being written. */
import type { Doc, Id } from '../_generated/dataModel.js';
import type { MutationCtx, QueryCtx } from '../_generated/server.js';
import { refuse } from '../refuse.ts';
import { threadByThreadId } from '../threads/identity.ts';
import type { MessageFields } from './reconcile.ts';

type Piece = Pick<
  MessageFields,
  | 'threadId'
  | 'key'
  | 'kind'
  | 'role'
  | 'data'
  | 'ts'
  | 'turnId'
  | 'itemId'
  | 'runId'
  | 'provisional'
> & { text: string; seq: number };

export async function writePiece(ctx: MutationCtx, piece: Piece): Promise<Id<'messages'>> {
  const row = await rowByKey(ctx, piece.threadId, piece.key);
  const now = Date.now();
  if (row) {
    const isNews = row.partial === true && piece.seq > (row.seq ?? -1);
    if (isNews) {
      const { text, data = row.data, seq } = piece;
      await ctx.db.patch(row._id, { text, seq, updatedAt: now, ...(data && { data }) });
    }
    return row._id;
  }
  const thread =
    (await threadByThreadId(ctx, piece.threadId)) ??
    refuse('thread_unknown', `There is no thread ${piece.threadId}.`);
  const id = await ctx.db.insert('messages', { ...piece, partial: true, createdAt: now });
  await ctx.db.patch(thread._id, {
    updatedAt: Math.max(thread.updatedAt, piece.ts),
    ...(piece.kind === 'message'
      ? {
          messageCount: thread.messageCount + 1,
          lastMessageAt: Math.max(thread.lastMessageAt, piece.ts),
        }
      : {}),
  });
  return id;
}

export async function writeFinal(
  ctx: MutationCtx,
  final: { threadId: string; key: string } & Pick<MessageFields, 'text' | 'data'>,
): Promise<Id<'messages'>> {
  const row =
    (await rowByKey(ctx, final.threadId, final.key)) ??
    refuse('message_unknown', `Thread ${final.threadId} has no item ${final.key}.`);
  // The session file may have come first: what it says stands.
  if (row.partial !== true) return row._id;
  await ctx.db.patch(row._id, {
    ...(final.text === undefined ? {} : { text: final.text }),
    ...(final.data === undefined ? {} : { data: final.data }),
    partial: undefined,
    seq: undefined,
    updatedAt: Date.now(),
  });
  return row._id;
}

async function rowByKey(
  ctx: QueryCtx,
  threadId: string,
  key: string,
): Promise<Doc<'messages'> | null> {
  return await ctx.db
    .query('messages')
    .withIndex('by_thread_key', (q) => q.eq('threadId', threadId).eq('key', key))
    .unique();
}
