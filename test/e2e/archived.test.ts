/** A session that Codex compresses and archives, and somebody deletes, seen by an official client of the real daemon. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { startDaemonProcess } from '../support/daemon-process.ts';
import { createSession } from '../support/session-writer.ts';
import { subscribe } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

test('rows keep their ids while their file is compressed, archived, restored and deleted, and the thread says where it is', async () => {
  using folder = temporaryFolder();
  const session = createSession(join(folder.path, 'codex'));
  session.user('kept');
  session.assistant('for ever');
  await using daemon = await startDaemonProcess({ folder: folder.path });
  await using app = subscribe(daemon);
  const texts = ['kept', 'for ever'];
  const rows = (count: number) =>
    app.messages(
      session.threadId,
      (messages) => messages.filter(({ kind }) => kind === 'message').length === count,
    );
  const before = await rows(2);
  expect(before.map(({ text }) => text)).toEqual(expect.arrayContaining(texts));
  const isAt = (path: string, archived: boolean) =>
    app.threads(([thread]) => thread?.rolloutPath === path && thread.archived === archived);

  const archive = join(folder.path, 'codex', 'archived_sessions');
  mkdirSync(archive);
  const archived = join(archive, basename(session.path));
  renameSync(session.path, archived);
  await isAt(archived, true);

  const compressed = `${archived}.zst`;
  writeFileSync(`${compressed}.tmp`, zstdCompressSync(readFileSync(archived)));
  renameSync(`${compressed}.tmp`, compressed);
  const content = readFileSync(archived);
  rmSync(archived);
  await isAt(compressed, true);

  writeFileSync(session.path, content);
  rmSync(compressed);
  session.user('and going on');
  await isAt(session.path, false);
  const after = await rows(3);
  expect(after.slice(0, before.length)).toEqual(before);

  const whole = readFileSync(session.path);
  rmSync(session.path);
  await app.threads(([thread]) => typeof thread?.rolloutDeletedAt === 'number');
  expect(await rows(3)).toEqual(after);
  writeFileSync(session.path, whole);
  await app.threads(([thread]) => thread !== undefined && !('rolloutDeletedAt' in thread));
});
