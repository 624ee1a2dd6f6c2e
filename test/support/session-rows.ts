/** Rows of a thread against its session files: what a subscriber has seen, and what is at the end. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { createRolloutReader } from '../../src/codex/rollout/create-rollout-reader.ts';
import { messagesForThread, type MessageRow, type Subscriber } from './subscriber.ts';

/** The rows of a thread as a subscriber sees them come, by id: each as it was last. */
export function watchRows(app: Subscriber, threadId: string) {
  const seen = new Map<string, MessageRow>();
  const stop = app.client.onUpdate(messagesForThread, { threadId, limit: 500 }, (rows) => {
    for (const row of rows) seen.set(row._id, row);
  });
  return { seen, stop };
}

/** What a session file says, as rows; none while there is no file. */
export function filedRows(codexHome: string, sessionId: unknown): MessageRow[] {
  const sessions = join(codexHome, 'sessions');
  const name = readdirSync(sessions, { recursive: true })
    .map(String)
    .find((path) => path.includes(String(sessionId)));
  if (name === undefined) return [];
  const path = join(sessions, name);
  const reader = createRolloutReader({ path });
  const rows = new Map<string, unknown>();
  let offset = 0;
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const length = Buffer.byteLength(line) + 1;
    if (line !== '')
      for (const item of reader.push(line, { offset, length }).items) rows.set(item.key, item);
    offset += length;
  }
  // The reader's items have the fields of rows.
  return ([...rows.values()] as MessageRow[]).filter(({ kind }) => kind !== 'preface');
}

/**
 * Resolves when the rows of the thread are those of its files and `more`, each once, and are the
 * ones that were seen while they came.
 */
export async function expectFiledRows(
  app: Subscriber,
  threadId: string,
  {
    filed,
    seen,
    more = [],
  }: { filed: MessageRow[]; seen: Map<string, MessageRow>; more?: object[] },
): Promise<MessageRow[]> {
  const rows = await app.messages(threadId, (all) =>
    filed.every(({ key }) => all.some((row) => row.key === key && !row.provisional)),
  );
  expect(rows.map(shown).toSorted(byKey)).toEqual([...filed.map(shown), ...more].toSorted(byKey));
  expect([...seen.keys()].toSorted()).toEqual(rows.map(({ _id }) => _id).toSorted());
  return rows;
}

function shown({ key, kind, text }: MessageRow) {
  return { key, kind, text };
}

function byKey(one: { key?: string }, other: { key?: string }): number {
  return String(one.key) < String(other.key) ? -1 : 1;
}
