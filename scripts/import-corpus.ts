/**
 * Feeds a folder of session files to the real daemon, and compares the messages that
 * Convex then holds with a count that knows nothing of the bridge:
 *
 *     node scripts/import-corpus.ts <folder>
 *
 * Exits with 1 when a file's counts differ.
 */
import { globSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { importSessions, threadIdOf } from '../test/support/import-sessions.ts';
import { countMessages } from './count-messages.ts';

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: node scripts/import-corpus.ts <folder>');
  process.exit(2);
}

const files = globSync('**/*.jsonl', { cwd: folder })
  .filter((file) => !/^(stdout|history|session_index)/.test(basename(file)))
  .map((file) => join(folder, file))
  .sort();

const seen = new Map<string, number>();
/** The nth file of a thread goes to the nth round: a thread's rows cannot tell whose they are. */
const rounds: string[][] = [];
for (const file of files) {
  const threadId = threadIdOf(file);
  const round = seen.get(threadId) ?? 0;
  seen.set(threadId, round + 1);
  (rounds[round] ??= []).push(file);
}

let wrong = 0;
for (const [index, round] of rounds.entries()) {
  const { sessions, status } = await importSessions(round);
  console.log(
    `round ${index + 1}: ${round.length} files, ${JSON.stringify({ items: status.items, quarantined: status.files.quarantined })}`,
  );
  for (const { file, rows } of sessions) {
    const counted = countMessages(
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
    );
    const messages = rows.filter(({ kind }) => kind === 'message');
    const held = {
      user: messages.filter(({ role }) => role === 'user').length,
      assistant: messages.filter(({ role }) => role === 'assistant').length,
    };
    if (held.user === counted.user && held.assistant === counted.assistant) continue;
    wrong += 1;
    console.log(
      `DIFFERS ${relative(folder, file)}: Convex ${JSON.stringify(held)}, counted ${JSON.stringify(counted)}`,
    );
  }
}
console.log(`${files.length} files, ${wrong} differ`);
process.exit(wrong === 0 ? 0 : 1);
