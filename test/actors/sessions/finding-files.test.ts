import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  watch as watchDirectory,
  writeFileSync,
} from 'node:fs';
import { EventEmitter } from 'node:events';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Mirror, startSessions } from '../../support/sessions-harness.ts';
import { createSession } from '../../support/session-writer.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let folder: ReturnType<typeof temporaryFolder>;
let root: string;

beforeEach(() => {
  folder = temporaryFolder();
  root = join(folder.path, 'sessions');
});
afterEach(() => folder[Symbol.dispose]());

/** A day of its own, in the month of nobody's birthday. */
const day = (n: number) => new Date(Date.UTC(2020, 0, 1 + n, 12));
const HOUR_AGO = new Date(Date.now() - 3_600_000);
/** A watch that never says anything. */
const mute = (() => Object.assign(new EventEmitter(), { close: () => {} })) as never;

/** Blocks the event loop, as a long computation or a stopped process does. */
function stall(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test('a root that does not exist yet is waited for', async () => {
  await using watch = startSessions({ root });
  await watch.settled();
  expect(watch.status()).toMatchObject({ files: { known: 0 }, lastError: null, degraded: null });
  const session = createSession(folder.path);
  session.user('first');
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
});

test('a root that is removed and made again is found again', async () => {
  createSession(folder.path);
  await using watch = startSessions({ root });
  await watch.until(() => watch.status().files.known === 1);
  rmSync(root, { recursive: true });
  await watch.until(() => watch.status().files.known === 0);
  const session = createSession(folder.path);
  session.user('again');
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
});

test('files written in the same moment as their 40 new directories are all found', async () => {
  mkdirSync(root);
  await using watch = startSessions({ root });
  await watch.settled();
  const sessions = Array.from({ length: 40 }, (_, n) => createSession(folder.path, { at: day(n) }));
  for (const session of sessions) session.user('there');
  // The next look at everything is a minute away.
  await watch.until(() =>
    sessions.every(({ threadId }) => watch.mirror.texts(threadId).length === 1),
  );
  // And the new directories are watched from now on.
  sessions[3]?.assistant('later');
  await watch.until(() => watch.mirror.texts(sessions[3]?.threadId ?? '').length === 2);
});

test('a directory that is moved in is read with all that it holds', async () => {
  const elsewhere = temporaryFolder();
  const session = createSession(elsewhere.path);
  session.user('moved');
  mkdirSync(root);
  await using watch = startSessions({ root });
  await watch.settled();
  renameSync(join(elsewhere.path, 'sessions'), join(root, 'restored'));
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
  elsewhere[Symbol.dispose]();
});

test('links, pipes, directories and other names are left alone', async () => {
  const session = createSession(folder.path);
  const inside = dirname(session.path);
  const outside = join(folder.path, 'outside.jsonl');
  writeFileSync(outside, '{"secret":true}\n');
  const name = (n: number) =>
    join(inside, `rollout-2026-01-0${n}T00-00-00-00000000-0000-7000-8000-00000000000${n}.jsonl`);
  symlinkSync(outside, name(1));
  if (process.platform !== 'win32') execFileSync('mkfifo', [name(2)]);
  mkdirSync(name(3));
  writeFileSync(join(inside, 'notes.jsonl'), '{}\n');
  writeFileSync(join(inside, 'rollout-x.jsonl.tmp'), '{}\n');
  await using watch = startSessions({ root });
  await watch.settled();
  // The same while it watches.
  symlinkSync(outside, name(4));
  appendFileSync(outside, '{"secret":true}\n');
  session.user('real');
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
  expect(watch.status()).toMatchObject({ files: { known: 1 }, lastError: null });
  expect([...watch.mirror.cursors.keys()]).toEqual([session.path]);
});

test('a file that turns into a link is not followed', async () => {
  const session = createSession(folder.path);
  session.user('real');
  const outside = join(folder.path, 'outside.jsonl');
  writeFileSync(outside, '{"timestamp":"2026-01-01T00:00:00.000Z"}\n');
  await using watch = startSessions({ root });
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
  rmSync(session.path);
  symlinkSync(outside, session.path);
  await watch.until(() => watch.status().files.known === 0 && watch.status().files.tailing === 0);
  expect(watch.mirror.texts(session.threadId)).toEqual(['real']);
  expect(watch.status().lastError).toBeNull();
});

test('after a stall of the event loop everything is looked at, whatever events said', async () => {
  const sessions = Array.from({ length: 30 }, (_, n) => createSession(folder.path, { at: day(n) }));
  for (const { path } of sessions) utimesSync(path, HOUR_AGO, HOUR_AGO);
  await using watch = startSessions({ root, watch: mute });
  await watch.until(() => watch.mirror.cursors.size === 30);
  await watch.settled();
  for (const session of sessions) session.user('unheard');
  stall(2_000);
  // Without the stall it would be a minute until the next look.
  await watch.until(() =>
    sessions.every(({ threadId }) => watch.mirror.texts(threadId).length === 1),
  );
});

test('nothing is lost when the queue of events overflows', { timeout: 30_000 }, async () => {
  const sessions = Array.from({ length: 200 }, (_, n) =>
    createSession(folder.path, { at: day(n % 50) }),
  );
  for (const { path } of sessions) utimesSync(path, HOUR_AGO, HOUR_AGO);
  await using watch = startSessions({ root });
  await watch.until(() => watch.mirror.cursors.size === 200);
  await watch.settled();
  // Two events each time, never two for one file in a row: far more than the 16,384 Linux keeps.
  for (let round = 0; round < 50; round += 1) {
    for (const session of sessions) session.user(`round ${round}`);
  }
  stall(1_100);
  await watch.until(() =>
    sessions.every(({ threadId }) => watch.mirror.texts(threadId).length === 50),
  );
  await watch.settled();
  expect(watch.status().bytes.pending).toBe(0);
});

test('where the system refuses to watch, directories are polled, and the status says so', async () => {
  const refused = Object.assign(new Error('no more watches'), { code: 'ENOSPC' });
  const session = createSession(folder.path, { at: day(1) });
  utimesSync(session.path, HOUR_AGO, HOUR_AGO);
  let isRefusing = true;
  const refusing = ((...args: Parameters<typeof watchDirectory>) => {
    if (isRefusing && args[0] !== root) throw refused;
    return watchDirectory(...args);
  }) as typeof watchDirectory;
  const times = { tick: 50, poll: 100, sweep: 1_000 };
  await using watch = startSessions({ root, watch: refusing, times });
  await watch.until(() => watch.mirror.cursors.size === 1);
  await watch.until(() => watch.status().degraded?.includes('max_user_watches') === true);
  session.user('polled');
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
  const other = createSession(folder.path, { at: day(2) });
  other.user('also');
  await watch.until(() => watch.mirror.texts(other.threadId).length === 1);
  // When the limit is raised the next sweep finds out.
  isRefusing = false;
  await watch.until(() => watch.status().degraded === null);
});

// Thousands of files are made, read and looked at again.
test(
  '2,000 old files are read once, newest first, and cost nothing afterwards',
  { timeout: 60_000 },
  async () => {
    const sessions = Array.from({ length: 2_000 }, (_, n) =>
      createSession(folder.path, { at: day(n % 100) }),
    );
    for (const [n, session] of sessions.entries()) {
      session.user(`number ${n}`);
      const at = new Date(HOUR_AGO.getTime() - n * 1_000);
      utimesSync(session.path, at, at);
    }
    const paths = sessions.map(({ path }) => path);
    const mirror = await (async () => {
      await using watch = startSessions({ root });
      await watch.until(() => watch.mirror.cursors.size === 2_000);
      await watch.settled();
      expect(watch.status().files).toMatchObject({ known: 2_000, tailing: 0, behind: 0 });
      expect(Object.keys(watch.actor.getSnapshot().children)).toEqual(['discovery']);
      expect(watch.due).toEqual(paths);
      return watch.mirror;
    })();
    expect(mirror.jobs).toHaveLength(2_000);
    expect(new Set(mirror.jobs.map(({ cursor }) => cursor?.path))).toEqual(new Set(paths));

    mirror.jobs.length = 0;
    await using again = startSessions({ root, mirror });
    await again.settled();
    expect(again.due).toEqual([]);
    expect(mirror.jobs).toEqual([]);
  },
);

test('a live line does not wait for the import of history', async () => {
  const old = Array.from({ length: 30 }, (_, n) => createSession(folder.path, { at: day(n % 10) }));
  for (const session of old) {
    session.user('old');
    utimesSync(session.path, HOUR_AGO, HOUR_AGO);
  }
  const live = createSession(folder.path);
  live.user('live');
  const mirror = new Mirror();
  // No file of history comes to its end, so none that waits behind them can begin.
  mirror.holds = ({ priority }) => priority === 'history';
  await using watch = startSessions({ root, mirror });
  await watch.until(() => mirror.texts(live.threadId).length === 1);
  live.assistant('still live');
  await watch.until(() => mirror.texts(live.threadId).length === 2);
  expect(new Set(mirror.cursors.keys())).toEqual(new Set([live.path]));
  mirror.holds = () => false;
  watch.restartWriter();
  await watch.until(() => old.every(({ threadId }) => mirror.texts(threadId).length === 1));
  const priorities = new Map(mirror.jobs.map((job) => [job.cursor?.path, job.priority]));
  expect(priorities.get(live.path)).toBe('live');
  expect(new Set(old.map(({ path }) => priorities.get(path)))).toEqual(new Set(['history']));
});
