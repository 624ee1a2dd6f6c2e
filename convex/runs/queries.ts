import { v } from 'convex/values';
import { defineQuery } from '../define.ts';
import { pageSize, takePage } from '../page.ts';
import schema from '../schema.ts';

const run = schema.doc('runs');

/** Rows of a page when none is asked for, and the most one can ask for. */
const USUAL_RUNS = 50;
const MOST_RUNS = 500;

/** The runs of a thread, newest first. */
export const listForThread = defineQuery({
  args: { threadDocId: v.id('threads'), limit: v.optional(v.number()) },
  returns: v.array(run),
  handler: async (ctx, { threadDocId, limit }) =>
    await takePage(
      [
        ctx.db
          .query('runs')
          .withIndex('by_thread', (q) => q.eq('threadDocId', threadDocId))
          .order('desc'),
      ],
      pageSize(limit, USUAL_RUNS, MOST_RUNS),
    ),
});

export const byId = defineQuery({
  args: { id: v.string() },
  returns: v.union(run, v.null()),
  handler: async (ctx, { id }) => {
    const runId = ctx.db.normalizeId('runs', id);
    return runId === null ? null : await ctx.db.get(runId);
  },
});

/** The newest runs, whatever has become of them. */
export const recent = defineQuery({
  args: { limit: v.optional(v.number()) },
  returns: v.array(run),
  handler: async (ctx, { limit }) =>
    await takePage(
      [ctx.db.query('runs').withIndex('by_created_at').order('desc')],
      pageSize(limit, USUAL_RUNS, MOST_RUNS),
    ),
});

/** Runs that are not over: those that run, then those that wait, each oldest first. */
export const active = defineQuery({
  args: { limit: v.optional(v.number()) },
  returns: v.array(run),
  handler: async (ctx, { limit }) =>
    await takePage(
      (['processing', 'pending'] as const).map((status) =>
        ctx.db.query('runs').withIndex('by_status', (q) => q.eq('status', status)),
      ),
      pageSize(limit, MOST_RUNS, MOST_RUNS),
    ),
});
