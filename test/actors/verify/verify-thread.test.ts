/** One thread, its files on disk, its rows in the real functions; their clock is the test's. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { api } from '../../../convex/_generated/api.js';
import { ItemStore } from '../../../src/actors/verify/item-store.ts';
import type { Mirror } from '../../../src/actors/verify/mirror.ts';
import { verifyThread } from '../../../src/actors/verify/verify-thread.ts';
import { Redaction } from '../../../src/actors/convex/redaction.ts';
import { createRolloutReader } from '../../../src/codex/rollout/create-rollout-reader.ts';
import type { ThreadItem } from '../../../src/codex/thread-item.ts';
import { fixture } from '../../support/codex-files.ts';
import { mirroredFiles } from '../../support/mirrored-files.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const THREAD = '01a207cc-6f5f-7de2-94c2-0c807fcd4d3f';
const older = fixture('0.169.0/app-revert/rollout.jsonl');
const newer = fixture('0.169.0/app-revert/rollout-1.jsonl');
const names = [
  `rollout-2026-11-23T09-46-08-${THREAD}.jsonl`,
  `rollout-2026-11-23T09-46-08-${THREAD}_01a207cc-71d3-7000-8000-000000000000.jsonl`,
];

let folder: ReturnType<typeof temporaryFolder>;
let store: ItemStore;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  folder = temporaryFolder();
  store = new ItemStore();
});
afterEach(() => {
  vi.useRealTimers();
  store.close();
  folder[Symbol.dispose]();
});

test('rows that are being marked as taken back are waited for', async () => {
  const mirror = mirroredFiles();
  await mirror.take(older);
  await take(mirror, newer, names[1]);
  const marked = async () => (await mirror.rows(THREAD)).filter(({ reverted }) => reverted);
  expect(await marked()).toEqual([]);
  const { comparison, isChanging } = await verified(mirror);
  expect({ differences: comparison.differences, isChanging }).toEqual({
    differences: [],
    isChanging: false,
  });
  expect(await marked()).toHaveLength(4);
});

test('a row that stays unmarked is a difference in the end', async () => {
  const mirror = mirroredFiles();
  await mirror.take(older);
  await mirror.take(newer, names[1]);
  const row = (await mirror.rows(THREAD)).find(({ reverted }) => reverted);
  if (row === undefined) throw new Error('There are four of them.');
  await mirror.convex.run((ctx) => ctx.db.patch(row._id, { reverted: undefined }));
  const { comparison, isChanging } = await verified(mirror);
  expect({ differences: comparison.differences, isChanging }).toMatchObject({
    differences: [{ kind: 'differs', key: row.key, field: 'reverted' }],
    isChanging: false,
  });
});

test('a row of a run beside the file’s own of the same words is one too many', async () => {
  const mirror = mirroredFiles();
  const ingest = async (items: ThreadItem[]) => {
    const thread = { resumeId: THREAD, source: 'external' as const };
    await mirror.convex.mutation(api.messages.ingest, { machineId: 'm', thread, items });
    vi.advanceTimersByTime(1);
  };
  const shown = (n: number, text: string): ThreadItem => ({
    key: `run/r/${n}`,
    kind: 'message',
    role: 'assistant',
    text,
    ts: Date.parse('2026-11-23T09:46:09.000Z'),
    runId: 'r',
  });
  await ingest([shown(0, 'Hello from the mock model.'), shown(1, 'What no file has.')]);
  const reader = createRolloutReader({ path: names[0] ?? '' });
  const filed = older.flatMap((line) => reader.push(line, { offset: 0, length: 1 }).items);
  await ingest(filed.map((item) => ({ ...item, runId: 'r' })));
  // What was shown after that may be said once more.
  await ingest([shown(2, 'Hello from the mock model.')]);
  const { comparison } = await verified(mirror, [older]);
  expect(comparison.differences).toMatchObject([{ kind: 'extra', key: 'run/r/0' }]);
  expect(comparison.ofRuns).toBe(2);
});

type Mirrored = ReturnType<typeof mirroredFiles>;

/** Without what it schedules. */
async function take({ convex }: Mirrored, lines: readonly string[], path = ''): Promise<void> {
  const reader = createRolloutReader({ path });
  const items = lines.flatMap((line) => reader.push(line, { offset: 0, length: 1 }).items);
  await convex.mutation(api.messages.ingest, { machineId: 'm', thread: reader.thread, items });
}

async function verified(mirrored: Mirrored, contents = [older, newer]) {
  const files = contents.map((lines, n) => {
    const path = join(folder.path, names[n] ?? '');
    const content = Buffer.from(`${lines.join('\n')}\n`);
    writeFileSync(path, content);
    return { path, cursor: cursorBehind(path, content) };
  });
  const cursors = new Map(files.map(({ path, cursor }) => [path, cursor]));
  const thread = { threadId: THREAD, files, hasGone: false };
  const { convex } = mirrored;
  const state = { hasCompared: false, isDone: false };
  const mirror = {
    thread: (id: string) => mirrored.thread(id),
    threadsWithRuns: () => Promise.resolve(new Set<string>()),
    cursor: (path: string) => {
      state.hasCompared = true;
      return Promise.resolve(cursors.get(path) ?? null);
    },
    async *rows(threadId: string) {
      yield* await convex.query(api.messages.inKeyOrder, { threadId, limit: 500 });
    },
  };
  const verifying = verifyThread(thread, {
    // Of the mirror over HTTP, what a comparison asks.
    mirror: mirror as unknown as Mirror,
    store,
    machineId: 'm',
    redaction: new Redaction({ enabled: false, offIn: () => [], own: () => [] }),
    onBytes: () => {},
    repair: false,
    removesExtra: false,
    formerPaths: () => [],
  });
  void verifying.finally(() => (state.isDone = true)).catch(() => {});
  while (!state.isDone) {
    // What is scheduled shall not run before the rows were compared as they are.
    if (state.hasCompared) await vi.advanceTimersByTimeAsync(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return await verifying;
}

function cursorBehind(path: string, content: Buffer) {
  const hash = (part: Buffer) => createHash('sha256').update(part).digest('hex');
  return {
    path,
    fingerprint: hash(content.subarray(0, 256)),
    tailHash: hash(content.subarray(-1024)),
    offset: content.length,
    device: '',
    inode: '',
    generation: 0,
    quarantine: [],
    parserVersion: 1,
    updatedAt: 1,
  };
}
