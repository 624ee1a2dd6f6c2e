import type { Infer } from 'convex/values';
import type { Doc } from '../_generated/dataModel.js';
import type { MutationCtx } from '../_generated/server.js';
import type { cursorPlace, fileCursor } from '../validators.ts';

type FileCursor = Infer<typeof fileCursor>;
export type CursorPlace = Infer<typeof cursorPlace>;

/** Lines; at some 200 bytes each this keeps the row far below a document's 1 MiB. */
const MAX_QUARANTINE = 1_000;

/**
 * Writes how far a file has been read. Called in the transaction of its rows. It moves only
 * from `after` (absent: from nothing): a batch that comes late, or was read before Convex lost
 * its data, has good rows, but its cursor would hide that others are missing. Returns what
 * is stored if it did not move, null where nothing is.
 */
export async function moveCursor(
  ctx: MutationCtx,
  machineId: string,
  cursor: FileCursor,
  after?: CursorPlace,
): Promise<FileCursor | null | undefined> {
  const stored = await storedCursor(ctx, machineId, cursor.path);
  const isRepeated = isAt(stored, cursor);
  if (!isRepeated && !(await goesOn(ctx, machineId, { cursor, after, stored }))) {
    return stored && fieldsOf(stored);
  }
  const fields = {
    ...cursor,
    quarantine: cursor.quarantine.slice(-MAX_QUARANTINE),
    machineId,
    updatedAt: Date.now(),
  };
  if (stored) await ctx.db.replace(stored._id, fields);
  else await ctx.db.insert('cursors', fields);
  return undefined;
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

interface Move {
  cursor: FileCursor;
  after: CursorPlace | undefined;
  stored: Doc<'cursors'> | null;
}

async function goesOn(
  ctx: MutationCtx,
  machineId: string,
  { cursor, after, stored }: Move,
): Promise<boolean> {
  if (after === undefined) return stored === null;
  if (after.path === cursor.path) return isAt(stored, after);
  // The session has moved here; if it was here before, that must not be newer.
  const elsewhere = await storedCursor(ctx, machineId, after.path);
  return isAt(elsewhere, after) && (stored === null || !isBehind(cursor, stored));
}

function isAt(stored: Doc<'cursors'> | null, place: CursorPlace): boolean {
  return (
    stored !== null &&
    stored.generation === place.generation &&
    stored.offset === place.offset &&
    stored.tailHash === place.tailHash
  );
}

function isBehind(cursor: FileCursor, stored: FileCursor): boolean {
  if (cursor.generation !== stored.generation) return cursor.generation < stored.generation;
  return cursor.offset < stored.offset;
}

function fieldsOf(stored: Doc<'cursors'>): FileCursor {
  const { _id, _creationTime, machineId: _machineId, updatedAt: _updatedAt, ...cursor } = stored;
  return cursor;
}
