import { paginationOptsValidator, paginationResultValidator } from 'convex/server';
import { v } from 'convex/values';
import { defineQuery } from '../define.ts';
import { fileCursor } from '../validators.ts';

/**
 * Every cursor of one machine, page by page; what the bridge resumes from. A file that
 * changed after `updatedAt` (milliseconds since the epoch) has to be looked at again.
 */
export const forMachine = defineQuery({
  args: { machineId: v.string(), paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(v.object({ ...fileCursor.fields, updatedAt: v.number() })),
  handler: async (ctx, { machineId, paginationOpts }) => {
    const result = await ctx.db
      .query('cursors')
      .withIndex('by_machine_path', (q) => q.eq('machineId', machineId))
      .paginate(paginationOpts);
    return {
      ...result,
      page: result.page.map(({ _id, _creationTime, machineId: _machineId, ...cursor }) => cursor),
    };
  },
});

/** The cursor of one file; null when nothing of it has been read. */
export const byPath = defineQuery({
  args: { machineId: v.string(), path: v.string() },
  returns: v.union(v.object({ ...fileCursor.fields, updatedAt: v.number() }), v.null()),
  handler: async (ctx, { machineId, path }) => {
    const row = await ctx.db
      .query('cursors')
      .withIndex('by_machine_path', (q) => q.eq('machineId', machineId).eq('path', path))
      .unique();
    if (row === null) return null;
    const { _id, _creationTime, machineId: _machineId, ...cursor } = row;
    return cursor;
  },
});
