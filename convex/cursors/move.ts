import type { Infer } from 'convex/values';
import type { Doc } from '../_generated/dataModel.js';
import type { MutationCtx } from '../_generated/server.js';
import type { fileCursor } from '../validators.ts';

type FileCursor = Infer<typeof fileCursor>;
export type CursorPlace = Pick<FileCursor, 'path' | 'generation' | 'offset'>;

/** Lines; at some 200 bytes each this keeps the row far below a document's 1 MiB. */
const MAX_QUARANTINE = 1_000;

/**
 * Writes how far a file has been read. Called in the transaction of its rows. A batch that
 * was read before Convex lost its data, or got older ones back, goes on where nothing is:
 * its rows are good, but its cursor would hide that those before them are missing.
 */
export async function moveCursor(
  ctx: MutationCtx,
  machineId: string,
  cursor: FileCursor,
  after?: CursorPlace,
): Promise<void> {
  if (after && !(await isReached(ctx, machineId, after))) return;
  const stored = await storedCursor(ctx, machineId, cursor.path);
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

async function storedCursor(
  ctx: MutationCtx,
  machineId: string,
  path: string,
): Promise<Doc<'cursors'> | null> {
  return await ctx.db
    .query('cursors')
    .withIndex('by_machine_path', (q) => q.eq('machineId', machineId).eq('path', path))
    .unique();
}

async function isReached(
  ctx: MutationCtx,
  machineId: string,
  { path, generation, offset }: CursorPlace,
): Promise<boolean> {
  if (offset === 0) return true;
  const stored = await storedCursor(ctx, machineId, path);
  if (stored === null) return false;
  // Behind a later generation nothing is missing: the whole file was read for it.
  return (
    stored.generation > generation || (stored.generation === generation && stored.offset >= offset)
  );
}

/**
 * A batch that is sent again after a newer one must not take the cursor back. A
 * rewritten file (new generation) and a newer parser start over on purpose.
 */
function isBehind(cursor: FileCursor, stored: Doc<'cursors'>): boolean {
  if (cursor.generation !== stored.generation) return cursor.generation < stored.generation;
  return cursor.parserVersion === stored.parserVersion && cursor.offset < stored.offset;
}
