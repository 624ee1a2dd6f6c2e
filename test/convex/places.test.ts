import { describe, expect, it } from 'vitest';
import { api } from '../../convex/_generated/api.js';
import { backend, CODEX_ID, cursorAt, fileBatch, MACHINE } from './backend.ts';

type Convex = ReturnType<typeof backend>;

const DAY = '/codex/sessions/2026/01/01/a.jsonl';
const OTHER_DAY = '/codex/sessions/2026/01/02/a.jsonl';
const ARCHIVED = '/codex/archived_sessions/a.jsonl';

/** The file is read, and there. */
async function read(convex: Convex, path: string, offset = 10): Promise<void> {
  const place = { rolloutPath: path, archived: path === ARCHIVED };
  await say(convex, place, { cursor: cursorAt(offset, { path }) });
}

async function gone(convex: Convex, path: string): Promise<void> {
  const { generation, offset, tailHash } = cursorAt(10);
  await say(
    convex,
    { rolloutPath: path, rolloutDeletedAt: 7 },
    {
      cursor: cursorAt(offset, { path, deleted: true }),
      after: { path, generation, offset, tailHash },
    },
  );
}

async function say(convex: Convex, place: object, fields: Parameters<typeof fileBatch>[1]) {
  const batch = fileBatch([], fields);
  await convex.mutation(api.messages.ingest, { ...batch, thread: { ...batch.thread, ...place } });
}

async function place(convex: Convex) {
  const thread = await convex.query(api.threads.byId, { id: CODEX_ID });
  return [thread?.rolloutPath, thread?.archived, thread?.rolloutDeletedAt];
}

describe('the place of a thread’s file', () => {
  it('is that of the one read last, and stays where that was when the last one goes', async () => {
    const convex = backend();
    await read(convex, DAY);
    expect(await place(convex)).toEqual([DAY, false, undefined]);
    await gone(convex, DAY);
    expect(await place(convex)).toEqual([DAY, false, 7]);
    await read(convex, ARCHIVED);
    expect(await place(convex)).toEqual([ARCHIVED, true, undefined]);
  });

  it('is that of another one of the session as long as one is left', async () => {
    const convex = backend();
    for (const path of [DAY, OTHER_DAY, ARCHIVED]) await read(convex, path);
    await gone(convex, OTHER_DAY);
    expect(await place(convex)).toEqual([ARCHIVED, true, undefined]);
    await gone(convex, ARCHIVED);
    expect(await place(convex)).toEqual([DAY, false, undefined]);
    await gone(convex, DAY);
    expect(await place(convex)).toEqual([DAY, false, 7]);
  });

  it('is not that of a file on another machine', async () => {
    const convex = backend();
    await say(
      convex,
      {},
      { machineId: `not ${MACHINE}`, cursor: cursorAt(10, { path: OTHER_DAY }) },
    );
    await read(convex, DAY);
    await gone(convex, DAY);
    expect(await place(convex)).toEqual([DAY, false, 7]);
  });

  it('is not what a batch says whose cursor does not move', async () => {
    const convex = backend();
    await read(convex, DAY);
    await read(convex, ARCHIVED);
    await read(convex, DAY, 20);
    expect(await place(convex)).toEqual([ARCHIVED, true, undefined]);
  });
});
