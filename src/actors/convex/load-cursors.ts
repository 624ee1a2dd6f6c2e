/** How far this machine has read each session file, as Convex knows it. */
import { api } from '../../../convex/_generated/api.js';
import type { FileCursor } from '../../machines/protocol.ts';
import type { ConvexConnection } from './connection.ts';

/** A cursor is a few hundred bytes; a page of them stays far below every limit of a read. */
const PAGE_SIZE = 1_000;

export async function* loadCursors(
  connection: Pick<ConvexConnection, 'query'>,
  machineId: string,
): AsyncGenerator<readonly (FileCursor & { updatedAt: number })[]> {
  let cursor: string | null = null;
  for (;;) {
    const paginationOpts = { cursor, numItems: PAGE_SIZE };
    const result: Page = await connection.query(api.cursors.forMachine, {
      machineId,
      paginationOpts,
    });
    yield result.page;
    if (result.isDone) return;
    cursor = result.continueCursor;
  }
}

interface Page {
  page: (FileCursor & { updatedAt: number })[];
  isDone: boolean;
  continueCursor: string;
}
