import { v } from 'convex/values';
import { defineMutation } from '../define.ts';
import { projectFields } from '../validators.ts';

/** What a `PROJECT.md` says. Doing it again changes nothing; fields that are not given are gone. */
export const upsertFromFs = defineMutation({
  args: { machineId: v.string(), project: projectFields },
  returns: v.id('projects'),
  handler: async (ctx, { machineId, project }) => {
    const stored = await ctx.db
      .query('projects')
      .withIndex('by_project_id', (q) => q.eq('id', project.id).eq('machineId', machineId))
      .unique();
    const updatedAt = Date.now();
    if (stored === null) {
      return await ctx.db.insert('projects', {
        ...project,
        machineId,
        createdAt: updatedAt,
        updatedAt,
      });
    }
    const { createdAt } = stored;
    await ctx.db.replace(stored._id, { ...project, machineId, createdAt, updatedAt });
    return stored._id;
  },
});

/** Its file is gone. True when there was a row. */
export const remove = defineMutation({
  args: { machineId: v.string(), id: v.string() },
  returns: v.boolean(),
  handler: async (ctx, { machineId, id }) => {
    const stored = await ctx.db
      .query('projects')
      .withIndex('by_project_id', (q) => q.eq('id', id).eq('machineId', machineId))
      .unique();
    if (stored === null) return false;
    await ctx.db.delete(stored._id);
    return true;
  },
});
