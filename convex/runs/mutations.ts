import { v } from 'convex/values';
import type { Doc } from '../_generated/dataModel.js';
import type { MutationCtx } from '../_generated/server.js';
import { withdrawOf } from '../approvals/mutations.ts';
import { defineMutation } from '../define.ts';
import { refuse } from '../refuse.ts';
import schema from '../schema.ts';
import { approvalMode, messageRole, sandboxMode, tokenUsage } from '../validators.ts';

/** Pending rows that one call looks through for one that this machine may take. */
const MAX_PENDING_SCANNED = 200;

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
    /** The machine that shall run it; without one, the project's, else the thread's. */
    machineId: v.optional(v.string()),
  },
  returns: v.object({ runId: v.id('runs'), messageId: v.id('messages'), threadId: v.string() }),
  handler: async (ctx, { threadDocId, text, role = 'user', machineId, ...options }) => {
    const thread =
      (await ctx.db.get(threadDocId)) ??
      refuse('thread_unknown', `There is no thread ${threadDocId}.`);
    if (text.trim() === '') refuse('text_empty', 'A run needs a prompt.');
    const now = Date.now();
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
    await ctx.db.patch(threadDocId, {
      ...(projectId === undefined ? {} : { projectId }),
      messageCount: thread.messageCount + 1,
      lastMessageAt: Math.max(thread.lastMessageAt, now),
      updatedAt: Math.max(thread.updatedAt, now),
    });
    return { runId, messageId, threadId: thread.threadId };
  },
});

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
 * run again only prolongs the lease.
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
    if (run === null || !mayTake(run, machineId, now)) return null;
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

/** Each of these ends a run once; true when this call was the one that did. */
export const complete = defineMutation({
  args: {
    runId: v.id('runs'),
    exitCode: v.optional(v.number()),
    usage: v.optional(tokenUsage),
  },
  returns: v.boolean(),
  handler: async (ctx, { runId, ...facts }) =>
    await settle(ctx, runId, { status: 'done', ...facts }),
});

export const fail = defineMutation({
  args: {
    runId: v.id('runs'),
    error: v.string(),
    exitCode: v.optional(v.number()),
    usage: v.optional(tokenUsage),
  },
  returns: v.boolean(),
  handler: async (ctx, { runId, ...facts }) =>
    await settle(ctx, runId, { status: 'error', ...facts }),
});

export const interrupt = defineMutation({
  args: {
    runId: v.id('runs'),
    /** Who or what ended it, when it was not its user. */
    error: v.optional(v.string()),
    exitCode: v.optional(v.number()),
  },
  returns: v.boolean(),
  handler: async (ctx, { runId, ...facts }) =>
    await settle(ctx, runId, { status: 'interrupted', ...facts }),
});

async function settle(
  ctx: MutationCtx,
  runId: Doc<'runs'>['_id'],
  end: Pick<Doc<'runs'>, 'status' | 'error' | 'exitCode' | 'usage'>,
): Promise<boolean> {
  const run = await runNamed(ctx, runId);
  if (run.status !== 'pending' && run.status !== 'processing') return false;
  await ctx.db.patch(runId, { ...end, leaseUntil: undefined, updatedAt: Date.now() });
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
  return waiting.find((run) => isFor(run, machineId)) ?? null;
}

function mayTake(run: Doc<'runs'>, machineId: string, now: number): boolean {
  if (run.status === 'pending') return isFor(run, machineId);
  if (run.status !== 'processing') return false;
  return run.machineId === machineId || (run.leaseUntil ?? 0) < now;
}

function isFor(run: Doc<'runs'>, machineId: string): boolean {
  return run.machineId === undefined || run.machineId === machineId;
}
