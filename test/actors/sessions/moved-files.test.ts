/** What Codex does to a session nobody touches: it compresses it, archives it, and unpacks it again. */
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileParser } from '../../../src/actors/sessions/line-parser.ts';
import { createRolloutReader } from '../../../src/codex/rollout/create-rollout-reader.ts';
import { Mirror, startSessions, type SessionsHarness } from '../../support/sessions-harness.ts';
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
  session.assistant('two');
});
afterEach(() => folder[Symbol.dispose]());

/** As Codex does: the whole file under another name first, then the old one goes. */
function compress(path = session.path): string {
  const compressed = `${path}.zst`;
  writeFileSync(`${compressed}.tmp`, zstdCompressSync(readFileSync(path)));
  renameSync(`${compressed}.tmp`, compressed);
  rmSync(path);
  return compressed;
}

function archive(path = session.path): string {
  mkdirSync(join(folder.path, 'archived_sessions'), { recursive: true });
  const archived = join(folder.path, 'archived_sessions', basename(path));
  renameSync(path, archived);
  return archived;
}

const texts = (watch: SessionsHarness) => watch.mirror.texts(session.threadId);
/** As a file that is there was last said to be the thread's. */
const lastThread = (mirror: Mirror) =>
  mirror.jobs.findLast(
    ({ thread }) => thread.rolloutPath !== undefined && thread.rolloutDeletedAt === undefined,
  )?.thread;
/** Where all its files are, as Convex takes it. */
const places = ({ mirror }: SessionsHarness) => mirror.places(session.threadId).join();
const reread = (mirror: Mirror, since: number) =>
  mirror.jobs.slice(since).flatMap(({ items }) => items.map(({ text }) => text));
const isAt = (watch: SessionsHarness, path: string) =>
  watch.mirror.cursors.get(path)?.offset === watch.mirror.cursors.get(session.path)?.offset;

test('a compressed session is read like another, and once', async () => {
  const path = compress();
  const mirror = new Mirror();
  {
    await using watch = startSessions({ root, mirror });
    await watch.until(() => texts(watch).length === 2);
    await watch.settled();
    expect(watch.status()).toMatchObject({ files: { known: 1, behind: 0 }, bytes: { pending: 0 } });
    expect(lastThread(mirror)?.rolloutPath).toBe(path);
  }
  const jobs = mirror.jobs.length;
  await using again = startSessions({ root, mirror });
  await again.settled();
  expect(mirror.jobs.length).toBe(jobs);
});

test('a session compressed while it is watched keeps its place: nothing is read twice', async () => {
  await using watch = startSessions({ root });
  await watch.until(() => texts(watch).length === 2);
  await watch.settled();
  const jobs = watch.mirror.jobs.length;
  const path = compress();
  await watch.until(() => isAt(watch, path));
  await watch.settled();
  expect(reread(watch.mirror, jobs)).toEqual([]);
  expect(lastThread(watch.mirror)?.rolloutPath).toBe(path);
  expect(watch.status().files.known).toBe(1);
});

test('a session that is unpacked to go on, under a new inode, goes on where it was', async () => {
  const path = compress();
  await using watch = startSessions({ root });
  await watch.until(() => texts(watch).length === 2);
  await watch.settled();
  const jobs = watch.mirror.jobs.length;
  const plain = join(folder.path, 'unpacked');
  writeFileSync(plain, zstdDecompressSync(readFileSync(path)));
  // Both are there for a moment.
  linkSync(plain, session.path);
  rmSync(plain);
  await watch.until(() => isAt(watch, session.path) && watch.status().files.known === 1);
  rmSync(path);
  session.user('three');
  await watch.until(() => texts(watch).length === 3);
  await watch.settled();
  expect(reread(watch.mirror, jobs)).toEqual(['three']);
  expect(watch.status().files.known).toBe(1);
});

test('what was compressed while the bridge was down is known again', async () => {
  const mirror = new Mirror();
  {
    await using watch = startSessions({ root, mirror });
    await watch.until(() => texts(watch).length === 2);
    await watch.settled();
  }
  const jobs = mirror.jobs.length;
  session.user('three');
  const path = compress();
  await using watch = startSessions({ root, mirror });
  await watch.until(() => texts(watch).length === 3);
  await watch.settled();
  expect(reread(mirror, jobs)).toEqual(['three']);
  expect(lastThread(mirror)?.rolloutPath).toBe(path);
});

test('a compressed session that is being read when it is unpacked beside itself is let go', async () => {
  const path = compress();
  await using watch = startSessions({ root });
  await watch.until(() => texts(watch).length === 2);
  await watch.settled();
  watch.mirror.isHolding = true;
  const jobs = watch.mirror.jobs.length;
  const lines = Buffer.concat([
    zstdDecompressSync(readFileSync(path)),
    Buffer.from(session.draft(() => session.user('three'))),
  ]);
  writeFileSync(`${path}.tmp`, zstdCompressSync(lines));
  renameSync(`${path}.tmp`, path);
  await watch.until(() => watch.mirror.jobs.length > jobs);
  writeFileSync(session.path, lines);
  await watch.until(() => lastThread(watch.mirror)?.rolloutPath === session.path);
  watch.restartWriter();
  await watch.until(() => places(watch) === session.path);
  await watch.until(() => watch.status().files.tailing === 1);
  await watch.settled();
  expect(watch.status().files).toMatchObject({ known: 1, behind: 0 });
  expect(texts(watch)).toEqual(['one', 'two', 'three']);
});

test('a compressed file that is not whole is tried again, and holds nothing else up', async () => {
  const whole = zstdCompressSync(readFileSync(session.path));
  const path = `${session.path}.zst`;
  rmSync(session.path);
  writeFileSync(path, whole.subarray(0, whole.length / 2));
  const other = createSession(folder.path);
  other.user('elsewhere');
  await using watch = startSessions({ root });
  await watch.until(() => watch.mirror.texts(other.threadId).length === 1);
  await watch.until(() => watch.status().lastError?.includes('decompressed') === true);
  appendFileSync(path, whole.subarray(whole.length / 2));
  await watch.until(() => texts(watch).length === 2);
});

test('an archived session stays, says so, and is read on when it is restored', async () => {
  await using watch = startSessions({ root });
  await watch.until(() => texts(watch).length === 2);
  await watch.settled();
  const jobs = watch.mirror.jobs.length;
  const path = archive();
  await watch.until(() => isAt(watch, path));
  expect(lastThread(watch.mirror)).toMatchObject({ archived: true, rolloutPath: path });
  renameSync(path, session.path);
  await watch.until(() => places(watch) === session.path);
  session.user('three');
  await watch.until(() => texts(watch).length === 3);
  await watch.settled();
  expect(reread(watch.mirror, jobs)).toEqual(['three']);
});

test('what was archived and compressed before the bridge knew it is read, as archived', async () => {
  const path = compress(archive());
  await using watch = startSessions({ root });
  await watch.until(() => texts(watch).length === 2);
  expect(lastThread(watch.mirror)).toMatchObject({ archived: true, rolloutPath: path });
});

test('a session that moves while the bridge is down, there and back, says where it is', async () => {
  const mirror = new Mirror();
  const run = async (until: (watch: SessionsHarness) => boolean) => {
    await using watch = startSessions({ root, mirror });
    await watch.until(() => until(watch));
    await watch.settled();
  };
  await run((watch) => texts(watch).length === 2);
  const path = archive();
  await run(() => lastThread(mirror)?.archived === true);
  renameSync(path, session.path);
  await run(() => lastThread(mirror)?.archived === false);
  expect(lastThread(mirror)?.rolloutPath).toBe(session.path);
});

test('a session archived and back before its writes are answered is not archived at last', async () => {
  await using watch = startSessions({ root });
  await watch.until(() => texts(watch).length === 2);
  await watch.settled();
  watch.mirror.isHolding = true;
  const jobs = watch.mirror.jobs.length;
  session.user('three');
  await watch.until(() => watch.mirror.jobs.length > jobs);
  const path = archive();
  await watch.until(() => lastThread(watch.mirror)?.rolloutPath === path);
  renameSync(path, session.path);
  await watch.until(() => watch.status().files.known === 1);
  watch.restartWriter();
  await watch.until(() => places(watch) === session.path);
  await watch.settled();
  expect(places(watch)).toBe(session.path);
});

test('what is read of a file that has moved on does not say that it is where it was', async () => {
  await using watch = startSessions({ root });
  await watch.until(() => texts(watch).length === 2);
  await watch.settled();
  watch.mirror.isHolding = true;
  const jobs = watch.mirror.jobs.length;
  session.user('three');
  await watch.until(() => watch.mirror.jobs.length > jobs);
  const path = archive();
  await watch.until(() => lastThread(watch.mirror)?.rolloutPath === path);
  appendFileSync(
    path,
    session.draft(() => session.user('four')),
  );
  const moves = watch.mirror.jobs.length;
  watch.restartWriter();
  const isRead = () => watch.mirror.cursors.get(path)?.offset === statSync(path).size;
  await watch.until(() => isRead() && texts(watch).length === 4);
  await watch.settled();
  const four = watch.mirror.jobs
    .slice(moves)
    .filter(({ items }) => items.some(({ text }) => text === 'four'));
  expect(four.filter(({ thread }) => thread.rolloutPath === session.path)).toEqual([]);
  // Nor when it is back later, and nothing but the cursors can tell where it was last.
  expect(four.filter(({ cursor }) => cursor?.path === session.path)).toEqual([]);
});

test('a session that is cut while it is read where it has moved has nothing set aside beyond its end', async () => {
  const { size } = statSync(session.path);
  appendFileSync(session.path, 'nobody understands this\n');
  const path = join(folder.path, 'archived_sessions', basename(session.path));
  await using watch = startSessions({
    root,
    openParser: ({ path: opened }) => {
      if (opened === path) truncateSync(path, size);
      return new FileParser(createRolloutReader({ path: opened }), 1);
    },
    parserVersion: 1,
  });
  const setAside = (at: string) => watch.mirror.cursors.get(at)?.quarantine.length;
  await watch.until(() => setAside(session.path) === 1);
  await watch.settled();
  archive();
  await watch.until(() => places(watch) === path);
  await watch.settled();
  expect(setAside(path)).toBe(0);
  expect(watch.mirror.cursors.get(path)).toMatchObject({ offset: size, generation: 1 });
});

test('a file that is back after its end was read elsewhere has its cursor there', async () => {
  await using watch = startSessions({ root });
  await watch.until(() => texts(watch).length === 2);
  await watch.settled();
  watch.mirror.isHolding = true;
  const jobs = watch.mirror.jobs.length;
  session.user('three');
  await watch.until(() => watch.mirror.jobs.length > jobs);
  // As if it were compressed: then it does not count as deleted.
  const compressed = `${session.path}.zst`;
  writeFileSync(compressed, 'not whole yet');
  const elsewhere = join(folder.path, 'elsewhere');
  renameSync(session.path, elsewhere);
  appendFileSync(
    elsewhere,
    session.draft(() => session.user('four')),
  );
  watch.restartWriter();
  await watch.until(() => texts(watch).length === 4);
  await watch.until(() => watch.status().state === 'watching.dirty');
  renameSync(elsewhere, session.path);
  rmSync(compressed);
  const { size } = statSync(session.path);
  await watch.until(() => watch.mirror.cursors.get(session.path)?.offset === size);
  await watch.settled();
});
