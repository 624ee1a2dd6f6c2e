import { describe, expect, it } from 'vitest';
import { api } from '../../convex/_generated/api.js';
import { backend, CODEX_ID, cursorAt, fileBatch, MACHINE, message } from './backend.ts';

type Source = 'user' | 'agent' | 'prompt' | 'default';

describe('thread identity', () => {
  it('names a thread that an app creates after its own document', async () => {
    const convex = backend();
    const id = await convex.mutation(api.threads.create, { title: 'Mine', cwd: '/w' });
    const row = await convex.query(api.threads.byId, { id });
    expect(row).toMatchObject({
      _id: id,
      threadId: id,
      title: 'Mine',
      titleSource: 'user',
      source: 'app',
      machineId: '',
      cwd: '/w',
    });
  });

  it('names an imported thread after its Codex session, and finds it by either id', async () => {
    const convex = backend();
    const { threadDocId } = await convex.mutation(api.messages.ingest, fileBatch([]));
    const byDocument = await convex.query(api.threads.byId, { id: threadDocId });
    const byThread = await convex.query(api.threads.byId, { id: CODEX_ID });
    expect(byDocument).toMatchObject({ threadId: CODEX_ID, resumeId: CODEX_ID });
    expect(byThread).toEqual(byDocument);
    expect(await convex.query(api.threads.byId, { id: 'nobody' })).toBeNull();
  });

  it('keeps the session file of a run on the thread that the app created', async () => {
    const convex = backend();
    const threadId = await convex.mutation(api.threads.create, {});
    await convex.mutation(api.threads.upsertFromStream, {
      machineId: MACHINE,
      thread: { threadId, resumeId: CODEX_ID, source: 'bridge' },
    });
    const fromFile = await convex.mutation(api.messages.ingest, fileBatch([message('t/1', 'hi')]));
    expect(fromFile).toMatchObject({ threadDocId: threadId, threadId });
    const row = await convex.query(api.threads.byId, { id: threadId });
    expect(row).toMatchObject({ source: 'app', machineId: MACHINE, resumeId: CODEX_ID });
  });

  it('still finds the thread for its older session file after a second session began', async () => {
    const convex = backend();
    const threadId = await convex.mutation(api.threads.create, {});
    const run = (resumeId: string) =>
      convex.mutation(api.threads.upsertFromStream, {
        machineId: MACHINE,
        thread: { threadId, resumeId, source: 'bridge' },
      });
    await run('session-a');
    await convex.mutation(
      api.messages.ingest,
      fileBatch([message('a/1', 'first')], {
        thread: { resumeId: 'session-a', source: 'external' },
        cursor: cursorAt(10, { resumeId: 'session-a' }),
      }),
    );
    await run('session-b');
    const late = await convex.mutation(
      api.messages.ingest,
      fileBatch([message('a/2', 'late')], {
        thread: { resumeId: 'session-a', source: 'external' },
        cursor: cursorAt(20, { resumeId: 'session-a' }),
      }),
    );
    expect(late.threadId).toBe(threadId);
    const row = await convex.query(api.threads.byId, { id: threadId });
    expect(row?.resumeId).toBe('session-b');
  });

  it('still finds an imported thread by its first session after a run gave it another', async () => {
    const convex = backend();
    const first = await convex.mutation(api.messages.ingest, fileBatch([]));
    await convex.mutation(api.threads.upsertFromStream, {
      machineId: MACHINE,
      thread: { threadId: CODEX_ID, resumeId: 'another', source: 'bridge' },
    });
    const again = await convex.mutation(api.messages.ingest, fileBatch([message('t/1', 'x')]));
    expect(again.threadDocId).toBe(first.threadDocId);
  });

  it('takes over what a patch says and leaves alone what it does not say', async () => {
    const convex = backend();
    const usage = {
      inputTokens: 10,
      cachedInputTokens: 0,
      outputTokens: 5,
      reasoningOutputTokens: 0,
      totalTokens: 15,
    };
    const thread = { resumeId: CODEX_ID, source: 'external' as const };
    const say = (patch: object) =>
      convex.mutation(api.threads.upsertFromStream, {
        machineId: MACHINE,
        thread: { ...thread, ...patch },
      });
    await say({ cwd: '/a', model: 'm', usage, parentThreadId: 'parent', rolloutPath: 'f' });
    await say({ model: 'n', usage: { ...usage, totalTokens: 3 } });
    expect(await convex.query(api.threads.byId, { id: CODEX_ID })).toMatchObject({
      cwd: '/a',
      model: 'n',
      parentThreadId: 'parent',
      rolloutPath: 'f',
      usage,
    });
  });

  it('is archived when its file is, stays so while nothing is said, and comes back with its file', async () => {
    const convex = backend();
    const archivedAfter = async (patch: object) => {
      await convex.mutation(api.threads.upsertFromStream, {
        machineId: MACHINE,
        thread: { resumeId: CODEX_ID, source: 'external', ...patch },
      });
      return (await convex.query(api.threads.byId, { id: CODEX_ID }))?.archived;
    };
    expect(await archivedAfter({})).toBe(false);
    const there = { rolloutPath: '/codex/archived_sessions/a.jsonl', archived: true };
    const back = { rolloutPath: '/codex/sessions/2026/01/01/a.jsonl', archived: false };
    expect(await archivedAfter(there)).toBe(true);
    expect(await archivedAfter({ model: 'm' })).toBe(true);
    expect(await archivedAfter(back)).toBe(false);
  });

  it('that was archived, but not its file, stays so wherever that moves', async () => {
    const convex = backend();
    const day = '/codex/sessions/2026/01/01';
    for (const patch of [
      { archived: true },
      { archived: false, rolloutPath: `${day}/a.jsonl` },
      { archived: false, rolloutPath: `${day}/a.jsonl.zst` },
    ]) {
      await convex.mutation(api.threads.upsertFromStream, {
        machineId: MACHINE,
        thread: { resumeId: CODEX_ID, source: 'external', ...patch },
      });
      expect((await convex.query(api.threads.byId, { id: CODEX_ID }))?.archived).toBe(true);
    }
  });
});

describe('titles', () => {
  const strengths: Source[] = ['default', 'prompt', 'agent', 'user'];

  it.each(strengths.flatMap((old) => strengths.map((offered) => [old, offered] as const)))(
    'a title by %s meets one by %s: the stronger stays',
    async (old, offered) => {
      const convex = backend();
      const say = (source: Source) =>
        convex.mutation(api.threads.upsertFromStream, {
          machineId: MACHINE,
          thread: {
            resumeId: CODEX_ID,
            source: 'external',
            title: { text: `by ${source}`, source },
          },
        });
      await say(old);
      await say(offered);
      const row = await convex.query(api.threads.byId, { id: CODEX_ID });
      const stronger = strengths.indexOf(offered) > strengths.indexOf(old) ? offered : old;
      expect(row?.titleSource).toBe(stronger);
    },
  );

  it('a later title replaces one by the same person or agent, but not that of the first prompt', async () => {
    const convex = backend();
    const say = (source: Source, text: string) =>
      convex.mutation(api.threads.upsertFromStream, {
        machineId: MACHINE,
        thread: { resumeId: CODEX_ID, source: 'external', title: { text, source } },
      });
    const title = async () => (await convex.query(api.threads.byId, { id: CODEX_ID }))?.title;
    await say('prompt', 'first prompt');
    await say('prompt', 'second prompt');
    expect(await title()).toBe('first prompt');
    await say('agent', 'first guess');
    await say('agent', 'better guess');
    expect(await title()).toBe('better guess');
  });

  it('rename makes it one line, and no agent takes it back', async () => {
    const convex = backend();
    await convex.mutation(api.messages.ingest, fileBatch([]));
    await convex.mutation(api.threads.rename, { id: CODEX_ID, title: ' My\n  thread ' });
    await convex.mutation(api.threads.upsertFromStream, {
      machineId: MACHINE,
      thread: {
        resumeId: CODEX_ID,
        source: 'external',
        title: { text: 'Agent says', source: 'agent' },
      },
    });
    expect(await convex.query(api.threads.byId, { id: CODEX_ID })).toMatchObject({
      title: 'My thread',
      titleSource: 'user',
    });
  });

  it('rename refuses an empty title and an unknown thread', async () => {
    const convex = backend();
    const id = await convex.mutation(api.threads.create, {});
    await expect(convex.mutation(api.threads.rename, { id, title: ' \n' })).rejects.toThrow(
      /title_empty/,
    );
    await expect(convex.mutation(api.threads.rename, { id: 'nobody', title: 'x' })).rejects.toThrow(
      /thread_unknown/,
    );
  });

  it('a long title is cut without breaking a character', async () => {
    const convex = backend();
    const id = await convex.mutation(api.threads.create, { title: `${'a'.repeat(199)}😀` });
    const row = await convex.query(api.threads.byId, { id });
    expect(row?.title).toBe('a'.repeat(199));
  });
});

describe('lists of threads', () => {
  async function threeThreads() {
    const convex = backend();
    const at = (resumeId: string, ts: number) =>
      convex.mutation(
        api.messages.ingest,
        fileBatch([message('1', 'x', ts)], {
          thread: { resumeId, source: 'external', createdAt: 1, projectId: `p-${ts}` },
        }),
      );
    await at('old', 1_000);
    await at('new-1', 3_000);
    await at('new-2', 3_000);
    await convex.mutation(api.threads.create, { title: 'empty', projectId: 'p-1000' });
    return convex;
  }

  it('listWithCounts shows the conversations with messages, newest first', async () => {
    const convex = await threeThreads();
    const rows = await convex.query(api.threads.listWithCounts, {});
    expect(rows.map((row) => [row.threadId, row.messageCount])).toEqual([
      ['new-2', 1],
      ['new-1', 1],
      ['old', 1],
    ]);
  });

  it('go on behind the last row without a gap or a repeat, also among equal times', async () => {
    const convex = await threeThreads();
    const seen: string[] = [];
    let page = await convex.query(api.threads.listWithCounts, { limit: 1 });
    for (let last = page.at(-1); last; last = page.at(-1)) {
      seen.push(last.threadId);
      page = await convex.query(api.threads.listWithCounts, { limit: 1, after: last._id });
    }
    expect(seen).toEqual(['new-2', 'new-1', 'old']);
  });

  it('list shows empty ones too, of all or of one project, and pages the same way', async () => {
    const convex = await threeThreads();
    const all = await convex.query(api.threads.list, {});
    expect(all.map((row) => row.title === 'empty' || row.threadId)).toEqual([
      true,
      'new-2',
      'new-1',
      'old',
    ]);
    const [, second] = all;
    const rest = await convex.query(api.threads.list, second ? { after: second._id } : {});
    expect(rest.map((row) => row.threadId)).toEqual(['new-1', 'old']);
    const ofProject = await convex.query(api.threads.list, { projectId: 'p-1000' });
    expect(ofProject.map((row) => row.title)).toEqual(['empty', 'Untitled']);
    const [first] = ofProject;
    const behind = await convex.query(api.threads.list, {
      projectId: 'p-1000',
      ...(first ? { after: first._id } : {}),
    });
    expect(behind.map((row) => row.threadId)).toEqual(['old']);
  });
});
