import { paginationOptsValidator, paginationResultValidator } from 'convex/server';
import { v } from 'convex/values';
import { defineQuery } from '../define.ts';
import { pageSize, takePage } from '../page.ts';
import schema from '../schema.ts';

const project = schema.doc('projects');

/** Rows when none are asked for, and the most one can ask for: nobody keeps more projects. */
const ROWS = 200;
const MOST_ROWS = 1_000;

/** By name. */
export const list = defineQuery({
  args: { limit: v.optional(v.number()) },
  returns: v.array(project),
  handler: async (ctx, { limit }) =>
    await takePage(
      [ctx.db.query('projects').withIndex('by_name')],
      pageSize(limit, ROWS, MOST_ROWS),
    ),
});

/** Two machines may have a project of one id; without `machineId` the older row answers. */
export const byId = defineQuery({
  args: { id: v.string(), machineId: v.optional(v.string()) },
  returns: v.union(project, v.null()),
  handler: async (ctx, { id, machineId }) =>
    await ctx.db
      .query('projects')
      .withIndex('by_project_id', (q) =>
        machineId === undefined ? q.eq('id', id) : q.eq('id', id).eq('machineId', machineId),
      )
      .first(),
});

/** Every project of one machine, page by page; what its bridge compares with the files. */
export const forMachine = defineQuery({
  args: { machineId: v.string(), paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(project),
  handler: async (ctx, { machineId, paginationOpts }) =>
    await ctx.db
      .query('projects')
      .withIndex('by_machine', (q) => q.eq('machineId', machineId))
      .paginate(paginationOpts),
});
