/** How far this machine has read each session file, as Convex knows it. */
import { api } from '../../../convex/_generated/api.js';
import type { FileCursor } from '../../machines/protocol.ts';
import type { ConvexConnection } from './connection.ts';

/** A cursor is a few hundred bytes; a page of them stays far below every limit of a read. */
const PAGE_SIZE = 1_000;

/** The next page is on its way while the caller looks at one: with many files, nobody waits in turn. */
export async function* loadCursors(
  connection: Pick<ConvexConnection, 'query'>,
  machineId: string,
): AsyncGenerator<readonly (FileCursor & { updatedAt: number })[]> {
  const load = (cursor: string | null): Promise<Page> => {
    const paginationOpts = { cursor, numItems: PAGE_SIZE };
    const loading = connection.query(api.cursors.forMachine, { machineId, paginationOpts });
    // Whoever stops in the middle does not wait for it.
    loading.catch(() => {});
    return loading;
  };
  let next = load(null);
  for (;;) {
    const { page, isDone, continueCursor } = await next;
    if (!isDone) next = load(continueCursor);
    yield page;
    if (isDone) return;
  }
}

interface Page {
  page: (FileCursor & { updatedAt: number })[];
  isDone: boolean;
  continueCursor: string;
}
