/** A compressed session beside which the plain one is there again. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileParser } from '../../../src/actors/sessions/line-parser.ts';
import { RecentlySetAside } from '../../../src/actors/sessions/recently-set-aside.ts';
import { SessionFiles } from '../../../src/actors/sessions/session-files.ts';
import { SessionReader } from '../../../src/actors/sessions/session-reader.ts';
import { createRolloutReader } from '../../../src/codex/rollout/create-rollout-reader.ts';
import { createSession, type SessionWriter } from '../../support/session-writer.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

let folder: ReturnType<typeof temporaryFolder>;
let session: SessionWriter;
let path: string;

beforeEach(() => {
  folder = temporaryFolder();
  session = createSession(folder.path);
  session.user('one');
  path = `${session.path}.zst`;
  writeFileSync(path, zstdCompressSync(readFileSync(session.path)));
});
afterEach(() => folder[Symbol.dispose]());

test('says no more where its session is, once the plain one is seen', async () => {
  const { reader, seePlain } = readerOfCompressed();
  seePlain();
  await expectPlaceless(reader);
});

test('says so also of a batch that was made before, and is given again', async () => {
  const { reader, seePlain } = readerOfCompressed();
  expect(await reader.next(true)).toMatchObject({
    job: { thread: { rolloutPath: path, archived: false } },
  });
  seePlain();
  await expectPlaceless(reader);
});

function readerOfCompressed(): { reader: SessionReader; seePlain: () => void } {
  const files = new SessionFiles(1);
  const see = (file: string) => files.see(file, statSync(file, { bigint: true }));
  see(path);
  const reader = new SessionReader({
    path,
    files,
    setAside: new RecentlySetAside(),
    openParser: () => new FileParser(createRolloutReader({ path }), 1),
    parserVersion: 1,
    nextJobId: () => 'job',
  });
  return { reader, seePlain: () => see(session.path) };
}

/** The batch has its rows, and no word of a place. */
async function expectPlaceless(reader: SessionReader): Promise<void> {
  const batch = await reader.next(true);
  await reader.close();
  expect(batch).toMatchObject({ type: 'batch', job: { items: [{}, { text: 'one' }] } });
  expect(batch).not.toHaveProperty('job.thread.rolloutPath');
  expect(batch).not.toHaveProperty('job.thread.archived');
}
