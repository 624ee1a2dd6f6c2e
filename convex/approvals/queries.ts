import { v } from 'convex/values';
import { defineQuery } from '../define.ts';
import { pageSize, takePage } from '../page.ts';
import schema from '../schema.ts';

const approval = schema.doc('approvals');

/** Rows of a page when none is asked for, and the most one can ask for. */
const USUAL_APPROVALS = 50;
const MOST_APPROVALS = 500;

/** What Codex waits for now, on all machines, oldest first. */
export const open = defineQuery({
  args: { limit: v.optional(v.number()) },
  returns: v.array(approval),
  handler: async (ctx, { limit }) =>
    await takePage(
      [ctx.db.query('approvals').withIndex('by_state', (q) => q.eq('state', 'open'))],
      pageSize(limit, MOST_APPROVALS, MOST_APPROVALS),
    ),
});

/** What was asked in a thread and how it was decided, newest first. */
export const listForThread = defineQuery({
  args: { threadDocId: v.id('threads'), limit: v.optional(v.number()) },
  returns: v.array(approval),
  handler: async (ctx, { threadDocId, limit }) =>
    await takePage(
      [
        ctx.db
          .query('approvals')
          .withIndex('by_thread', (q) => q.eq('threadDocId', threadDocId))
          .order('desc'),
      ],
      pageSize(limit, USUAL_APPROVALS, MOST_APPROVALS),
    ),
});
