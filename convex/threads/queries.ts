import { v } from 'convex/values';
import type { Doc } from '../_generated/dataModel.js';
import type { QueryCtx } from '../_generated/server.js';
import { defineQuery } from '../define.ts';
import { pageSize, takePage } from '../page.ts';
import { refuse } from '../refuse.ts';
import schema from '../schema.ts';
import { threadByEitherId } from './identity.ts';

const thread = schema.doc('threads');

/** Rows of a page when none is asked for, and the most one can ask for. */
const USUAL_THREADS = 100;
const MOST_THREADS = 500;

/** Every thread, or those of one project, most recently active first. */
export const list = defineQuery({
  args: {
    projectId: v.optional(v.string()),
    limit: v.optional(v.number()),
    /** The id of the last thread that the caller has: the page goes on behind it. */
    after: v.optional(v.id('threads')),
  },
  returns: v.array(thread),
  handler: async (ctx, { projectId, limit, after }) => {
    const last = await threadNamed(ctx, after);
    const rows = pageSize(limit, USUAL_THREADS, MOST_THREADS);
    return projectId === undefined
      ? await takePage(byUpdatedAt(ctx, last), rows)
      : await takePage(ofProject(ctx, projectId, last), rows);
  },
});

/**
 * The conversations that have a message, newest first. The count is kept on the
 * row, and the index's range leaves the empty ones out: one indexed read.
 */
export const listWithCounts = defineQuery({
  args: { limit: v.optional(v.number()), after: v.optional(v.id('threads')) },
  returns: v.array(thread),
  handler: async (ctx, { limit, after }) => {
    const last = await threadNamed(ctx, after);
    return await takePage(withMessages(ctx, last), pageSize(limit, USUAL_THREADS, MOST_THREADS));
  },
});

export const byId = defineQuery({
  args: { id: v.string() },
  returns: v.union(thread, v.null()),
  handler: async (ctx, { id }) => await threadByEitherId(ctx, id),
});

async function threadNamed(
  ctx: QueryCtx,
  id: Doc<'threads'>['_id'] | undefined,
): Promise<Doc<'threads'> | null> {
  if (id === undefined) return null;
  return (await ctx.db.get(id)) ?? refuse('thread_unknown', `There is no thread ${id}.`);
}

// Each list goes on behind a row in two ranges: the rows of the same time that
// were created earlier, then all older times. A time alone would drop ties.

function byUpdatedAt(ctx: QueryCtx, last: Doc<'threads'> | null) {
  const threads = () => ctx.db.query('threads');
  if (last === null) return [threads().withIndex('by_updated_at').order('desc')];
  return [
    threads()
      .withIndex('by_updated_at', (q) =>
        q.eq('updatedAt', last.updatedAt).lt('_creationTime', last._creationTime),
      )
      .order('desc'),
    threads()
      .withIndex('by_updated_at', (q) => q.lt('updatedAt', last.updatedAt))
      .order('desc'),
  ];
}

function ofProject(ctx: QueryCtx, projectId: string, last: Doc<'threads'> | null) {
  const threads = () => ctx.db.query('threads');
  if (last === null) {
    return [
      threads()
        .withIndex('by_project', (q) => q.eq('projectId', projectId))
        .order('desc'),
    ];
  }
  return [
    threads()
      .withIndex('by_project', (q) =>
        q
          .eq('projectId', projectId)
          .eq('updatedAt', last.updatedAt)
          .lt('_creationTime', last._creationTime),
      )
      .order('desc'),
    threads()
      .withIndex('by_project', (q) => q.eq('projectId', projectId).lt('updatedAt', last.updatedAt))
      .order('desc'),
  ];
}

function withMessages(ctx: QueryCtx, last: Doc<'threads'> | null) {
  const threads = () => ctx.db.query('threads');
  if (last === null) {
    return [
      threads()
        .withIndex('by_last_message_at', (q) => q.gt('lastMessageAt', 0))
        .order('desc'),
    ];
  }
  return [
    threads()
      .withIndex('by_last_message_at', (q) =>
        q.eq('lastMessageAt', last.lastMessageAt).lt('_creationTime', last._creationTime),
      )
      .order('desc'),
    threads()
      .withIndex('by_last_message_at', (q) =>
        q.gt('lastMessageAt', 0).lt('lastMessageAt', last.lastMessageAt),
      )
      .order('desc'),
  ];
}
