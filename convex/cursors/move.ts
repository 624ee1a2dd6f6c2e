import type { Infer } from 'convex/values';
import type { Doc } from '../_generated/dataModel.js';
import type { MutationCtx } from '../_generated/server.js';
import type { fileCursor } from '../validators.ts';

type FileCursor = Infer<typeof fileCursor>;

/** Lines; at some 200 bytes each this keeps the row far below a document's 1 MiB. */
const MAX_QUARANTINE = 1_000;

/** Writes how far a file has been read. Called in the transaction of its rows. */
export async function moveCursor(
  ctx: MutationCtx,
  machineId: string,
  cursor: FileCursor,
): Promise<void> {
  const stored = await ctx.db
    .query('cursors')
    .withIndex('by_machine_path', (q) => q.eq('machineId', machineId).eq('path', cursor.path))
    .unique();
  if (stored && isBehind(cursor, stored)) return;
  const fields = {
    ...cursor,
    quarantine: cursor.quarantine.slice(-MAX_QUARANTINE),
    machineId,
    updatedAt: Date.now(),
  };
  if (stored) await ctx.db.replace(stored._id, fields);
  else await ctx.db.insert('cursors', fields);
}

/**
 * A batch that is sent again after a newer one must not take the cursor back. A
 * rewritten file (new generation) and a newer parser start over on purpose.
 */
function isBehind(cursor: FileCursor, stored: Doc<'cursors'>): boolean {
  if (cursor.generation !== stored.generation) return cursor.generation < stored.generation;
  return cursor.parserVersion === stored.parserVersion && cursor.offset < stored.offset;
}
