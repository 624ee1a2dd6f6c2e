import { v } from 'convex/values';
import { defineMutation } from '../define.ts';
import { refuse } from '../refuse.ts';
import { threadPatch } from '../validators.ts';
import { createThread, findOrCreateThread, threadByEitherId, threadChanges } from './identity.ts';
import { oneLine } from './title.ts';

/** A conversation that an app starts; its `threadId` is its own document id. */
export const create = defineMutation({
  args: {
    title: v.optional(v.string()),
    projectId: v.optional(v.string()),
    cwd: v.optional(v.string()),
    model: v.optional(v.string()),
    /** The machine that shall run it; without one the first bridge to write it takes it. */
    machineId: v.optional(v.string()),
  },
  returns: v.id('threads'),
  handler: async (ctx, { title, machineId, ...fields }) => {
    const row = await createThread(ctx, machineId ?? '', {
      source: 'app',
      ...fields,
      ...(title === undefined ? {} : { title: { text: title, source: 'user' as const } }),
    });
    return row._id;
  },
});

/** What a run or a session file says about its thread, without any item. */
export const upsertFromStream = defineMutation({
  args: { machineId: v.string(), thread: threadPatch },
  returns: v.object({ threadDocId: v.id('threads'), threadId: v.string() }),
  handler: async (ctx, { machineId, thread }) => {
    const { row } = await findOrCreateThread(ctx, machineId, thread);
    const changes = threadChanges(row, machineId, thread);
    if (Object.keys(changes).length > 0) await ctx.db.patch(row._id, changes);
    return { threadDocId: row._id, threadId: row.threadId };
  },
});

/** A person's title: no agent and no prompt takes it back. */
export const rename = defineMutation({
  args: { id: v.string(), title: v.string() },
  returns: v.null(),
  handler: async (ctx, { id, title }) => {
    const row =
      (await threadByEitherId(ctx, id)) ?? refuse('thread_unknown', `There is no thread ${id}.`);
    const line = oneLine(title);
    if (line === '') refuse('title_empty', 'A title needs at least one visible character.');
    await ctx.db.patch(row._id, { title: line, titleSource: 'user' });
    return null;
  },
});
