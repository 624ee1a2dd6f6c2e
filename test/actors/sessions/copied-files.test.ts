/** Several files of one session: its thread is at one that is there, and deleted with the last. */
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

const places = () => mirror.places(session.threadId).toSorted();

/** The path of the session on another day. */
function on(day: string, name = basename(session.path)): string {
  const path = join(root, '2020', '01', day, name);
  mkdirSync(dirname(path), { recursive: true });
  return path;
}

function copyTo(path: string): string {
  copyFileSync(session.path, path);
  return path;
}

/** Convex takes it that just these are there. */
async function expectPlaces(watch: SessionsHarness, ...paths: string[]): Promise<void> {
  const wanted = paths.toSorted().join();
  await watch.until(() => places().join() === wanted);
  await watch.settled();
  expect(places()).toEqual(paths.toSorted());
}

const otherName = () => basename(session.path).replace(/T\d\d/, 'T23');

test.each(['the same name', 'another name'])(
  'when the copy under %s that was read last goes, the other is left',
  async (name) => {
    await using watch = startSessions({ root, mirror });
    await expectPlaces(watch, session.path);
    const copy = copyTo(on('01', name === 'another name' ? otherName() : undefined));
    await expectPlaces(watch, session.path, copy);
    rmSync(copy);
    await expectPlaces(watch, session.path);
    expect(mirror.deletions).toEqual([]);
    expect(mirror.texts(session.threadId)).toEqual(['one']);
    rmSync(session.path);
    await expectPlaces(watch);
    expect(mirror.deletions).toEqual([session.threadId]);
  },
);

test('a copy that is moved, and deleted there before it was read, leaves the other', async () => {
  await using watch = startSessions({ root, mirror });
  const copy = copyTo(on('01'));
  await expectPlaces(watch, session.path, copy);
  mirror.isHolding = true;
  renameSync(copy, on('02'));
  await watch.until(() => mirror.jobs.at(-1)?.thread.rolloutPath === on('02'));
  rmSync(on('02'));
  watch.restartWriter();
  await expectPlaces(watch, session.path);
  expect(mirror.deletions).toEqual([]);
});

test('copies that move, and go while the bridge is down, are known to be gone at the next start', async () => {
  const copy = copyTo(on('01'));
  {
    await using watch = startSessions({ root, mirror });
    await expectPlaces(watch, session.path, copy);
  }
  renameSync(copy, on('02'));
  rmSync(session.path);
  {
    await using watch = startSessions({ root, mirror });
    await expectPlaces(watch, on('02'));
    expect(mirror.deletions).toEqual([]);
  }
  rmSync(on('02'));
  await using watch = startSessions({ root, mirror });
  await expectPlaces(watch);
  expect(mirror.deletions).toEqual([session.threadId]);
});

test('a copy without lines is a copy too', async () => {
  await using watch = startSessions({ root, mirror });
  await expectPlaces(watch, session.path);
  const empty = on('01');
  writeFileSync(empty, '');
  await expectPlaces(watch, session.path, empty);
  rmSync(session.path);
  await expectPlaces(watch, empty);
  expect(mirror.deletions).toEqual([]);
});

test('a copy that lost its lines before the first was read is there when that goes', async () => {
  const empty = copyTo(on('01'));
  truncateSync(empty, 0);
  await using watch = startSessions({ root, mirror });
  await watch.until(() => mirror.texts(session.threadId).length === 1);
  await watch.settled();
  rmSync(session.path);
  await expectPlaces(watch, empty);
  expect(mirror.deletions).toEqual([]);
});
