/** Session files taken through the reader and `messages:ingest`, on the embedded engine. */
import { vi } from 'vitest';
import { api } from '../../convex/_generated/api.js';
import type { Doc } from '../../convex/_generated/dataModel.js';
import { ISSUER } from '../../convex/issuer.ts';
import schema from '../../convex/schema.ts';
import { createRolloutReader } from '../../src/codex/rollout/create-rollout-reader.ts';
import type { ThreadItem, ThreadPatch } from '../../src/codex/thread-item.ts';
import { convexTest } from '../../src/embedded-convex/testing/convex-test.ts';

/** Small, so that every file needs several transactions. */
const BATCH_ITEMS = 5;
const ALL_ROWS = 500;

/** Needs `vi.useFakeTimers()`: what a mutation schedules runs when the clock is moved. */
export function mirroredFiles() {
  const convex = convexTest(schema).withIdentity({
    tokenIdentifier: `${ISSUER}|b`,
    issuer: ISSUER,
    subject: 'b',
    role: 'bridge',
  });
  const tally = { inserted: 0, known: 0 };

  async function write(thread: ThreadPatch, items: ThreadItem[]): Promise<void> {
    const result = await convex.mutation(api.messages.ingest, { machineId: 'm', thread, items });
    tally.inserted += result.inserted;
    tally.known += result.known;
    await convex.finishAllScheduledFunctions(() => void vi.runAllTimers());
  }

  return {
    convex,
    /** Reads a file from its start, as after a rewrite. Returns what it added. */
    async take(lines: readonly string[], path = 'rollout.jsonl') {
      const before = { ...tally };
      const reader = createRolloutReader({ path });
      let items: ThreadItem[] = [];
      let offset = 0;
      for (const line of lines) {
        const length = Buffer.byteLength(line) + 1;
        items.push(...reader.push(line, { offset, length }).items);
        offset += length;
        if (items.length < BATCH_ITEMS) continue;
        await write({ ...reader.thread, rolloutPath: path }, items);
        items = [];
      }
      await write({ ...reader.thread, rolloutPath: path }, items);
      return { inserted: tally.inserted - before.inserted, known: tally.known - before.known };
    },
    thread: (id: string): Promise<Doc<'threads'> | null> => convex.query(api.threads.byId, { id }),
    /** Everything, also what is not shown. */
    rows: (threadId: string): Promise<Doc<'messages'>[]> =>
      convex.query(api.messages.forThread, {
        threadId,
        limit: ALL_ROWS,
        preface: true,
        reverted: true,
      }),
    /** What a subscriber sees of the conversation. */
    async conversation(threadId: string): Promise<string[]> {
      const rows = await convex.query(api.messages.forThread, { threadId, limit: ALL_ROWS });
      return rows
        .filter(({ kind }) => kind === 'message')
        .map(({ role, text }) => `${role}: ${text}`);
    },
  };
}
