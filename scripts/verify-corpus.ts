/**
 * Feeds a folder of session files to the real daemon and lets it verify itself: that must
 * find nothing. Then one row is deleted and one changed: it must find these two and no
 * other, and heal them.
 *
 *     node scripts/verify-corpus.ts <folder>
 *
 * Exits with 1 when anything else comes of it.
 */
import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import { startDaemonProcess } from '../test/support/daemon-process.ts';
import { placeSessions, settled, threadIdOf } from '../test/support/import-sessions.ts';
import { bridgeClient, damage } from '../test/support/damage.ts';
import { temporaryFolder } from '../test/support/temporary-folder.ts';
import { verified } from '../test/support/verifying.ts';

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: node scripts/verify-corpus.ts <folder>');
  process.exit(2);
}

const files = globSync('**/*.jsonl', { cwd: folder })
  .filter((file) => !/^(stdout|history|session_index)/.test(basename(file)))
  .map((file) => join(folder, file))
  .sort();

/** The nth file of a thread goes to the nth round: it is another recording of the same session. */
const rounds: string[][] = [];
const seen = new Map<string, number>();
for (const file of files) {
  const threadId = threadIdOf(file);
  const round = seen.get(threadId) ?? 0;
  seen.set(threadId, round + 1);
  (rounds[round] ??= []).push(file);
}

let failed = 0;
for (const [index, round] of rounds.entries()) {
  using home = temporaryFolder();
  const sessions = placeSessions(round, home.path);
  await using daemon = await startDaemonProcess({ folder: home.path });
  await settled(daemon, round.length);
  const clean = await verified(daemon, { all: true });
  const { files, items, rows, setAside, durationMs } = clean;
  console.log(`round ${index + 1}`, { files, items, rows, setAside: setAside.count, durationMs });
  if (!clean.ok) {
    failed += 1;
    console.log('NOT CLEAN', clean.counts, clean.unreadable);
    for (const difference of clean.differences) console.log(difference);
    continue;
  }
  const damaged = await damage(await bridgeClient(daemon, home.path), sessions);
  const found = await verified(daemon, { all: true });
  const names = found.differences.map(({ kind, key }) => `${kind} ${key}`).sort();
  const repaired = await verified(daemon, { all: true, repair: true });
  const after = await verified(daemon, { all: true });
  const isAsExpected =
    JSON.stringify(names) === JSON.stringify(damaged.sort()) && repaired.ok && after.ok;
  console.log({ names, repaired: repaired.repaired, after: after.counts, isAsExpected });
  if (!isAsExpected) failed += 1;
}
console.log(`${files.length} files, ${rounds.length} rounds, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
