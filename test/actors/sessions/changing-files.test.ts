import {
  appendFileSync,
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileParser } from '../../../src/actors/sessions/line-parser.ts';
import { createRolloutReader } from '../../../src/codex/rollout/create-rollout-reader.ts';
import { PARSER_VERSION } from '../../../src/codex/rollout/rollout-reader.ts';
import { startSessions } from '../../support/sessions-harness.ts';
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

/** A session of the same thread with other content, as a file of its own. */
function otherContent(...texts: string[]): string {
  const [meta = ''] = readFileSync(session.path, 'utf8').split('\n');
  return `${meta}\n${session.draft(() => texts.forEach((text) => session.user(text)))}`;
}

test('a torn line is not touched until its newline comes', async () => {
  await using watch = startSessions({ root });
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
  await watch.settled();
  const { size } = statSync(session.path);
  const text = session.draft(() => session.assistant('two'));

  appendFileSync(session.path, text.slice(0, 20));
  await watch.until(() => watch.status().bytes.pending === 20);
  await watch.settled();
  appendFileSync(session.path, text.slice(20, 60));
  await watch.until(() => watch.status().bytes.pending === 60);
  await watch.settled();
  expect(watch.mirror.cursors.get(session.path)?.offset).toBe(size);
  expect(watch.mirror.texts(session.threadId)).toEqual(['one']);

  appendFileSync(session.path, text.slice(60));
  await watch.until(() => watch.mirror.texts(session.threadId).length === 2);
  await watch.until(() => watch.status().bytes.pending === 0);
  expect(watch.status().items.rejected).toBe(0);
});

test('a torn line that is taken back and written differently is read as it was written at last', async () => {
  await using watch = startSessions({ root });
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
  const { size } = statSync(session.path);
  appendFileSync(session.path, '{"timestamp":"2026-01-01T00:00:00.000Z","type":"event_m');
  await watch.until(() => watch.status().bytes.pending > 0);
  await watch.settled();
  truncateSync(session.path, size);
  session.assistant('two');
  await watch.until(() => watch.mirror.texts(session.threadId).length === 2);
  await watch.settled();
  expect(watch.status()).toMatchObject({ items: { rejected: 0 }, bytes: { pending: 0 } });
  expect(watch.mirror.cursors.get(session.path)?.generation).toBe(0);
});

test('a file that is truncated and written anew is read from its start as a new generation', async () => {
  session.assistant('two');
  await using watch = startSessions({ root });
  await watch.until(() => watch.mirror.texts(session.threadId).length === 2);
  await watch.settled();
  const shorter = otherContent('new');
  writeFileSync(session.path, shorter);
  await watch.until(() => watch.mirror.texts(session.threadId).includes('new'));
  await watch.settled();
  expect(watch.mirror.cursors.get(session.path)).toMatchObject({
    generation: 1,
    offset: Buffer.byteLength(shorter),
  });
  expect(watch.mirror.texts(session.threadId)).toEqual(['one', 'two', 'new']);
});

test('a file rewritten in place to the same length is noticed by the hash before the cursor', async () => {
  await using watch = startSessions({ root });
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
  await watch.settled();
  const text = readFileSync(session.path, 'utf8');
  const ids = text
    .replaceAll('"one"', '"uno"')
    .replace(/(?<="ordinal":3.*"id":")[0-9a-f]{8}/, 'ffffffff');
  expect(ids.length).toBe(text.length);
  writeFileSync(session.path, ids);
  await watch.until(() => watch.mirror.texts(session.threadId).includes('uno'));
  expect(watch.mirror.cursors.get(session.path)?.generation).toBe(1);
});

test('another file under the same name is read from its start, what follows in the same one is not', async () => {
  await using watch = startSessions({ root });
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
  await watch.settled();

  // Unpacked again, as Codex does with files it had compressed: a new inode, the same bytes.
  const copy = join(folder.path, 'copy');
  copyFileSync(session.path, copy);
  appendFileSync(
    copy,
    session.draft(() => session.assistant('two')),
  );
  renameSync(copy, session.path);
  await watch.until(() => watch.mirror.texts(session.threadId).length === 2);
  await watch.settled();
  expect(watch.mirror.cursors.get(session.path)?.generation).toBe(0);
  expect(watch.status().bytes.read).toBe(statSync(session.path).size);

  writeFileSync(copy, otherContent('three', 'four', 'five', 'six'));
  renameSync(copy, session.path);
  await watch.until(() => watch.mirror.texts(session.threadId).length === 6);
  await watch.settled();
  expect(watch.mirror.cursors.get(session.path)?.generation).toBe(1);
});

test('a file that is removed and made again at once is read from its start', async () => {
  await using watch = startSessions({ root });
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
  await watch.settled();
  const content = otherContent('two', 'three');
  rmSync(session.path);
  writeFileSync(session.path, content);
  await watch.until(() => watch.mirror.texts(session.threadId).length === 3);
  await watch.settled();
  expect(watch.mirror.cursors.get(session.path)?.offset).toBe(Buffer.byteLength(content));
});

test('the rows of a deleted file stay, its tail goes, and what was left in it is read first', async () => {
  await using watch = startSessions({ root });
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
  await watch.settled();
  session.assistant('last words');
  rmSync(session.path);
  await watch.until(() => watch.status().files.known === 0 && watch.status().files.tailing === 0);
  await watch.settled();
  expect(watch.mirror.texts(session.threadId)).toEqual(['one', 'last words']);
  expect(watch.status()).toMatchObject({ bytes: { pending: 0 }, lastError: null });
});

test('two files of one thread are both read', async () => {
  const second = session.path.replace('.jsonl', '_0198c0de-0000-7000-8000-000000000001.jsonl');
  await using watch = startSessions({ root });
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
  writeFileSync(second, otherContent('after the revert'));
  await watch.until(() => watch.mirror.texts(session.threadId).length === 2);
  expect([...watch.mirror.threads.keys()]).toEqual([session.threadId]);
});

test('after a restart a quiet file is not opened, and one that changed meanwhile goes on at its cursor', async () => {
  const quiet = createSession(folder.path);
  quiet.user('quiet');
  const hourAgo = new Date(Date.now() - 3_600_000);
  for (const { path } of [quiet, session]) utimesSync(path, hourAgo, hourAgo);
  const first = startSessions({ root });
  await first.until(() => first.mirror.rows > 3);
  await first.settled();
  await first[Symbol.asyncDispose]();
  const rows = first.mirror.rows;

  session.assistant('while away');
  const opened: string[] = [];
  const mirror = first.mirror;
  mirror.jobs.length = 0;
  const { createRolloutReader } =
    await import('../../../src/codex/rollout/create-rollout-reader.ts');
  await using watch = startSessions({
    root,
    mirror,
    createReader: (file) => {
      opened.push(file.path);
      return createRolloutReader(file);
    },
  });
  await watch.until(() => mirror.texts(session.threadId).length === 2);
  await watch.settled();
  expect(opened).toEqual([session.path]);
  expect(mirror.rows).toBe(rows + 1);
  // Not read again from the start: only what came is in a batch.
  expect(mirror.jobs.flatMap(({ items }) => items)).toHaveLength(1);
});

test.each(['truncated', 'rewritten'] as const)(
  'a file that was %s while nobody watched is read from its start',
  async (how) => {
    session.assistant('two');
    const first = startSessions({ root });
    await first.until(() => first.mirror.texts(session.threadId).length === 2);
    await first[Symbol.asyncDispose]();
    const content = how === 'truncated' ? otherContent() : otherContent('a', 'b', 'c', 'd', 'e');
    writeFileSync(session.path, content);
    await using watch = startSessions({ root, mirror: first.mirror });
    if (how === 'truncated') session.user('c');
    await watch.until(() => watch.mirror.texts(session.threadId).includes('c'));
    await watch.settled();
    expect(watch.mirror.cursors.get(session.path)).toMatchObject({
      generation: 1,
      offset: statSync(session.path).size,
    });
  },
);

test('a file that loses all its lines has none set aside, and is read again when there are new ones', async () => {
  appendFileSync(session.path, 'no JSON\n');
  await using watch = startSessions({ root });
  const cursor = () => watch.mirror.cursors.get(session.path);
  await watch.until(() => cursor()?.quarantine.length === 1);
  await watch.settled();
  const { size } = statSync(session.path);
  truncateSync(session.path, 20);
  await watch.until(() => cursor()?.offset === 0);
  await watch.settled();
  expect(cursor()).toMatchObject({ generation: 1, quarantine: [], resumeId: session.threadId });
  expect(watch.status().files.quarantined).toBe(0);
  truncateSync(session.path, 0);
  writeFileSync(session.path, otherContent('two'));
  expect(statSync(session.path).size).not.toBe(size);
  await watch.until(() => watch.mirror.texts(session.threadId).includes('two'));
});

test('a long line that is rewritten in place while it is read is read again: no row is half old and half new', async () => {
  // Read in three pieces; from the second on another content stands there, which fits.
  const long = 'x'.repeat(600_000);
  writeFileSync(session.path, otherContent(long));
  const rewritten = otherContent('two', long);
  let isOld = true;
  const openParser = ({ path }: { path: string }) => {
    const parser = new FileParser(createRolloutReader({ path }), PARSER_VERSION);
    const push = parser.push.bind(parser);
    parser.push = (chunk, from) => {
      const parsed = push(chunk, from);
      if (isOld) writeFileSync(session.path, rewritten);
      isOld = false;
      return parsed;
    };
    return parser;
  };
  await using watch = startSessions({ root, openParser });
  await watch.until(() => watch.mirror.cursors.get(session.path)?.offset === rewritten.length);
  await watch.settled();
  const texts = watch.mirror.texts(session.threadId);
  expect(texts.map((text) => text.slice(0, 3))).toEqual(['two', 'xxx']);
});

test('a file that is rewritten between its reading and its commit is read again as it is', async () => {
  const [meta = ''] = readFileSync(session.path, 'utf8').split('\n');
  const texts = Array.from({ length: 20 }, (_, n) => `new ${n} ${'x'.repeat(n)}`);
  const rewritten = otherContent(...texts);
  let isOld = true;
  const createReader: typeof createRolloutReader = (file) => {
    const reader = createRolloutReader(file);
    return {
      ...reader,
      push(line, at) {
        if (isOld && line !== meta) {
          isOld = false;
          writeFileSync(session.path, rewritten);
        }
        return reader.push(line, at);
      },
      get thread() {
        return reader.thread;
      },
    };
  };
  await using watch = startSessions({ root, createReader });
  await watch.until(() => watch.mirror.cursors.get(session.path)?.offset === rewritten.length);
  await watch.settled();
  expect(watch.mirror.texts(session.threadId)).toEqual(expect.arrayContaining(texts));
  expect(watch.mirror.cursors.get(session.path)?.quarantine).toEqual([]);
});
