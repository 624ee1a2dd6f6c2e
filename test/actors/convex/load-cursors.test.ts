import { expect, test } from 'vitest';
import { loadCursors } from '../../../src/actors/convex/load-cursors.ts';
import { backend, cursorAt, MACHINE } from '../../convex/backend.ts';

/** More than two pages. */
const CURSORS = 2_001;

test('each cursor is there once, and the next page is asked for before this one was looked at', async () => {
  const convex = await withCursors();
  let asked = 0;
  const pages = loadCursors(
    {
      query: (ref, args) => {
        asked += 1;
        return convex.query(ref, ...([args] as never));
      },
    },
    MACHINE,
  );
  const found: { offset: number; asked: number }[] = [];
  for await (const page of pages) {
    for (const { offset } of page) found.push({ offset, asked });
  }
  expect(found.map(({ offset }) => offset)).toEqual(Array.from({ length: CURSORS }, (_, at) => at));
  expect([found[0], found[1_000], found[2_000]].map((one) => one?.asked)).toEqual([2, 3, 3]);
});

test('a page that cannot be had ends the loading with its error', async () => {
  const convex = await withCursors();
  let asked = 0;
  const pages = loadCursors(
    {
      query: async (ref, args) => {
        asked += 1;
        if (asked === 2) throw new Error('the backend is gone');
        return await convex.query(ref, ...([args] as never));
      },
    },
    MACHINE,
  );
  const first = await pages.next();
  expect(first.value).toHaveLength(1_000);
  await expect(pages.next()).rejects.toThrow('the backend is gone');
});

async function withCursors() {
  const convex = backend();
  await convex.run(async ({ db }) => {
    for (let at = 0; at < CURSORS; at += 1) {
      const path = `/sessions/${String(at).padStart(5, '0')}.jsonl`;
      await db.insert('cursors', { ...cursorAt(at), path, machineId: MACHINE, updatedAt: at });
    }
  });
  return convex;
}
