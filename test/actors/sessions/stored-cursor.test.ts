/** Convex does not hold the cursor that the reader knows: it was wiped, or a late batch moved it. */
import { mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startSessions, type SessionsHarness } from '../../support/sessions-harness.ts';
import { createSession, type SessionWriter } from '../../support/session-writer.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let folder: ReturnType<typeof temporaryFolder>;
let root: string;
let session: SessionWriter;

beforeEach(() => {
  folder = temporaryFolder();
  root = join(folder.path, 'sessions');
  session = createSession(folder.path);
  session.user('one');
});
afterEach(() => folder[Symbol.dispose]());

const texts = ({ mirror }: SessionsHarness) => mirror.texts(session.threadId);
const stored = ({ mirror }: SessionsHarness, path = session.path) => mirror.cursors.get(path);

/** Watched, and read to its end. */
async function started(): Promise<SessionsHarness> {
  const watch = startSessions({ root });
  await watch.until(() => texts(watch).length === 1);
  await watch.settled();
  return watch;
}

test('a file whose rows and cursor are lost meanwhile is read again from its start', async () => {
  await using watch = await started();
  watch.mirror.cursors.clear();
  watch.mirror.threads.clear();
  session.user('two');
  await watch.until(() => texts(watch).length === 2);
  await watch.settled();
  expect(texts(watch).toSorted()).toEqual(['one', 'two']);
  expect(stored(watch)?.offset).toBe(statSync(session.path).size);
});

test.each([
  { what: 'of a later generation, beyond the end of the file', generation: 5, offset: 99_999 },
  {
    what: 'of the same generation, behind bytes that are not in the file',
    generation: 0,
    offset: 40,
  },
])('a stored cursor $what, is put right', async ({ generation, offset }) => {
  await using watch = await started();
  const cursor = stored(watch);
  if (cursor === undefined) throw new Error('nothing is stored');
  watch.mirror.cursors.set(session.path, { ...cursor, generation, offset, tailHash: 'another' });
  watch.mirror.threads.clear();
  session.user('two');
  await watch.until(() => texts(watch).length === 2);
  await watch.settled();
  expect(stored(watch)).toMatchObject({
    generation: generation + 1,
    offset: statSync(session.path).size,
  });
});

test('from a stored cursor that fits the file it goes on, without the lines before', async () => {
  await using watch = await started();
  const first = stored(watch);
  if (first === undefined) throw new Error('nothing is stored');
  session.user('two');
  await watch.until(() => texts(watch).length === 2);
  await watch.settled();
  watch.mirror.cursors.set(session.path, first);
  watch.mirror.threads.clear();
  session.user('three');
  await watch.until(() => texts(watch).length === 2);
  await watch.settled();
  expect(texts(watch).toSorted()).toEqual(['three', 'two']);
  expect(stored(watch)).toMatchObject({ generation: 0, offset: statSync(session.path).size });
});

test('a session that moves when the cursor of its old place is lost is read from its start', async () => {
  await using watch = await started();
  watch.mirror.cursors.clear();
  watch.mirror.threads.clear();
  const archive = join(folder.path, 'archived_sessions');
  mkdirSync(archive);
  const path = join(archive, basename(session.path));
  renameSync(session.path, path);
  await watch.until(() => texts(watch).length === 1);
  await watch.settled();
  expect(stored(watch, path)?.offset).toBe(statSync(path).size);
  expect(watch.mirror.places(session.threadId)).toEqual([path]);
});

test('the deletion of a file is written down behind whatever cursor is stored', async () => {
  await using watch = await started();
  const cursor = stored(watch);
  if (cursor === undefined) throw new Error('nothing is stored');
  watch.mirror.cursors.set(session.path, { ...cursor, generation: 3, tailHash: 'another' });
  rmSync(session.path);
  await watch.until(() => stored(watch)?.deleted === true);
  expect(stored(watch)).toMatchObject({ generation: 3 });
});
