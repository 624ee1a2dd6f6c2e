import { appendFileSync, readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRolloutReader } from '../../../src/codex/rollout/create-rollout-reader.ts';
import type { LineOutcome, LinePosition } from '../../../src/codex/rollout/rollout-reader.ts';
import { watchStatusFrame } from '../../../src/control/frames.ts';
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
  session.user('before');
});
afterEach(() => folder[Symbol.dispose]());

const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');

test.each([
  ['invalid UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), 'not UTF-8'],
  ['NUL bytes, as a lost power supply leaves them', Buffer.alloc(64), 'contains NUL bytes'],
  ['no JSON', Buffer.from('garbage'), 'not JSON'],
  ['JSON that is no object', Buffer.from('[1,2]'), 'not a JSON object'],
  [
    'an unknown kind',
    Buffer.from('{"timestamp":"2026-01-01T00:00:00Z","type":"new","payload":{}}'),
    'unknown kind',
  ],
])('a line of %s is set aside and the next one is read', async (_, bytes, reason) => {
  const offset = readFileSync(session.path).length;
  appendFileSync(session.path, Buffer.concat([bytes, Buffer.from('\n')]));
  session.assistant('after');
  await using watch = startSessions({ root });
  await watch.until(() => watch.mirror.texts(session.threadId).length === 2);
  await watch.settled();
  expect(watch.mirror.cursors.get(session.path)?.quarantine).toEqual([
    {
      offset,
      length: bytes.length + 1,
      sha256: sha256(bytes),
      reason: expect.stringContaining(reason),
      parserVersion: 1,
    },
  ]);
  expect(watch.status()).toMatchObject({
    files: { quarantined: 1, behind: 0 },
    items: { rejected: 1 },
    bytes: { pending: 0 },
    lastError: null,
  });
});

test('a client that asks is shown the lines set aside last, also after a restart, until they are understood', async () => {
  const mirror = new Mirror();
  const start = readFileSync(session.path).length;
  appendFileSync(session.path, Array.from({ length: 30 }, (_, n) => `garbage ${n}\n`).join(''));
  const other = createSession(folder.path);
  appendFileSync(other.path, '{"type":"tomorrow"}\n');
  const ask = async (watch: SessionsHarness) => {
    const asked = watch.replies.length;
    watch.actor.send({
      type: 'control.request',
      requestId: 'r',
      clientId: 'client-1',
      request: { control: 'sessions.watch_status' },
    });
    await watch.until(() => watch.replies.length > asked);
    const reply = watch.replies.at(-1);
    if (reply?.type !== 'control.reply') throw new Error('no answer');
    return watchStatusFrame.parse(reply.frame).setAside;
  };
  const everything = async (watch: SessionsHarness) => {
    await watch.until(() => watch.status().files.quarantined === 2);
    await watch.settled();
    return await ask(watch);
  };
  {
    await using watch = startSessions({ root, mirror });
    const lines = await everything(watch);
    expect(lines).toHaveLength(6);
    const ofSession = lines?.filter(({ path }) => path === session.path) ?? [];
    expect(ofSession[0]).toEqual({
      path: session.path,
      offset: start + 'garbage 0\n'.length * 10 + 'garbage 10\n'.length * 19,
      length: 'garbage 29\n'.length,
      sha256: sha256('garbage 29'),
      reason: expect.stringContaining('not JSON'),
      parserVersion: 1,
    });
    expect(lines?.filter(({ path }) => path === other.path)).toMatchObject([
      { reason: expect.stringContaining('unknown kind') },
    ]);
    expect(watch.statuses.every(({ setAside }) => setAside === undefined)).toBe(true);
  }
  {
    await using watch = startSessions({ root, mirror });
    expect(await everything(watch)).toHaveLength(6);
  }
  const understands = (line: string) => line.includes('tomorrow');
  await using watch = startSessions({
    root,
    mirror,
    parserVersion: 2,
    createReader: readerThat(understands),
  });
  await watch.until(() => watch.status().files.quarantined === 1);
  await watch.settled();
  const left = (await ask(watch)) ?? [];
  expect(new Set(left.map(({ path, parserVersion }) => `${path} ${parserVersion}`))).toEqual(
    new Set([`${session.path} 2`]),
  );
});

/** Of a later version, which understands these lines and makes a message of each. */
function readerThat(understands: (line: string) => boolean) {
  return (file: { path: string }) => {
    const reader = createRolloutReader(file);
    return {
      ...reader,
      get thread() {
        return reader.thread;
      },
      push: (line: string, at: LinePosition): LineOutcome =>
        understands(line)
          ? { items: [{ key: line, kind: 'message', text: line, ts: 1 }], problems: [] }
          : reader.push(line, at),
    };
  };
}

test('a whole line glued to a torn one is read, and only the torn one set aside', async () => {
  const whole = session.draft(() => session.assistant('whole'));
  const offset = readFileSync(session.path).length;
  appendFileSync(session.path, whole.slice(0, 50) + whole);
  await using watch = startSessions({ root });
  await watch.until(() => watch.mirror.texts(session.threadId).length === 2);
  await watch.settled();
  expect(watch.mirror.texts(session.threadId)).toEqual(['before', 'whole']);
  expect(watch.mirror.cursors.get(session.path)?.quarantine).toMatchObject([
    { offset, length: 50, sha256: sha256(whole.slice(0, 50)) },
  ]);
});

test('of several lines glued together every whole one is read, whatever the torn ones are', async () => {
  const [first, second, third] = ['first ö', 'second', 'third'].map((text) =>
    session.draft(() => session.assistant(text)).replace(/\n[^]*/, ''),
  );
  const half = Buffer.from(first ?? '').subarray(
    0,
    Buffer.byteLength((first ?? '').split('ö')[0] ?? '') + 1,
  );
  const nuls = Buffer.alloc(40);
  appendFileSync(
    session.path,
    Buffer.concat([half, Buffer.from(`${first}${second}`), nuls, Buffer.from(`${third}\n`)]),
  );
  await using watch = startSessions({ root });
  await watch.until(() => watch.mirror.texts(session.threadId).length === 4);
  await watch.settled();
  expect(watch.mirror.texts(session.threadId)).toEqual(['before', 'first ö', 'second', 'third']);
  expect(watch.mirror.cursors.get(session.path)?.quarantine).toMatchObject([
    { length: half.length, sha256: sha256(half) },
    { length: nuls.length, sha256: sha256(nuls) },
  ]);
});

test('blank lines, carriage returns and a byte order mark are not worth a word', async () => {
  const text = readFileSync(session.path, 'utf8').replaceAll('\n', '\r\n');
  const other = session.path.replace(/rollout-/, 'rollout-copy-');
  appendFileSync(other, `\uFEFF${text}\n  \n`);
  await using watch = startSessions({ root });
  await watch.until(() => watch.mirror.cursors.size === 2);
  await watch.settled();
  expect(watch.status()).toMatchObject({ items: { rejected: 0 }, bytes: { pending: 0 } });
  expect(watch.mirror.texts(session.threadId)).toEqual(['before']);
});

test(
  'a line of 50 MB is set aside without being held, and accounted for',
  { timeout: 30_000 },
  async () => {
    const huge = Buffer.alloc(50 * 1_024 * 1_024, 'x');
    appendFileSync(session.path, huge);
    await using watch = startSessions({ root });
    await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
    await watch.until(() => watch.status().bytes.pending === huge.length);
    await watch.settled();
    appendFileSync(session.path, '\n');
    session.assistant('after');
    await watch.until(() => watch.mirror.texts(session.threadId).length === 2);
    await watch.settled();
    expect(watch.mirror.cursors.get(session.path)?.quarantine).toMatchObject([
      { length: huge.length + 1, sha256: sha256(huge) },
    ]);
    expect(watch.status().bytes.pending).toBe(0);
  },
);

test('what an older parser set aside is tried again by a newer one', async () => {
  appendFileSync(session.path, '{"kind":"of tomorrow"}\n');
  const mirror = new Mirror();
  {
    await using watch = startSessions({ root, mirror });
    await watch.until(() => mirror.cursors.get(session.path)?.quarantine.length === 1);
    await watch.settled();
  }
  const offset = mirror.cursors.get(session.path)?.offset;
  const before = [...(mirror.threads.get(session.threadId)?.keys() ?? [])];
  await using watch = startSessions({
    root,
    mirror,
    parserVersion: 2,
    createReader: readerThat((line) => line.includes('of tomorrow')),
  });
  await watch.until(() => mirror.cursors.get(session.path)?.parserVersion === 2);
  await watch.settled();
  expect(mirror.cursors.get(session.path)).toMatchObject({ offset, generation: 0, quarantine: [] });
  const line = '{"kind":"of tomorrow"}';
  expect(mirror.texts(session.threadId)).toEqual(['before', line]);
  expect([...(mirror.threads.get(session.threadId)?.keys() ?? [])]).toEqual([...before, line]);
});

test('a file that names no thread backs off and says why, until a line does', async () => {
  const nameless = join(root, 'rollout-nameless.jsonl');
  const [meta = '', ...rest] = readFileSync(session.path, 'utf8').split('\n');
  const threadId = '0198c0de-0000-7000-8000-000000000002';
  appendFileSync(nameless, rest.join('\n'));
  await using watch = startSessions({ root });
  await watch.until(() => watch.status().lastError?.includes('names a thread') === true);
  await watch.until(() => watch.mirror.texts(session.threadId).length === 1);
  await watch.until(() => watch.status().state === 'watching.dirty');
  expect(watch.status().files.behind).toBe(1);
  appendFileSync(nameless, `${meta.replaceAll(session.threadId, threadId)}\n`);
  await watch.until(() => watch.mirror.threads.has(threadId));
  // What was read in vain is not lost.
  expect(watch.mirror.texts(threadId)).toEqual(['before']);
});
