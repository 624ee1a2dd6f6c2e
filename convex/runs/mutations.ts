import { v, type ObjectType } from 'convex/values';
import type { Doc } from '../_generated/dataModel.js';
import type { MutationCtx } from '../_generated/server.js';
import { withdrawOf } from '../approvals/mutations.ts';
import { defineMutation } from '../define.ts';
import { refuse } from '../refuse.ts';
import schema from '../schema.ts';
import {
  approvalMode,
  messageRole,
  onConflict,
  runProgress,
  sandboxMode,
  tokenUsage,
} from '../validators.ts';

/** Pending rows that one call looks through for one that this machine may take. */
const MAX_PENDING_SCANNED = 200;

/** A day. */
const RECEIPT_LIFETIME_MS = 24 * 60 * 60_000;

/** Codex takes no more in one piece. */
const MAX_TEXT = 1_000_000;

/** Machines that have a project of the same id. */
const MAX_MACHINES = 64;

/** The user's message and the run that shall answer it, in one transaction. */
export const enqueue = defineMutation({
  args: {
    threadDocId: v.id('threads'),
    text: v.string(),
    role: v.optional(messageRole),
    projectId: v.optional(v.string()),
    resumeId: v.optional(v.string()),
    model: v.optional(v.string()),
    sandbox: v.optional(sandboxMode),
    approvals: v.optional(approvalMode),
    onConflict: v.optional(onConflict),
    /** The caller's own id of this request: the same again within a day is the same run. */
    receipt: v.optional(v.string()),
    /** The machine that shall run it; without one, the project's, else the thread's. */
    machineId: v.optional(v.string()),
  },
  returns: v.object({
    runId: v.id('runs'),
    messageId: v.id('messages'),
    threadId: v.string(),
    /** It was asked for before, with this receipt. */
    repeated: v.optional(v.literal(true)),
  }),
  handler: async (ctx, { threadDocId, text, role = 'user', machineId, ...options }) => {
    const thread =
      (await ctx.db.get(threadDocId)) ??
      refuse('thread_unknown', `There is no thread ${threadDocId}.`);
    checkText(text);
    const now = Date.now();
    const earlier = await runOf(ctx, options.receipt, now);
    if (earlier !== null) {
      if (earlier.threadDocId !== threadDocId || earlier.text !== text) {
        refuse('receipt_reused', `The id "${options.receipt}" was used for another run.`);
      }
      const { _id, messageId } = earlier;
      if (messageId === undefined) throw new Error('A run with a receipt has a message.');
      return { runId: _id, messageId, threadId: thread.threadId, repeated: true as const };
    }
    const projectId = options.projectId ?? thread.projectId;
    const owner = machineId ?? (await machineOf(ctx, projectId, thread.machineId));
    const runId = await ctx.db.insert('runs', {
      ...options,
      ...(owner === '' ? {} : { machineId: owner }),
      threadDocId,
      text,
      role,
      status: 'pending',
      createdAt: now,
      updatedAt: now,
    });
    const messageId = await ctx.db.insert('messages', {
      threadId: thread.threadId,
      // The bridge gives the row its final key when the prompt shows up in Codex's file.
      key: `run/${runId}/prompt`,
      provisional: true,
      kind: 'message',
      role,
      text,
      ts: now,
      runId,
      createdAt: now,
    });
    await ctx.db.patch(runId, { messageId });
    await ctx.db.patch(threadDocId, {
      ...(projectId === undefined ? {} : { projectId }),
      messageCount: thread.messageCount + 1,
      lastMessageAt: Math.max(thread.lastMessageAt, now),
      updatedAt: Math.max(thread.updatedAt, now),
    });
    return { runId, messageId, threadId: thread.threadId };
  },
});

/** Another text for a run that still waits. */
export const edit = defineMutation({
  args: { runId: v.id('runs'), text: v.string() },
  returns: v.null(),
  handler: async (ctx, { runId, text }) => {
    const run = await runNamed(ctx, runId);
    checkText(text);
    if (run.status !== 'pending') {
      refuse('run_begun', 'The run has begun; what it was asked cannot be changed any more.');
    }
    await ctx.db.patch(runId, { text, updatedAt: Date.now() });
    if (run.messageId !== undefined) await ctx.db.patch(run.messageId, { text });
    return null;
  },
});

/** Withdraws a run that waits; has the bridge end one that goes on. False: it was over. */
export const cancel = defineMutation({
  args: { runId: v.id('runs') },
  returns: v.boolean(),
  handler: async (ctx, { runId }) => {
    const run = await runNamed(ctx, runId);
    if (run.status === 'pending') {
      return await settle(ctx, runId, { status: 'interrupted', error: 'It was withdrawn.' });
    }
    if (run.status !== 'processing') return false;
    if (run.cancelRequestedAt === undefined) {
      const now = Date.now();
      await ctx.db.patch(runId, { cancelRequestedAt: now, updatedAt: now });
    }
    return true;
  },
});

function checkText(text: string): void {
  if (text.trim() === '') refuse('text_empty', 'A run needs a prompt.');
  if (text.length > MAX_TEXT) {
    refuse('text_too_long', `A prompt has at most ${MAX_TEXT} characters, not ${text.length}.`);
  }
}

async function runOf(
  ctx: MutationCtx,
  receipt: string | undefined,
  now: number,
): Promise<Doc<'runs'> | null> {
  if (receipt === undefined) return null;
  return await ctx.db
    .query('runs')
    .withIndex('by_receipt', (q) =>
      q.eq('receipt', receipt).gt('createdAt', now - RECEIPT_LIFETIME_MS),
    )
    .first();
}

/** Where the project is: on the thread's machine if that has it too. */
async function machineOf(
  ctx: MutationCtx,
  projectId: string | undefined,
  ofThread: string,
): Promise<string> {
  if (projectId === undefined) return ofThread;
  const projects = await ctx.db
    .query('projects')
    .withIndex('by_project_id', (q) => q.eq('id', projectId))
    .take(MAX_MACHINES);
  if (projects.some(({ machineId }) => machineId === ofThread)) return ofThread;
  return projects[0]?.machineId ?? ofThread;
}

/**
 * Takes a run, the named one or else the oldest that waits, so that no second
 * machine starts it too. Null when there is nothing to take. Taking one's own
 * run again only prolongs the lease. With its first run a thread of nobody's becomes
 * the machine's: there its session is, and the runs behind it go on in that.
 */
export const lease = defineMutation({
  args: {
    machineId: v.string(),
    runId: v.optional(v.id('runs')),
    /** Milliseconds from now. */
    leaseMs: v.number(),
  },
  returns: v.union(schema.doc('runs'), v.null()),
  handler: async (ctx, { machineId, runId, leaseMs }) => {
    const now = Date.now();
    const run =
      runId === undefined ? await nextPending(ctx, machineId) : await runNamed(ctx, runId);
    if (run === null || !(await mayTake(ctx, run, machineId, now))) return null;
    const thread = await ctx.db.get(run.threadDocId);
    if (thread?.machineId === '') await ctx.db.patch(thread._id, { machineId });
    const taken = {
      status: 'processing' as const,
      machineId,
      leaseUntil: now + leaseMs,
      startedAt: run.startedAt ?? now,
      updatedAt: now,
    };
    await ctx.db.patch(run._id, taken);
    return { ...run, ...taken };
  },
});

/** How far it has come; what is not given is not known (any more). Nothing once it is over. */
export const progress = defineMutation({
  args: { machineId: v.string(), runId: v.id('runs'), progress: v.object(runProgress) },
  returns: v.null(),
  handler: async (ctx, { machineId, runId, progress: seen }) => {
    const run = await ctx.db.get(runId);
    if (run === null || run.status !== 'processing' || run.machineId !== machineId) return null;
    await ctx.db.patch(runId, { ...NOTHING_SEEN, ...seen, updatedAt: Date.now() });
    return null;
  },
});

const NOTHING_SEEN = Object.fromEntries(
  Object.keys(runProgress).map((field) => [field, undefined]),
);

/** How a run ended, and what was seen of it before. */
const end = {
  runId: v.id('runs'),
  exitCode: v.optional(v.number()),
  usage: v.optional(tokenUsage),
  progress: v.optional(v.object(runProgress)),
};

/** Each of these ends a run once; true when this call was the one that did. */
export const complete = defineMutation({
  args: end,
  returns: v.boolean(),
  handler: async (ctx, { runId, ...facts }) =>
    await settle(ctx, runId, { status: 'done', ...facts }),
});

export const fail = defineMutation({
  args: { ...end, error: v.string() },
  returns: v.boolean(),
  handler: async (ctx, { runId, ...facts }) =>
    await settle(ctx, runId, { status: 'error', ...facts }),
});

export const interrupt = defineMutation({
  args: {
    ...end,
    /** Who or what ended it, when it was not its user. */
    error: v.optional(v.string()),
  },
  returns: v.boolean(),
  handler: async (ctx, { runId, ...facts }) =>
    await settle(ctx, runId, { status: 'interrupted', ...facts }),
});

async function settle(
  ctx: MutationCtx,
  runId: Doc<'runs'>['_id'],
  {
    progress: seen,
    ...facts
  }: Pick<Doc<'runs'>, 'status' | 'error' | 'exitCode' | 'usage'> & {
    progress?: ObjectType<typeof runProgress>;
  },
): Promise<boolean> {
  const run = await runNamed(ctx, runId);
  if (run.status !== 'pending' && run.status !== 'processing') return false;
  const now = Date.now();
  const over = { state: undefined, pid: undefined, holder: undefined, leaseUntil: undefined };
  await ctx.db.patch(runId, { ...seen, ...facts, ...over, endedAt: now, updatedAt: now });
  const neverBegan =
    run.status === 'pending' || (seen !== undefined && seen.spawnedAt === undefined);
  // No file will ever confirm its prompt, which is real all the same.
  if (neverBegan && run.messageId !== undefined) {
    await ctx.db.patch(run.messageId, { provisional: undefined });
  }
  await withdrawOf(ctx, runId);
  return true;
}

async function runNamed(ctx: MutationCtx, runId: Doc<'runs'>['_id']): Promise<Doc<'runs'>> {
  return (await ctx.db.get(runId)) ?? refuse('run_unknown', `There is no run ${runId}.`);
}

async function nextPending(ctx: MutationCtx, machineId: string): Promise<Doc<'runs'> | null> {
  const waiting = await ctx.db
    .query('runs')
    .withIndex('by_status', (q) => q.eq('status', 'pending'))
    .take(MAX_PENDING_SCANNED);
  for (const run of waiting) if (await isFor(ctx, run, machineId)) return run;
  return null;
}

async function mayTake(
  ctx: MutationCtx,
  run: Doc<'runs'>,
  machineId: string,
  now: number,
): Promise<boolean> {
  if (run.status === 'pending') return await isFor(ctx, run, machineId);
  if (run.status !== 'processing') return false;
  return run.machineId === machineId || (run.leaseUntil ?? 0) < now;
}

async function isFor(ctx: MutationCtx, run: Doc<'runs'>, machineId: string): Promise<boolean> {
  if (run.machineId !== undefined) return run.machineId === machineId;
  const ofThread = (await ctx.db.get(run.threadDocId))?.machineId ?? '';
  return ofThread === '' || ofThread === machineId;
}
