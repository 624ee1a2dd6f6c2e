/** Which files of a backfill are read, when, and as what: on real files, with the real reader. */
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ImportProgress, ImportSelection } from '../../../src/machines/backfill-events.ts';
import { asNobody } from '../../support/as-nobody.ts';
import { createSession, type SessionWriter } from '../../support/session-writer.ts';
import { Mirror, startSessions, type SessionsHarness } from '../../support/sessions-harness.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let folder: ReturnType<typeof temporaryFolder>;
let root: string;
beforeEach(() => {
  folder = temporaryFolder();
  root = join(folder.path, 'codex', 'sessions');
  mkdirSync(root, { recursive: true });
});
afterEach(() => folder[Symbol.dispose]());

const DAY = 86_400_000;

/** One that nobody has touched for so many days. */
function oldSession(days: number, home = join(folder.path, 'codex')): SessionWriter {
  const at = new Date(Date.now() - days * DAY);
  const session = createSession(home, { at });
  session.user(`question ${days}`);
  session.assistant(`answer ${days}`);
  utimesSync(session.path, at, at);
  return session;
}

function begin({ actor }: SessionsHarness, selection: ImportSelection, id = 'j1'): void {
  actor.send({ type: 'import.begin', job: { id, selection } });
}

/** The latest numbers of a job; null stands for what was found at the start. */
function progressOf(sessions: SessionsHarness, jobId: string | null): ImportProgress | undefined {
  const last = sessions.imports.findLast(
    (event) => event.type === 'import.counted' && event.jobId === jobId,
  );
  return last?.type === 'import.counted' ? last.progress : undefined;
}

async function over(sessions: SessionsHarness, jobId: string | null): Promise<ImportProgress> {
  const isOver = () => {
    const files = progressOf(sessions, jobId)?.files;
    return files !== undefined && files.done + files.failed === files.total;
  };
  await sessions.until(isOver);
  return progressOf(sessions, jobId) as ImportProgress;
}

const threadsOf = (sessions: SessionsHarness) => [
  ...new Set(sessions.mirror.jobs.map(({ thread }) => thread.resumeId)),
];

test('what a scan finds is counted from where the cursors stand to the end', async () => {
  const first = oldSession(3);
  const bytes = readFileSync(first.path).length;
  const mirror = new Mirror();
  {
    await using sessions = startSessions({ root, mirror });
    expect(await over(sessions, null)).toEqual({
      files: { total: 1, done: 1, failed: 0 },
      bytes: { total: bytes, done: bytes },
      messages: { inserted: mirror.rows, known: 0 },
      failures: [],
    });
  }
  first.user('more');
  const second = oldSession(2);
  await using sessions = startSessions({ root, mirror });
  const { files, bytes: counted } = await over(sessions, null);
  expect(files).toEqual({ total: 2, done: 2, failed: 0 });
  const whole = readFileSync(first.path).length + readFileSync(second.path).length;
  expect(counted).toEqual({ total: whole - bytes, done: whole - bytes });
});

test('the files of a job are read before other history, and that goes on behind them', async () => {
  for (let days = 1; days <= 30; days += 1) oldSession(days);
  const wanted = [40, 41, 42].map((days) => oldSession(days, join(folder.path, 'backup')));
  await using sessions = startSessions({ root });
  sessions.mirror.isHolding = true;
  await sessions.until(() => sessions.mirror.jobs.length === 3);
  begin(sessions, { path: join(folder.path, 'backup') });
  await sessions.until(() => progressOf(sessions, 'j1') !== undefined);
  sessions.restartWriter();
  expect((await over(sessions, 'j1')).files).toEqual({ total: 3, done: 3, failed: 0 });
  // The three that were being read are read to their end first.
  expect(sessions.due.slice(3, 6)).toEqual(wanted.map(({ path }) => path));
  sessions.actor.send({ type: 'import.end', jobId: 'j1' });
  expect((await over(sessions, null)).files).toEqual({ total: 30, done: 30, failed: 0 });
  expect(threadsOf(sessions)).toHaveLength(33);
});

test('since and limit choose by the time of the last change, the newest first', async () => {
  const [, second, third, fourth] = [1, 2, 3, 4].map((days) => oldSession(days));
  await using sessions = startSessions({ root, enabled: false });
  begin(sessions, { since: Date.now() - 2.5 * DAY });
  expect((await over(sessions, 'j1')).files.total).toBe(2);
  expect(threadsOf(sessions)).toHaveLength(2);
  expect(threadsOf(sessions)).toContain(second?.threadId);
  begin(sessions, { limit: 3 }, 'j2');
  const { files, messages } = await over(sessions, 'j2');
  expect([files, threadsOf(sessions).at(-1)]).toEqual([
    { total: 3, done: 3, failed: 0 },
    third?.threadId,
  ]);
  expect(messages.known).toBe(0);
  expect(threadsOf(sessions)).not.toContain(fourth?.threadId);
});

test('turned off, it reads nothing but the job, and then rests', async () => {
  const [newest] = [oldSession(1), oldSession(2)];
  await using sessions = startSessions({ root, enabled: false });
  begin(sessions, { limit: 1 });
  await over(sessions, 'j1');
  sessions.actor.send({ type: 'import.end', jobId: 'j1' });
  expect(threadsOf(sessions)).toEqual([newest?.threadId]);
  expect(sessions.status()).toMatchObject({ enabled: false, state: 'disabled' });
});

test('a directory elsewhere: regular session files at any depth, and no link is followed', async () => {
  const elsewhere = join(folder.path, 'backup');
  const session = oldSession(5, join(elsewhere, 'a', 'b'));
  const packed = oldSession(6, elsewhere);
  writeFileSync(`${packed.path}.zst`, zstdCompressSync(readFileSync(packed.path)));
  rmSync(packed.path);
  const outside = oldSession(7, join(folder.path, 'outside'));
  symlinkSync(outside.path, join(elsewhere, basename(outside.path)));
  symlinkSync(join(folder.path, 'outside'), join(elsewhere, 'linked'));
  writeFileSync(join(elsewhere, 'notes.jsonl'), '{}\n');
  await using sessions = startSessions({ root });
  begin(sessions, { path: elsewhere });
  expect((await over(sessions, 'j1')).files).toEqual({ total: 2, done: 2, failed: 0 });
  expect(new Set(threadsOf(sessions))).toEqual(new Set([session.threadId, packed.threadId]));
  expect(sessions.mirror.jobs.map(({ thread }) => thread.rolloutPath)).toContain(session.path);
  sessions.actor.send({ type: 'import.end', jobId: 'j1' });
  await sessions.until(() => sessions.status().files.known === 0);
});

test('a copy of a watched session adds nothing, and its thread stays where it is', async () => {
  const session = oldSession(3);
  const copies = join(folder.path, 'copies');
  mkdirSync(copies);
  const copy = join(copies, basename(session.path));
  copyFileSync(session.path, copy);
  const mirror = new Mirror();
  {
    await using sessions = startSessions({ root, mirror });
    await over(sessions, null);
    const rows = mirror.rows;
    begin(sessions, { path: copy });
    await over(sessions, 'j1');
    // An older state of the same session.
    writeFileSync(
      copy,
      readFileSync(session.path, 'utf8').split('\n').slice(0, 3).join('\n') + '\n',
    );
    sessions.actor.send({ type: 'import.end', jobId: 'j1' });
    begin(sessions, { path: copies }, 'j2');
    expect((await over(sessions, 'j2')).messages.inserted).toBe(0);
    expect(mirror.rows).toBe(rows);
  }
  expect(new Set(mirror.jobs.flatMap(({ thread }) => thread.rolloutPath ?? []))).toEqual(
    new Set([session.path]),
  );
  const before = mirror.jobs.length;
  await using sessions = startSessions({ root, mirror });
  await sessions.settled();
  expect(mirror.jobs).toHaveLength(before);
});

test('a session that is nowhere else becomes a thread, and goes on when its file is put back', async () => {
  const session = oldSession(3, join(folder.path, 'backup'));
  await using sessions = startSessions({ root });
  begin(sessions, { path: join(folder.path, 'backup') });
  await over(sessions, 'j1');
  sessions.actor.send({ type: 'import.end', jobId: 'j1' });
  const rows = sessions.mirror.rows;
  expect(sessions.mirror.texts(session.threadId)).toEqual(['question 3', 'answer 3']);
  renameSync(session.path, join(root, basename(session.path)));
  await sessions.until(() => sessions.mirror.cursors.size === 2);
  expect(sessions.mirror.rows).toBe(rows);
  expect(sessions.mirror.jobs.at(-1)?.thread.rolloutPath).toBe(join(root, basename(session.path)));
});

test('a watched place by another name is the same place', async () => {
  const session = oldSession(3);
  await using sessions = startSessions({ root });
  await over(sessions, null);
  begin(sessions, { path: join(folder.path, 'codex') });
  expect((await over(sessions, 'j1')).files.total).toBe(1);
  expect([...sessions.mirror.cursors.keys()]).toEqual([session.path]);
});

test('a file that cannot be read is counted with its reason, and holds up no other', async () => {
  const files = [1, 2, 3].map((days) => oldSession(days));
  const damaged = `${files[1]?.path}.zst`;
  rmSync(files[1]?.path ?? '');
  writeFileSync(damaged, 'this is no zstd');
  await using sessions = startSessions({ root });
  begin(sessions, {});
  const { files: counted, failures } = await over(sessions, 'j1');
  expect(counted).toEqual({ total: 3, done: 2, failed: 1 });
  expect(failures).toEqual([
    { path: damaged, reason: expect.stringContaining('cannot be decompressed') },
  ]);
});

test.skipIf(process.platform === 'win32')(
  'a directory that cannot be listed counts as one that failed',
  async () => {
    const session = oldSession(1, join(folder.path, 'backup', 'open'));
    const shut = join(folder.path, 'backup', 'shut');
    mkdirSync(shut);
    chmodSync(shut, 0);
    const isRoot = process.getuid?.() === 0;
    chmodSync(folder.path, 0o755);
    using _ = asNobody(isRoot);
    await using sessions = startSessions({ root });
    begin(sessions, { path: join(folder.path, 'backup') });
    const { files, failures } = await over(sessions, 'j1');
    expect(files).toEqual({ total: 2, done: 1, failed: 1 });
    expect(failures).toEqual([{ path: shut, reason: expect.stringContaining('EACCES') }]);
    expect(threadsOf(sessions)).toEqual([session.threadId]);
  },
);

test('a path that is gone when its files are looked up refuses the job', async () => {
  await using sessions = startSessions({ root });
  begin(sessions, { path: join(folder.path, 'gone') });
  await sessions.until(() => sessions.imports.some(({ type }) => type === 'import.refused'));
  expect(sessions.imports).toContainEqual(
    expect.objectContaining({
      jobId: 'j1',
      error: expect.objectContaining({ code: 'path_missing' }),
    }),
  );
});

test('an outage of Convex does not set the numbers of a job back', async () => {
  for (let days = 1; days <= 12; days += 1) oldSession(days);
  const elsewhere = join(folder.path, 'backup');
  for (let days = 1; days <= 3; days += 1) oldSession(days, elsewhere);
  await using sessions = startSessions({ root });
  await sessions.until(() => (progressOf(sessions, null)?.files.done ?? 0) > 3);
  sessions.setConvex(false);
  sessions.setConvex(true);
  const all = { total: 12, done: 12, failed: 0 };
  expect((await over(sessions, null)).files).toEqual(all);
  begin(sessions, { path: elsewhere });
  await sessions.until(() => (progressOf(sessions, 'j1')?.files.done ?? 0) > 0);
  sessions.setConvex(false);
  sessions.setConvex(true);
  await sessions.until(() => sessions.imports.at(-1)?.type === 'import.counted');
  const { files, messages } = await over(sessions, 'j1');
  expect(files).toEqual({ total: 3, done: 3, failed: 0 });
  expect(messages.inserted).toBe(sessions.mirror.rows - messages.inserted * 4);
});

test('what is left of a cancelled job outside of the watched places is not read', async () => {
  const elsewhere = join(folder.path, 'backup');
  for (let days = 1; days <= 20; days += 1) oldSession(days, elsewhere);
  await using sessions = startSessions({ root });
  sessions.mirror.isHolding = true;
  begin(sessions, { path: elsewhere });
  await sessions.until(() => sessions.mirror.jobs.length === 3);
  sessions.actor.send({ type: 'import.end', jobId: 'j1' });
  sessions.restartWriter();
  await sessions.until(() => sessions.status().files.known === 0);
  oldSession(1);
  await sessions.until(() => sessions.mirror.rows > 0);
  await sessions.settled();
  expect(sessions.mirror.jobs).toHaveLength(4);
});

test('cancelled history is left until a file changes or somebody asks for it', async () => {
  const old = Array.from({ length: 10 }, (_, day) => oldSession(day + 1));
  await using sessions = startSessions({ root, online: false });
  sessions.actor.send({ type: 'import.leave' });
  sessions.setConvex(true);
  await sessions.until(() => sessions.status().state === 'watching.dirty');
  expect(sessions.status().files.behind).toBe(10);
  old[9]?.user('woken');
  await sessions.until(() => sessions.mirror.texts(old[9]?.threadId ?? '').includes('woken'));
  expect(threadsOf(sessions)).toEqual([old[9]?.threadId]);
  begin(sessions, {});
  expect((await over(sessions, 'j1')).files).toEqual({ total: 10, done: 10, failed: 0 });
});
