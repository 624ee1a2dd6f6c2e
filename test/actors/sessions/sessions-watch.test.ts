import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Mirror, refusal, startSessions } from '../../support/sessions-harness.ts';
import { createSession } from '../../support/session-writer.ts';
import { asNobody, asRoot } from '../../support/as-nobody.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let folder: ReturnType<typeof temporaryFolder>;
let root: string;

beforeEach(() => {
  folder = temporaryFolder();
  root = join(folder.path, 'sessions');
});
afterEach(() => folder[Symbol.dispose]());

test('what stands in a file at the start is read, and each line after it when the system tells of it', async () => {
  const session = createSession(folder.path);
  session.user('hello');
  // Nobody looks by himself, as he else would every second.
  const times = { tick: 3_600_000, poll: 3_600_000, sweep: 3_600_000 };
  await using watch = startSessions({ root, times });
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
  await watch.settled();

  for (let n = 0; n < 20; n += 1) {
    session.assistant(`answer ${n}`);
    await watch.until(() => watch.mirror.texts(session.threadId).length === n + 2);
    await watch.settled();
  }
  expect(watch.mirror.texts(session.threadId)).toEqual([
    'hello',
    ...Array.from({ length: 20 }, (_, n) => `answer ${n}`),
  ]);
  expect(watch.status()).toMatchObject({
    state: 'watching.settled',
    files: { known: 1, tailing: 1, behind: 0, quarantined: 0 },
    bytes: { read: statSync(session.path).size, pending: 0 },
    degraded: null,
    lastError: null,
  });
});

test('each job moves the cursor over what it holds, and waits for the one before', async () => {
  const session = createSession(folder.path);
  for (let n = 0; n < 1_200; n += 1) session.user(`message ${n}`);
  await using watch = startSessions({ root });
  watch.mirror.isHolding = true;
  await watch.until(() => watch.mirror.jobs.length === 1);
  session.user('more');
  watch.restartWriter();
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1_201);
  await watch.settled();

  const [held, again, ...later] = watch.mirror.jobs;
  expect(again).toBe(held);
  // All of the chunk with which it was full.
  expect(held?.items.length).toBeGreaterThanOrEqual(500);
  expect(held?.items.length).toBeLessThan(1_200);
  const offsets = later.map(({ cursor }) => cursor?.offset ?? 0);
  expect(offsets).toEqual(offsets.toSorted((one, other) => one - other));
  expect(offsets.at(-1)).toBe(statSync(session.path).size);
  expect(watch.status().items).toMatchObject({
    inserted: watch.mirror.rows,
    known: 0,
    rejected: 0,
  });
});

test('while Convex is away nothing is read, and afterwards everything is', async () => {
  const session = createSession(folder.path);
  session.user('before');
  await using watch = startSessions({ root, online: false });
  expect(watch.status().state).toBe('paused');
  expect(watch.mirror.jobs).toEqual([]);
  watch.setConvex(true);
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
  await watch.settled();

  watch.setConvex(false);
  expect(watch.status().state).toBe('paused');
  expect(Object.keys(watch.actor.getSnapshot().children)).toEqual([]);
  const jobs = watch.mirror.jobs.length;
  session.assistant('meanwhile');
  const other = createSession(folder.path);
  other.user('also meanwhile');
  expect(watch.mirror.jobs).toHaveLength(jobs);
  watch.setConvex(true);
  await watch.until(() => watch.mirror.texts(session.threadId).length === 2);
  await watch.until(() => watch.mirror.texts(other.threadId).length === 1);
});

test('a Convex that comes back empty is filled again', async () => {
  const session = createSession(folder.path);
  session.user('one');
  await using watch = startSessions({ root });
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
  await watch.settled();
  watch.setConvex(false);
  watch.mirror.cursors.clear();
  watch.mirror.threads.clear();
  watch.setConvex(true);
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
});

test('a batch that cannot be written now is tried again after a pause', async () => {
  const session = createSession(folder.path);
  await using watch = startSessions({ root });
  watch.mirror.isHolding = true;
  session.user('one');
  await watch.until(() => watch.mirror.jobs.length === 1);
  const [job] = watch.mirror.jobs;
  if (job === undefined) throw new Error('no job');
  watch.mirror.isHolding = false;
  watch.actor.send(refusal(job, 'convex_unavailable'));
  await watch.until(() => watch.status().state === 'watching.dirty');
  expect(watch.status().lastError).toContain('cannot be reached');
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
  expect(watch.mirror.jobs[1]).toBe(job);
});

test('a batch that Convex refuses for good is set aside, and the file goes on behind it', async () => {
  const session = createSession(folder.path);
  session.user('bad');
  await using watch = startSessions({ root });
  watch.mirror.isHolding = true;
  await watch.until(() => watch.mirror.jobs.length === 1);
  const [job] = watch.mirror.jobs;
  if (job === undefined) throw new Error('no job');
  watch.mirror.isHolding = false;
  watch.actor.send(refusal(job, 'convex_rejected'));
  await watch.until(() => watch.mirror.cursors.size === 1);
  session.user('good');
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
  const cursor = watch.mirror.cursors.get(session.path);
  expect(cursor?.quarantine).toHaveLength(1);
  expect(cursor?.quarantine[0]).toMatchObject({ offset: 0, length: job.cursor?.offset });
  expect(watch.mirror.texts(session.threadId)).toEqual(['good']);
  await watch.settled();
  expect(watch.status()).toMatchObject({ files: { quarantined: 1 }, bytes: { pending: 0 } });
});

test('single items that Convex refuses have their lines set aside', async () => {
  const session = createSession(folder.path);
  const mirror = new Mirror();
  mirror.refuses = ({ text }) => text === 'bad';
  session.user('good');
  await using watch = startSessions({ root, mirror });
  await watch.until(() => mirror.texts(session.threadId).length === 1);
  const { size } = statSync(session.path);
  session.user('bad');
  await watch.until(() => mirror.cursors.get(session.path)?.quarantine.length === 1);
  await watch.settled();
  const [line] = mirror.cursors.get(session.path)?.quarantine ?? [];
  expect(line?.offset).toBeGreaterThan(size);
  expect(line?.reason).toBe('refused by the test');
  expect(watch.status()).toMatchObject({ items: { rejected: 1 }, files: { quarantined: 1 } });
});

test.skipIf(process.platform === 'win32')(
  'a file that may not be read backs off alone, and is read when it may',
  async () => {
    const closed = createSession(folder.path);
    closed.user('secret');
    const open = createSession(folder.path);
    chmodSync(closed.path, 0o000);
    // Root may read anything, so the test is nobody for its duration.
    const isRoot = process.getuid?.() === 0;
    chmodSync(folder.path, 0o755);
    using _ = asNobody(isRoot);
    await using watch = startSessions({ root });
    await watch.until(() => watch.status().lastError?.includes('EACCES') === true);
    asRoot(isRoot, () => open.user('public'));
    await watch.until(() => watch.mirror.texts(open.threadId).length === 1);
    await watch.until(() => watch.status().state === 'watching.dirty');
    expect(watch.status().files).toMatchObject({ known: 2, behind: 1 });
    asRoot(isRoot, () => chmodSync(closed.path, 0o644));
    await watch.until(() => watch.mirror.texts(closed.threadId).length === 1);
  },
);

test.skipIf(process.platform === 'win32')(
  'a home of Codex that may not be entered fails the watch with the reason, until it may',
  async () => {
    const session = createSession(folder.path);
    session.user('hello');
    const isRoot = process.getuid?.() === 0;
    chmodSync(folder.path, 0o000);
    using _ = asNobody(isRoot);
    await using watch = startSessions({ root, retryDelay: 50 });
    await watch.until(() => watch.status().state === 'failed');
    expect(watch.status().lastError).toContain(`${root} cannot be read (EACCES)`);
    asRoot(isRoot, () => chmodSync(folder.path, 0o755));
    await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
    await watch.settled();
    expect(watch.status().lastError).toBeNull();
  },
);

test('cursors that cannot be had fail the scan, and it is tried again', async () => {
  const session = createSession(folder.path);
  session.user('one');
  let calls = 0;
  const mirror = new Mirror();
  await using watch = startSessions({
    root,
    retryDelay: 50,
    mirror,
    async *loadCursors() {
      calls += 1;
      if (calls === 1) throw new Error('not now');
      yield [...mirror.cursors.values()];
    },
  });
  await watch.until(() => watch.status().state === 'failed');
  expect(watch.status()).toMatchObject({
    lastError: expect.stringContaining('not now'),
    restarts: 1,
  });
  await watch.until(() => mirror.texts(session.threadId).length === 1);
  await watch.settled();
  expect(watch.status().lastError).toBeNull();
});

test('a reader that fails in an unforeseen way takes neither the watcher nor other files along', async () => {
  const bad = createSession(folder.path);
  const good = createSession(folder.path);
  good.user('one');
  const { createRolloutReader } =
    await import('../../../src/codex/rollout/create-rollout-reader.ts');
  await using watch = startSessions({
    root,
    createReader(file) {
      if (file.path === bad.path) throw new Error('a mistake of ours');
      return createRolloutReader(file);
    },
  });
  await watch.until(() => watch.mirror.texts(good.threadId).length === 1);
  await watch.until(() => watch.status().lastError?.includes('a mistake of ours') === true);
  good.assistant('two');
  await watch.until(() => watch.mirror.texts(good.threadId).length === 2);
  expect(watch.status().restarts).toBe(0);
});
