import { paginationOptsValidator, paginationResultValidator } from 'convex/server';
import { v } from 'convex/values';
import type { Doc } from '../_generated/dataModel.js';
import type { QueryCtx } from '../_generated/server.js';
import { defineQuery } from '../define.ts';
import { pageSize, takePage } from '../page.ts';
import { refuse } from '../refuse.ts';
import schema from '../schema.ts';
import { threadByEitherId } from '../threads/identity.ts';
import { itemKind, threadItem } from '../validators.ts';
import { allNewestFirst, newestFirst } from './newest-first.ts';
import type { Item } from './reconcile.ts';

const message = schema.doc('messages');

/** Rows of a page when none is asked for, and the most one can ask for. */
const USUAL_MESSAGES = 100;
const MOST_MESSAGES = 500;

/** Rows that a search gives when no number is asked for, and the best ones among which it looks for them. */
const FOUND_MESSAGES = 50;
const SEARCHED_MESSAGES = 200;

/**
 * The newest page of a conversation, oldest row first. Reads nothing but the
 * rows of that page, so what happens elsewhere does not run it again. A page ends
 * early when it has 4 MiB; a conversation ends where a page is empty.
 */
export const forThread = defineQuery({
  args: {
    threadId: v.string(),
    limit: v.optional(v.number()),
    /** The id of the oldest row that the caller has: the page before it. */
    before: v.optional(v.id('messages')),
    /** Also the context that the harness injected, which nobody wrote. */
    preface: v.optional(v.boolean()),
    /** Also what Codex has taken back. */
    reverted: v.optional(v.boolean()),
  },
  returns: v.array(message),
  handler: async (ctx, { threadId, limit, before, preface, reverted }) => {
    const oldest = before === undefined ? null : await messageNamed(ctx, threadId, before);
    const sources = reverted
      ? [allNewestFirst(ctx, threadId, oldest)]
      : newestFirst(ctx, threadId, oldest);
    const shown = preface ? sources : sources.map(withoutPreface);
    const page = await takePage(shown, pageSize(limit, USUAL_MESSAGES, MOST_MESSAGES));
    return page.toReversed();
  },
});

/**
 * Every row of a conversation, page by page, in the order of the keys: for who compares
 * all of them with something. A page ends early when it has 4 MiB; the rows end where a
 * page is empty.
 */
export const inKeyOrder = defineQuery({
  args: {
    threadId: v.string(),
    /** The key of the last row that the caller has. */
    after: v.optional(v.string()),
    limit: v.optional(v.number()),
  },
  returns: v.array(message),
  handler: async (ctx, { threadId, after, limit }) => {
    const rows = ctx.db.query('messages').withIndex('by_thread_key', (q) => {
      const inThread = q.eq('threadId', threadId);
      return after === undefined ? inThread : inThread.gt('key', after);
    });
    return await takePage([rows], pageSize(limit, USUAL_MESSAGES, MOST_MESSAGES));
  },
});

export const byId = defineQuery({
  args: { id: v.id('messages') },
  returns: v.union(message, v.null()),
  handler: async (ctx, { id }) => await ctx.db.get(id),
});

/**
 * The messages that fit the words best, best first, in all conversations or in one. The last
 * word may be half typed. The context that the harness injected is found only by its `kind`,
 * and what Codex has taken back is not found.
 */
export const search = defineQuery({
  args: {
    query: v.string(),
    threadId: v.optional(v.string()),
    kind: v.optional(itemKind),
    /** At most 200. */
    limit: v.optional(v.number()),
  },
  returns: v.array(message),
  handler: async (ctx, { query, threadId, kind, limit }) => {
    const wanted = pageSize(limit, FOUND_MESSAGES, SEARCHED_MESSAGES);
    const found = ctx.db.query('messages').withSearchIndex('search_text', (q) => {
      const words = q.search('text', query);
      const inThread = threadId === undefined ? words : words.eq('threadId', threadId);
      return kind === undefined ? inThread : inThread.eq('kind', kind);
    });
    // A filter would read on and on where much of what is left out fits, and fail at Convex's limit.
    const best = await takePage([found], SEARCHED_MESSAGES);
    return best
      .filter((row) => row.reverted !== true && (kind !== undefined || row.kind !== 'preface'))
      .slice(0, wanted);
  },
});

/** Rows of kind `message` that were not taken back, as the thread keeps count of them. */
export const countForThread = defineQuery({
  args: { threadId: v.string() },
  returns: v.number(),
  handler: async (ctx, { threadId }) => (await threadByEitherId(ctx, threadId))?.messageCount ?? 0,
});

/**
 * Rows of started runs whose session file has not confirmed them, page by page, with
 * what is needed to match them: the bridge asks at start, after a crash of its last life.
 */
export const provisional = defineQuery({
  args: { machineId: v.string(), paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(
    v.object({
      item: threadItem,
      run: v.object({
        runId: v.string(),
        threadId: v.string(),
        cwd: v.optional(v.string()),
        resumeId: v.optional(v.string()),
        startedAt: v.number(),
        /** Whether anything of the session file has been read. */
        fileSeen: v.boolean(),
      }),
    }),
  ),
  handler: async (ctx, { machineId, paginationOpts }) => {
    const result = await ctx.db
      .query('messages')
      .withIndex('by_provisional_run', (q) => q.eq('provisional', true))
      .paginate(paginationOpts);
    const page = [];
    for (const row of result.page) {
      const run = await runOf(ctx, row);
      if (run?.machineId !== machineId || run.status === 'pending') continue;
      page.push({ item: itemOf(row), run: await runFacts(ctx, run, row.threadId) });
    }
    return { ...result, page };
  },
});

async function messageNamed(
  ctx: QueryCtx,
  threadId: string,
  id: Doc<'messages'>['_id'],
): Promise<Doc<'messages'>> {
  const row = await ctx.db.get(id);
  if (row === null || row.threadId !== threadId) {
    refuse('message_unknown', `Thread ${threadId} has no message ${id}.`);
  }
  return row;
}

async function runOf(ctx: QueryCtx, row: Doc<'messages'>): Promise<Doc<'runs'> | null> {
  const id = row.runId === undefined ? null : ctx.db.normalizeId('runs', row.runId);
  return id === null ? null : await ctx.db.get(id);
}

/** The row without what Convex and the stream added to the item. */
function itemOf({
  _id,
  _creationTime,
  threadId: _threadId,
  seq: _seq,
  reverted: _reverted,
  createdAt: _createdAt,
  updatedAt: _updatedAt,
  ...item
}: Doc<'messages'>): Item {
  return item;
}

async function runFacts(ctx: QueryCtx, run: Doc<'runs'>, threadId: string) {
  const thread = await ctx.db.get(run.threadDocId);
  const resumeId = thread?.resumeId;
  const cursor =
    resumeId === undefined
      ? null
      : await ctx.db
          .query('cursors')
          .withIndex('by_resume_id', (q) => q.eq('resumeId', resumeId))
          .first();
  return {
    runId: run._id,
    threadId,
    startedAt: run.startedAt ?? run.createdAt,
    fileSeen: cursor !== null,
    ...(thread?.cwd === undefined ? {} : { cwd: thread.cwd }),
    ...(resumeId === undefined ? {} : { resumeId }),
  };
}

async function* withoutPreface(rows: AsyncIterable<Doc<'messages'>>) {
  for await (const row of rows) if (row.kind !== 'preface') yield row;
}
