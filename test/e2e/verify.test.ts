/** The real daemon verifies what it has mirrored: it must find nothing, and it must be able to find something. */
import { appendFileSync, globSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { zstdCompressSync } from 'node:zlib';
import type { ConvexHttpClient } from 'convex/browser';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { api } from '../../convex/_generated/api.js';
import { commandLine } from '../support/command-line.ts';
import { bridgeClient, changeRow, damage, deleteRow, messagesOf } from '../support/damage.ts';
import { startDaemonProcess, type DaemonProcess } from '../support/daemon-process.ts';
import { placeSessions, settled, threadIdOf } from '../support/import-sessions.ts';
import { createSession, type SessionWriter } from '../support/session-writer.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';
import { verified } from '../support/verifying.ts';

const fixtures = fileURLToPath(new URL('../fixtures/codex/', import.meta.url));

let folder: ReturnType<typeof temporaryFolder>;
let daemon: DaemonProcess;
let client: ConvexHttpClient;
let sessions: { threadId: string }[];
let archived: SessionWriter;
let live: SessionWriter;

/** Recorded files of every generation, an archived compressed one, and one with odd lines. */
beforeAll(async () => {
  folder = temporaryFolder();
  const recorded = globSync('[0-9]*/**/rollout*.jsonl', { cwd: fixtures })
    .sort()
    .map((file) => join(fixtures, file));
  const files = [...new Map(recorded.map((file) => [threadIdOf(file), file])).values()];
  sessions = placeSessions(files, folder.path);
  const home = join(folder.path, 'codex');
  archived = createSession(home, { at: new Date('2026-01-01T00:00:00Z') });
  archived.user('of old');
  archived.assistant('long ago');
  mkdirSync(join(home, 'archived_sessions'));
  const path = join(home, 'archived_sessions', `${basename(archived.path)}.zst`);
  writeFileSync(path, zstdCompressSync(readFileSync(archived.path)));
  rmSync(archived.path);
  live = createSession(home);
  live.user('say much');
  live.assistant('a very long answer\n'.repeat(200_000));
  appendFileSync(live.path, 'no line of Codex\n{"timestamp":"torn\n');
  live.command('ls', 'a\nb\n');
  // Made up, of the shape of a key: what is taken out of rows is no difference.
  live.user(`use ghp_${'a1B2c3D4'.repeat(4)}abcd please`);
  daemon = await startDaemonProcess({ folder: folder.path });
  await settled(daemon, files.length + 2);
  client = await bridgeClient(daemon, folder.path);
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const run = (...args: string[]) =>
  commandLine(folder.path, args, {
    OPENAGENTS_BIND: new URL(daemon.controlUrl).host,
    OPENAGENTS_BRIDGE_TOKEN: daemon.token,
  });

const noDifferences = { missing: 0, extra: 0, differs: 0, counter: 0, messages: 0, lost: 0 };

describe('what was read without a fault', () => {
  test('has no differences, and lines that nobody understands are listed with the reason', async () => {
    const report = await verified(daemon, { all: true });
    expect(report).toMatchObject({ state: 'done', ok: true, counts: noDifferences });
    expect(report.files).toEqual({ total: sessions.length + 2, done: sessions.length + 2 });
    expect(report.bytes.done).toBe(report.bytes.total);
    expect(report.items).toBe(report.rows);
    const texts = (await messagesOf(client, live.threadId)).map(({ text }) => text ?? '');
    expect(texts.filter((text) => text.includes('[redacted: '))).toHaveLength(1);
    const ofLive = report.setAside.lines.filter(({ path }) => path === live.path);
    expect(ofLive.map(({ reason }) => reason)).toEqual([
      expect.stringContaining('not JSON'),
      expect.stringContaining('not JSON'),
    ]);
  });

  test('is told to a person in a few lines, with exit code 0', async () => {
    const { exitCode, stdout, stderr } = await run('verify', '--all');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(
      /lines? set aside that nobody can understand[^]*\d+ files of \d+ threads[^]*no differences$/,
    );
    const one = await run('verify', live.threadId, '--json');
    expect(JSON.parse(one.stdout)).toMatchObject({ ok: true, files: { total: 1, done: 1 } });
    expect((await run('verify', live.path)).stdout).toContain('1 file of 1 thread,');
  });
});

describe('what was damaged by hand', () => {
  test('is found, exactly that, and healed; a row that was changed stays the same row', async () => {
    const before = await messagesOf(client, sessions.at(-1)?.threadId ?? '');
    const damaged = await damage(client, sessions);
    const found = await verified(daemon, { all: true });
    expect(found).toMatchObject({
      ok: false,
      counts: { ...noDifferences, missing: 1, differs: 1 },
    });
    const names = found.differences.map(({ kind, key }) => `${kind} ${key}`);
    expect(names.sort()).toEqual(damaged.sort());
    expect(found.differences.find(({ kind }) => kind === 'differs')).toMatchObject({
      field: 'text',
      row: expect.stringContaining('(changed by hand)'),
    });

    const shown = await run('verify', '--all');
    expect(shown.exitCode).toBe(1);
    expect(shown.stdout).toMatch(/^ {2}differs .* {2}text {2}file: "[^]*^1 missing, 1 differs$/m);

    const repaired = await verified(daemon, { all: true, repair: true });
    expect(repaired).toMatchObject({ ok: true, repaired: { inserted: 1, replaced: 1 } });
    expect(repaired.differences.map(({ repaired }) => repaired)).toEqual([true, true]);
    expect(await verified(daemon, { all: true })).toMatchObject({ ok: true });
    const after = await messagesOf(client, sessions.at(-1)?.threadId ?? '');
    expect(after.map(({ _id, text }) => ({ _id, text }))).toEqual(
      before.map(({ _id, text }) => ({ _id, text })),
    );
  });

  test('is found in a row that was cut, in an archived file, and in the counters of a thread', async () => {
    const rows = await messagesOf(client, live.threadId);
    const long = rows.find(({ truncated }) => truncated !== undefined);
    const [old] = await messagesOf(client, archived.threadId);
    if (long === undefined || old === undefined) throw new Error('They were mirrored.');
    await changeRow(client, long, { text: `${long.text} and more` });
    await deleteRow(client, old);
    const thread = await client.query(api.threads.byId, { id: live.threadId });
    if (thread === null) throw new Error('It was mirrored.');
    const { messageCount, lastMessageAt } = thread;
    await client.mutation(api.messages.repair, {
      threadId: live.threadId,
      replace: [],
      remove: [],
      recount: { was: { messageCount, lastMessageAt }, is: { messageCount: 9, lastMessageAt } },
    });
    const found = await verified(daemon, { all: true });
    expect(found.counts).toEqual({ ...noDifferences, missing: 1, differs: 1, counter: 1 });
    expect(await verified(daemon, { thread: archived.threadId, repair: true })).toMatchObject({
      ok: true,
      repaired: { inserted: 1, replaced: 0 },
    });
    expect(await verified(daemon, { path: live.path, repair: true })).toMatchObject({
      ok: true,
      repaired: { inserted: 0, replaced: 1, recounted: 1 },
    });
    expect(await verified(daemon, { all: true })).toMatchObject({ ok: true });
  });

  test('is a row too many, which only --remove-extra takes away', async () => {
    const item = { key: 'made/up', kind: 'message' as const, text: 'nobody said this', ts: 1 };
    const thread = { resumeId: live.threadId, source: 'external' as const };
    await client.mutation(api.messages.ingest, { machineId: 'm', thread, items: [item] });
    expect(await verified(daemon, { all: true, repair: true })).toMatchObject({
      ok: false,
      counts: { ...noDifferences, extra: 1 },
      differences: [{ kind: 'extra', key: 'made/up', row: 'nobody said this' }],
    });
    const { exitCode, stdout } = await run('verify', '--all', '--repair', '--remove-extra');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/repaired: 1 removed/);
    const texts = (await messagesOf(client, live.threadId)).map(({ text }) => text);
    expect(texts).not.toContain('nobody said this');
  });
});

test('what the watcher has not read yet is behind, not missing', async () => {
  const bridge = await daemon.connect();
  await bridge.request('sessions.watch', { enabled: false });
  live.user('while nobody looks');
  const report = await verified(daemon, { all: true });
  expect(report).toMatchObject({ ok: true, counts: noDifferences, behind: { files: 1 } });
  expect(report.behind.bytes).toBeGreaterThan(0);
  await bridge.request('sessions.watch', { enabled: true });
  bridge.close();
  const caughtUp = async () => (await verified(daemon, { thread: live.threadId })).behind.files;
  await until('it is read', async () => (await caughtUp()) === 0, 30_000);
});

test('a file that went away leaves its rows, and nobody judges them', async () => {
  const path = join(folder.path, 'elsewhere.jsonl');
  renameSync(live.path, path);
  const gone = await verified(daemon, { all: true });
  expect(gone).toMatchObject({ ok: true, counts: noDifferences, threadsWithoutFile: 1 });
  renameSync(path, live.path);
  expect(await verified(daemon, { all: true })).toMatchObject({ ok: true, threadsWithoutFile: 0 });
});

test('an older copy that was imported says nothing of how far the file itself was read', async () => {
  const copies = join(folder.path, 'copies');
  mkdirSync(copies);
  const [first = ''] = readFileSync(live.path, 'utf8').split('\n');
  writeFileSync(join(copies, basename(live.path)), `${first}\n`);
  const imported = await run('backfill', '--path', copies);
  expect(imported.exitCode).toBe(0);
  const report = await verified(daemon, { thread: live.threadId });
  expect(report).toMatchObject({ ok: true, behind: { files: 0 } });
});

test('what cannot be verified is refused with a reason', async () => {
  const unknown = await verified(daemon, { thread: 'nobody' });
  expect(unknown).toMatchObject({ state: 'failed', error: { code: 'thread_unknown' } });
  const nowhere = await verified(daemon, { path: '/nowhere/rollout-x.jsonl' });
  expect(nowhere).toMatchObject({ state: 'failed', error: { code: 'session_unreadable' } });
  await expect(verified(daemon, {})).rejects.toMatchObject({ code: 'invalid_request' });
  const wrong = await run('verify');
  expect([wrong.exitCode, wrong.stderr]).toEqual([2, expect.stringContaining('--all')]);
});

test('search shows thread, time and the line in context, and ends with 1 when there is none', async () => {
  const found = await run('search', 'long ag');
  expect(found).toMatchObject({ exitCode: 0, stderr: '' });
  expect(found.stdout).toMatch(
    /^of old {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}assistant {2}[0-9a-f-]{36}\n {2}long ago$/m,
  );
  const json = await run('search', 'ls', '--thread', live.threadId, '--kind', 'cmd', '--json');
  expect(JSON.parse(json.stdout)).toMatchObject([
    { threadId: live.threadId, kind: 'cmd', text: 'ls', title: 'say much' },
  ]);
  expect(await run('search', 'nowhereword')).toMatchObject({ exitCode: 1, stdout: '' });
  expect(await run('search', 'x', '--limit', 'many')).toMatchObject({ exitCode: 2 });
  expect(await run('search', 'x', '--kind', 'poem')).toMatchObject({ exitCode: 2 });
});
