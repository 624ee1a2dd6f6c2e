import type { Infer } from 'convex/values';
import { v } from 'convex/values';
import type { Id } from '../_generated/dataModel.js';
import type { MutationCtx } from '../_generated/server.js';
import { defineMutation } from '../define.ts';
import { refuse } from '../refuse.ts';
import { skillFields, skillSource } from '../validators.ts';

type SkillFields = Infer<typeof skillFields>;

/** Rows of one transaction; far below Convex's limits on reads and writes. */
const MAX_SKILLS = 1_000;

/** What one `SKILL.md` says. Doing it again changes nothing; fields that are not given are gone. */
export const upsertFromFs = defineMutation({
  args: { machineId: v.string(), skill: skillFields },
  returns: v.id('skills'),
  handler: async (ctx, { machineId, skill }) => await upsert(ctx, machineId, skill, Date.now()),
});

/** Many at once, in one transaction. Returns how many there were. */
export const bulkUpsertFromFs = defineMutation({
  args: { machineId: v.string(), skills: v.array(skillFields) },
  returns: v.number(),
  handler: async (ctx, { machineId, skills }) => {
    if (skills.length > MAX_SKILLS) {
      refuse('batch_too_large', `At most ${MAX_SKILLS} skills can be written at once.`);
    }
    const now = Date.now();
    for (const skill of skills) await upsert(ctx, machineId, skill, now);
    return skills.length;
  },
});

/**
 * Removes these skills of a scope, or without `skillIds` all of it, at most a transaction's
 * worth. Returns how many rows went: ask again until it is 0.
 */
export const removeByScope = defineMutation({
  args: {
    machineId: v.string(),
    source: skillSource,
    projectId: v.optional(v.string()),
    skillIds: v.optional(v.array(v.string())),
  },
  returns: v.number(),
  handler: async (ctx, { machineId, source, projectId, skillIds }) => {
    const scope = { machineId, source, projectId };
    const ids = new Set<Id<'skills'>>();
    if (skillIds === undefined) {
      const rows = ctx.db
        .query('skills')
        .withIndex('by_machine_scope', (q) =>
          q.eq('machineId', machineId).eq('source', source).eq('projectId', projectId),
        );
      for (const row of await rows.take(MAX_SKILLS)) ids.add(row._id);
    } else {
      for (const skillId of skillIds.slice(0, MAX_SKILLS)) {
        const row = await find(ctx, scope, skillId);
        if (row !== null) ids.add(row._id);
      }
    }
    for (const id of ids) await ctx.db.delete(id);
    return ids.size;
  },
});

async function upsert(
  ctx: MutationCtx,
  machineId: string,
  skill: SkillFields,
  now: number,
): Promise<Id<'skills'>> {
  const { source, projectId } = skill;
  const stored = await find(ctx, { machineId, source, projectId }, skill.skillId);
  if (stored === null) {
    return await ctx.db.insert('skills', { ...skill, machineId, createdAt: now, updatedAt: now });
  }
  const { createdAt } = stored;
  await ctx.db.replace(stored._id, { ...skill, machineId, createdAt, updatedAt: now });
  return stored._id;
}

interface Scope {
  machineId: string;
  source: SkillFields['source'];
  projectId: string | undefined;
}

async function find(ctx: MutationCtx, { machineId, source, projectId }: Scope, skillId: string) {
  return await ctx.db
    .query('skills')
    .withIndex('by_machine_scope', (q) =>
      q
        .eq('machineId', machineId)
        .eq('source', source)
        .eq('projectId', projectId)
        .eq('skillId', skillId),
    )
    .unique();
}
