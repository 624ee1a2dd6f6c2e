import { paginationOptsValidator, paginationResultValidator } from 'convex/server';
import { v } from 'convex/values';
import type { Doc } from '../_generated/dataModel.js';
import type { QueryCtx } from '../_generated/server.js';
import { defineQuery } from '../define.ts';
import { pageSize, takePage } from '../page.ts';
import schema from '../schema.ts';
import { skillSource } from '../validators.ts';

const skill = schema.doc('skills');

/** Rows when none are asked for, and the most one can ask for. */
const ROWS = 1_000;
const MOST_ROWS = 4_000;

/**
 * What an agent can use: all skills of users and of the registry, and those of one project
 * when it is named. A user's skill hides a registry one of the same id.
 */
export const listAll = defineQuery({
  args: { projectId: v.optional(v.string()), limit: v.optional(v.number()) },
  returns: v.array(skill),
  handler: async (ctx, { projectId, limit }) => {
    const sources = [
      inScope(ctx, 'user'),
      inScope(ctx, 'registry'),
      ...(projectId === undefined ? [] : [inScope(ctx, 'project', projectId)]),
    ];
    return visible(await takePage(sources, pageSize(limit, ROWS, MOST_ROWS)));
  },
});

/** All skills of one scope, hidden ones too. Those of projects can be narrowed to one project. */
export const listByScope = defineQuery({
  args: {
    source: skillSource,
    projectId: v.optional(v.string()),
    limit: v.optional(v.number()),
  },
  returns: v.array(skill),
  handler: async (ctx, { source, projectId, limit }) =>
    await takePage([inScope(ctx, source, projectId)], pageSize(limit, ROWS, MOST_ROWS)),
});

/** Every skill of one machine, page by page; what its bridge compares with the files. */
export const forMachine = defineQuery({
  args: { machineId: v.string(), paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(skill),
  handler: async (ctx, { machineId, paginationOpts }) =>
    await ctx.db
      .query('skills')
      .withIndex('by_machine_scope', (q) => q.eq('machineId', machineId))
      .paginate(paginationOpts),
});

function inScope(ctx: QueryCtx, source: Doc<'skills'>['source'], projectId?: string) {
  if (projectId !== undefined) {
    return ctx.db
      .query('skills')
      .withIndex('by_project', (q) => q.eq('projectId', projectId).eq('source', source));
  }
  return ctx.db.query('skills').withIndex('by_source', (q) => q.eq('source', source));
}

function visible(rows: Doc<'skills'>[]): Doc<'skills'>[] {
  const ofUser = new Set(rows.filter((row) => row.source === 'user').map((row) => row.skillId));
  return rows.filter((row) => row.source !== 'registry' || !ofUser.has(row.skillId));
}
