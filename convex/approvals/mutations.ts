import { v } from 'convex/values';
import type { Doc } from '../_generated/dataModel.js';
import type { MutationCtx, QueryCtx } from '../_generated/server.js';
import { defineMutation } from '../define.ts';
import { refuse } from '../refuse.ts';
import { approvalDecision, approvalFields } from '../validators.ts';

/**
 * What the bridge knows of an approval. One that is decided stays as it is: the bridge
 * writes each state until it has arrived, and may write an old one again. Only what the end
 * of the run took for undecided may have been decided before: that was still on its way.
 */
export const record = defineMutation({
  args: approvalFields,
  returns: v.null(),
  handler: async (ctx, fields) => {
    const row = await approvalNamed(ctx, fields.approvalId);
    if (row === null) await ctx.db.insert('approvals', fields);
    else if (row.state === 'open') await ctx.db.patch(row._id, fields);
    else if (row.state === 'withdrawn' && DECIDED.has(fields.state)) {
      await ctx.db.patch(row._id, { explanation: undefined, ...fields });
    }
    return null;
  },
});

const DECIDED: ReadonlySet<Doc<'approvals'>['state']> = new Set(['answered', 'expired']);

/**
 * From an app without a way to the bridge's own socket: the bridge sees it, tells Codex,
 * and records who decided. False when it was decided already.
 */
export const answer = defineMutation({
  args: { approvalId: v.string(), decision: approvalDecision },
  returns: v.boolean(),
  handler: async (ctx, { approvalId, decision }) => {
    const row =
      (await approvalNamed(ctx, approvalId)) ??
      refuse('approval_unknown', `There is no approval ${approvalId}.`);
    if (row.state !== 'open' || row.answer !== undefined) return false;
    const identity = await ctx.auth.getUserIdentity();
    await ctx.db.patch(row._id, { answer: { decision, by: identity?.subject ?? 'an app' } });
    return true;
  },
});

/** The run is over: what it waited for is decided by nobody. */
export async function withdrawOf(ctx: MutationCtx, runId: Doc<'runs'>['_id']): Promise<void> {
  const left = await ctx.db
    .query('approvals')
    .withIndex('by_run', (q) => q.eq('runId', runId).eq('state', 'open'))
    // A run waits for as many as it has calls side by side.
    .take(MAX_OPEN_OF_RUN);
  for (const { _id } of left) {
    const explanation = 'The run ended before anybody answered.';
    await ctx.db.patch(_id, { state: 'withdrawn', explanation, decidedAt: Date.now() });
  }
}

const MAX_OPEN_OF_RUN = 100;

async function approvalNamed(ctx: QueryCtx, approvalId: string): Promise<Doc<'approvals'> | null> {
  return await ctx.db
    .query('approvals')
    .withIndex('by_approval_id', (q) => q.eq('approvalId', approvalId))
    .unique();
}
