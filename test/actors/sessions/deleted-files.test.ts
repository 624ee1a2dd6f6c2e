/** Session files that somebody deletes: their rows stay, and their thread says so. */
import { copyFileSync, mkdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Mirror, startSessions, type SessionsHarness } from '../../support/sessions-harness.ts';
import { createSession, type SessionWriter } from '../../support/session-writer.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let folder: ReturnType<typeof temporaryFolder>;
let root: string;
let session: SessionWriter;
let mirror: Mirror;

beforeEach(() => {
  folder = temporaryFolder();
  root = join(folder.path, 'sessions');
  session = createSession(folder.path);
  session.user('one');
  mirror = new Mirror();
});
afterEach(() => folder[Symbol.dispose]());

const deletions = () => mirror.deletions.length;
const isGone = () => mirror.cursors.get(session.path)?.deleted === true;

async function run(until: (watch: SessionsHarness) => boolean): Promise<void> {
  await using watch = startSessions({ root, mirror });
  await watch.until(() => until(watch));
  await watch.settled();
}

test('a file deleted while it is followed says so once, its rows stay', async () => {
  await using watch = startSessions({ root, mirror });
  await watch.until(() => mirror.texts(session.threadId).length === 1);
  await watch.settled();
  rmSync(session.path);
  await watch.until(isGone);
  await watch.until(() => watch.status().files.tailing === 0);
  expect(deletions()).toBe(1);
  expect(mirror.jobs.at(-1)?.thread).toEqual({
    resumeId: session.threadId,
    source: 'external',
    rolloutPath: session.path,
    rolloutDeletedAt: expect.any(Number),
  });
  expect(mirror.texts(session.threadId)).toEqual(['one']);
});

test('one that was deleted while the bridge was down says so at the next start, and never again', async () => {
  await run(() => mirror.texts(session.threadId).length === 1);
  rmSync(session.path);
  await run(isGone);
  const jobs = mirror.jobs.length;
  const other = createSession(folder.path);
  other.user('elsewhere');
  await run(() => mirror.texts(other.threadId).length === 1);
  expect(mirror.jobs.slice(jobs).map(({ thread }) => thread.resumeId)).toEqual([other.threadId]);
});

test('one that lost its lines before, and only then is deleted, says so', async () => {
  await using watch = startSessions({ root, mirror });
  await watch.until(() => mirror.texts(session.threadId).length === 1);
  await watch.settled();
  truncateSync(session.path, 20);
  await watch.until(() => mirror.cursors.get(session.path)?.offset === 0);
  await watch.settled();
  rmSync(session.path);
  await watch.until(isGone);
  expect(deletions()).toBe(1);
});

test('one whose compressed form is deleted before anybody has read it says so too', async () => {
  await using watch = startSessions({ root, mirror });
  await watch.until(() => mirror.texts(session.threadId).length === 1);
  await watch.settled();
  const compressed = `${session.path}.zst`;
  writeFileSync(compressed, 'not whole yet');
  rmSync(session.path);
  await watch.until(() => watch.status().state === 'watching.dirty');
  expect(deletions()).toBe(0);
  rmSync(compressed);
  await watch.until(isGone);
  await watch.settled();
  expect(deletions()).toBe(1);
});

test.each(['while it is watched', 'while the bridge is down'])(
  'one that comes back as it was, %s, says that it is there, and is not read again',
  async (when) => {
    const kept = join(folder.path, 'kept');
    copyFileSync(session.path, kept);
    await run(() => mirror.texts(session.threadId).length === 1);
    rmSync(session.path);
    const isBack = () => mirror.cursors.get(session.path)?.deleted === undefined;
    if (when === 'while the bridge is down') {
      await run(isGone);
      copyFileSync(kept, session.path);
      await run(isBack);
    } else {
      await using watch = startSessions({ root, mirror });
      await watch.until(isGone);
      copyFileSync(kept, session.path);
      await watch.until(isBack);
    }
    const last = mirror.jobs.at(-1);
    expect(last).toMatchObject({ items: [], thread: { rolloutPath: session.path } });
    expect(last?.thread).not.toHaveProperty('rolloutDeletedAt');
  },
);

test('one that grows and is deleted at once says both', async () => {
  await using watch = startSessions({ root, mirror });
  await watch.until(() => mirror.texts(session.threadId).length === 1);
  await watch.settled();
  session.assistant('last words');
  rmSync(session.path);
  await watch.until(isGone);
  expect(mirror.texts(session.threadId)).toEqual(['one', 'last words']);
  expect(deletions()).toBe(1);
});

test('one that is back before Convex has taken its deletion is there in the end', async () => {
  const kept = join(folder.path, 'kept');
  copyFileSync(session.path, kept);
  await using watch = startSessions({ root, mirror });
  await watch.until(() => mirror.texts(session.threadId).length === 1);
  await watch.settled();
  mirror.isHolding = true;
  rmSync(session.path);
  await watch.until(() => mirror.jobs.at(-1)?.thread.rolloutDeletedAt !== undefined);
  copyFileSync(kept, session.path);
  await watch.until(() => watch.status().files.known === 1);
  watch.restartWriter();
  await watch.until(() => mirror.jobs.at(-1)?.thread.rolloutDeletedAt === undefined);
  await watch.settled();
  expect(mirror.cursors.get(session.path)).not.toHaveProperty('deleted');
  expect(mirror.texts(session.threadId)).toEqual(['one']);
});

test('one that goes while it cannot be read says so, and leaves nobody who tries to read it', async () => {
  await run(() => mirror.texts(session.threadId).length === 1);
  session.user('two');
  const openParser = () => {
    throw new Error('by the test');
  };
  await using watch = startSessions({ root, mirror, openParser });
  await watch.until(() => watch.status().lastError?.includes('by the test') === true);
  rmSync(session.path);
  await watch.until(isGone);
  await watch.until(() => watch.status().files.tailing === 0);
  expect(deletions()).toBe(1);
});

test('a session that Codex moved is not called deleted, however the moves are noticed', async () => {
  await using watch = startSessions({ root, mirror });
  await watch.until(() => mirror.texts(session.threadId).length === 1);
  await watch.settled();
  const archived = join(folder.path, 'archived_sessions', basename(session.path));
  mkdirSync(dirname(archived));
  for (const [from, to] of [
    [session.path, archived],
    [archived, session.path],
  ] as const) {
    renameSync(from, to);
    await watch.until(() => mirror.places(session.threadId).join() === to);
    await watch.settled();
  }
  expect(deletions()).toBe(0);
});

test('a file of another home is nobody’s to miss', async () => {
  await run(() => mirror.texts(session.threadId).length === 1);
  rmSync(session.path);
  const elsewhere = join(folder.path, 'other', 'sessions');
  const other = createSession(dirname(elsewhere));
  other.user('elsewhere');
  await using watch = startSessions({ root: elsewhere, mirror });
  await watch.until(() => mirror.texts(other.threadId).length === 1);
  await watch.settled();
  expect(deletions()).toBe(0);
});
