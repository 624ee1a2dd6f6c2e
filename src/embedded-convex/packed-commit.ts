import type { Commit } from './executor.ts';

/**
 * A commit on its way between the threads, its keys end to end in one piece: a buffer for each
 * of them is most of what a large commit costs to hand over.
 */
export interface PackedCommit {
  ts: bigint;
  /** One for each write. */
  indexes: string[];
  keys: Uint8Array;
  /** Where each key ends in `keys`, which is where the next one begins. */
  ends: number[];
  newFunctions?: true;
}

export function packCommit({ ts, writes, ...more }: Commit): PackedCommit {
  const ends: number[] = [];
  let length = 0;
  for (const { key } of writes) ends.push((length += key.length));
  const keys = new Uint8Array(length);
  for (const [position, { key }] of writes.entries()) keys.set(key, ends[position - 1] ?? 0);
  return { ts, indexes: writes.map(({ index }) => index), keys, ends, ...more };
}

export function unpackCommit({ ts, indexes, keys, ends, ...more }: PackedCommit): Commit {
  const writes = indexes.map((index, position) => ({
    index,
    key: keys.subarray(ends[position - 1] ?? 0, ends[position]),
  }));
  return { ts, writes, ...more };
}
