/** Where the session file of a thread is, as its row says. */
import type { Doc } from '../_generated/dataModel.js';
import type { QueryCtx } from '../_generated/server.js';
import type { ThreadPatch } from './identity.ts';

/** Codex's folder of archived sessions is flat. */
export function isInArchive(path: string): boolean {
  return /[/\\]archived_sessions[/\\][^/\\]*$/.test(path);
}

/** The patch without what it says of the file's place. */
export function withoutPlace(patch: ThreadPatch): ThreadPatch {
  const { rolloutPath: _, rolloutDeletedAt: __, archived: ___, ...others } = patch;
  return others;
}

/**
 * A session may have several files, copies among them. When the one that its thread names is
 * gone, the thread names the one of the others that was read last; it is deleted with the last one.
 */
export async function withFileLeft(
  ctx: QueryCtx,
  machineId: string,
  row: Doc<'threads'>,
  patch: ThreadPatch,
): Promise<ThreadPatch> {
  const { resumeId, rolloutPath, rolloutDeletedAt } = patch;
  if (rolloutDeletedAt === undefined || rolloutPath !== row.rolloutPath) return patch;
  if (resumeId === undefined) return patch;
  const cursors = await ctx.db
    .query('cursors')
    .withIndex('by_resume_id', (q) => q.eq('resumeId', resumeId))
    .collect();
  const [last] = cursors
    .filter((cursor) => cursor.machineId === machineId && cursor.deleted !== true)
    .toSorted((one, other) => other.updatedAt - one.updatedAt);
  if (last === undefined) return patch;
  const { path } = last;
  return { ...withoutPlace(patch), rolloutPath: path, archived: isInArchive(path) };
}
