import { v } from 'convex/values';
import { defineMutation } from '../define.ts';
import { refuse } from '../refuse.ts';
import { threadByEitherId } from '../threads/identity.ts';
import {
  cursorPlace,
  fileCursor,
  ingestResult,
  itemData,
  itemKind,
  messageRole,
  repairResult,
  threadCounters,
  threadItem,
  threadPatch,
} from '../validators.ts';
import { ingestBatch } from './ingest.ts';
import { repairRows } from './repair.ts';
import { writeFinal, writePiece } from './streamed.ts';

/** See `ingest.ts`. At most 500 items and 4 MiB a batch. */
export const ingest = defineMutation({
  args: {
    machineId: v.string(),
    thread: threadPatch,
    items: v.array(threadItem),
    cursor: v.optional(fileCursor),
    /** The cursor from which the reading went on; absent where none was stored. */
    after: v.optional(cursorPlace),
  },
  returns: ingestResult,
  handler: ingestBatch,
});

/**
 * Puts right what `oa-bridge verify --repair` has found wrong. `seen` is a row's
 * `updatedAt`, or else its `createdAt`, when it was compared: a row that has changed since
 * is left as it is. At most 500 rows and 4 MiB a call.
 */
export const repair = defineMutation({
  args: {
    threadId: v.string(),
    replace: v.array(v.object({ id: v.id('messages'), seen: v.number(), item: threadItem })),
    remove: v.array(v.object({ id: v.id('messages'), seen: v.number() })),
    /** What the thread's counters said, and what its rows say; left when they have moved. */
    recount: v.optional(v.object({ was: threadCounters, is: threadCounters })),
  },
  returns: repairResult,
  handler: repairRows,
});

/** A row that comes from neither a run nor a session file; its key is its own id. */
export const create = defineMutation({
  args: {
    threadId: v.string(),
    kind: v.optional(itemKind),
    role: v.optional(messageRole),
    text: v.optional(v.string()),
    data: v.optional(itemData),
    ts: v.optional(v.number()),
  },
  returns: v.id('messages'),
  handler: async (ctx, { threadId, kind = 'message', ts = Date.now(), ...content }) => {
    const thread =
      (await threadByEitherId(ctx, threadId)) ??
      refuse('thread_unknown', `There is no thread ${threadId}.`);
    const id = await ctx.db.insert('messages', {
      ...content,
      threadId: thread.threadId,
      key: '',
      kind,
      ts,
      createdAt: Date.now(),
    });
    await ctx.db.patch(id, { key: `row/${id}` });
    if (kind === 'message') {
      await ctx.db.patch(thread._id, {
        messageCount: thread.messageCount + 1,
        lastMessageAt: Math.max(thread.lastMessageAt, ts),
        updatedAt: Math.max(thread.updatedAt, ts),
      });
    }
    return id;
  },
});

/** The whole text so far of an item that is still being written. Older pieces are ignored. */
export const upsertStreamed = defineMutation({
  args: {
    threadId: v.string(),
    key: v.string(),
    kind: itemKind,
    role: v.optional(messageRole),
    text: v.string(),
    /** What else is known so far, such as the output of a command that runs. */
    data: v.optional(itemData),
    /** Rises with each piece of the item. */
    seq: v.number(),
    ts: v.number(),
    turnId: v.optional(v.string()),
    itemId: v.optional(v.string()),
    runId: v.optional(v.string()),
    /** Set while its session file has not confirmed it. */
    provisional: v.optional(v.boolean()),
  },
  returns: v.id('messages'),
  handler: writePiece,
});

/** The item is complete: its final text stands, and later pieces are ignored. */
export const finalizeStreamed = defineMutation({
  args: {
    threadId: v.string(),
    key: v.string(),
    text: v.optional(v.string()),
    data: v.optional(itemData),
  },
  returns: v.id('messages'),
  handler: writeFinal,
});
