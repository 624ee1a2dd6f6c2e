/** Recorded session files of many Codex releases, taken in by the real daemon. */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { countMessages } from '../../scripts/count-messages.ts';
import { importSessions, threadIdOf } from '../support/import-sessions.ts';

const folder = fileURLToPath(new URL('../fixtures/codex/', import.meta.url));

test('every recorded session ends up in Convex with all its messages, and no line is left unaccounted for', async () => {
  const recorded = globSync('**/rollout*.jsonl', { cwd: folder })
    .sort()
    .map((file) => `${folder}${file}`);
  const files = [...new Map(recorded.map((file) => [threadIdOf(file), file])).values()];
  expect(files.length).toBeGreaterThan(5);
  const { sessions, status } = await importSessions(files);
  const held = sessions.map(({ file, rows }) => {
    const messages = rows.filter(({ kind }) => kind === 'message');
    return [
      file,
      messages.filter(({ role }) => role === 'user').length,
      messages.filter(({ role }) => role === 'assistant').length,
    ];
  });
  const counted = files.map((file) => {
    const { user, assistant } = countMessages(
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
    );
    return [file, user, assistant];
  });
  expect(held).toEqual(counted);
  for (const { rows } of sessions) {
    expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
    expect(rows.map(({ ts }) => ts)).toEqual(rows.map(({ ts }) => ts).toSorted((a, b) => a - b));
  }
  expect(status).toMatchObject({
    state: 'watching.settled',
    files: { behind: 0 },
    bytes: { pending: 0 },
  });
});
