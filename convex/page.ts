/**
 * Every list is bounded by rows and by bytes. A row may be half a megabyte, a
 * transaction may read 16 MiB, so a count alone would let a few big rows make
 * a conversation unreadable for ever.
 */
import { getConvexSize, type Value } from 'convex/values';

/** Bytes; a quarter of what a Convex transaction may read. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;

/** The rows a caller gets: what it asked for, at least 1, at most `most`. */
export function pageSize(asked: number | undefined, usual: number, most: number): number {
  if (asked === undefined || Number.isNaN(asked)) return usual;
  return Math.max(1, Math.min(most, Math.floor(asked)));
}

/** Reads the sources one after another until `rows` are there or the bytes are used up. */
export async function takePage<Row extends Value>(
  sources: AsyncIterable<Row>[],
  rows: number,
): Promise<Row[]> {
  const page: Row[] = [];
  let bytes = 0;
  for (const source of sources) {
    for await (const row of source) {
      page.push(row);
      bytes += getConvexSize(row);
      if (page.length >= rows || bytes >= MAX_PAGE_BYTES) return page;
    }
  }
  return page;
}
