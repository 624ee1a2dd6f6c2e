import { expect, test } from 'vitest';
import { packCommit, unpackCommit } from '../../src/embedded-convex/packed-commit.ts';
import type { Commit } from '../../src/embedded-convex/executor.ts';

const key = (...bytes: number[]) => new Uint8Array(bytes);

test('a commit comes out of its packing as it went in, through the clone between threads too', () => {
  const commits: Commit[] = [
    { ts: 1n, writes: [] },
    { ts: 2n, writes: [], newFunctions: true },
    {
      ts: 3n,
      writes: [
        { index: 't.by_id', key: key(1, 2) },
        // What names a whole search index.
        { index: 't.search', key: key() },
        { index: 't.by_id', key: key(3) },
      ],
    },
  ];
  for (const commit of commits) {
    expect(unpackCommit(structuredClone(packCommit(commit)))).toEqual(commit);
  }
});
