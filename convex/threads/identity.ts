import type { Infer } from 'convex/values';
import type { Doc, Id } from '../_generated/dataModel.js';
import type { MutationCtx, QueryCtx } from '../_generated/server.js';
import { refuse } from '../refuse.ts';
import type { threadPatch } from '../validators.ts';
import { isInArchive } from './place.ts';
import { DEFAULT_TITLE, strongerTitle } from './title.ts';

export type ThreadPatch = Infer<typeof threadPatch>;

/**
 * The thread that a patch speaks of: by `threadId`, else by Codex's id. That id is
 * looked for in three places, because a thread that began a second Codex session
 * has only the newer id in `resumeId`, and the older file must still find it.
 */
export async function findThread(
  ctx: QueryCtx,
  { threadId, resumeId }: { threadId?: string; resumeId?: string },
): Promise<Doc<'threads'> | null> {
  const named = threadId === undefined ? null : await threadByEitherId(ctx, threadId);
  if (named !== null || resumeId === undefined) return named;
  const byResumeId = await ctx.db
    .query('threads')
    .withIndex('by_resume_id', (q) => q.eq('resumeId', resumeId))
    .first();
  if (byResumeId !== null) return byResumeId;
  const imported = await threadByThreadId(ctx, resumeId);
  if (imported !== null) return imported;
  const cursor = await ctx.db
    .query('cursors')
    .withIndex('by_resume_id', (q) => q.eq('resumeId', resumeId))
    .first();
  return cursor?.threadId === undefined ? null : await threadByThreadId(ctx, cursor.threadId);
}

export async function threadByThreadId(
  ctx: QueryCtx,
  threadId: string,
): Promise<Doc<'threads'> | null> {
  return await ctx.db
    .query('threads')
    .withIndex('by_thread_id', (q) => q.eq('threadId', threadId))
    .first();
}

/** Accepts the document id and the `threadId`: apps hold either. */
export async function threadByEitherId(ctx: QueryCtx, id: string): Promise<Doc<'threads'> | null> {
  const documentId = ctx.db.normalizeId('threads', id);
  const byDocument = documentId === null ? null : await ctx.db.get(documentId);
  return byDocument ?? (await threadByThreadId(ctx, id));
}

/** Makes the row of a thread that is not known yet; without a Codex id its own id names it. */
export async function createThread(
  ctx: MutationCtx,
  machineId: string,
  patch: ThreadPatch,
): Promise<Doc<'threads'>> {
  const createdAt = patch.createdAt ?? Date.now();
  const id: Id<'threads'> = await ctx.db.insert('threads', {
    threadId: patch.threadId ?? patch.resumeId ?? '',
    title: DEFAULT_TITLE,
    titleSource: 'default',
    machineId,
    source: patch.source,
    messageCount: 0,
    lastMessageAt: 0,
    archived: false,
    createdAt,
    updatedAt: createdAt,
  });
  const row = await ctx.db.get(id);
  if (row === null) throw new Error('A row inserted in this transaction is not there.');
  const changes = {
    ...threadChanges(row, machineId, patch),
    ...(row.threadId === '' ? { threadId: id } : {}),
  };
  await ctx.db.patch(id, changes);
  return { ...row, ...changes };
}

/** As `createThread`, but only for what Codex or a caller has named. */
export async function findOrCreateThread(
  ctx: MutationCtx,
  machineId: string,
  patch: ThreadPatch,
): Promise<{ row: Doc<'threads'>; created: boolean }> {
  if (patch.threadId === undefined && patch.resumeId === undefined) {
    refuse('thread_unidentified', 'A thread needs a threadId or a resumeId.');
  }
  const found = await findThread(ctx, patch);
  if (found !== null) return { row: found, created: false };
  return { row: await createThread(ctx, machineId, patch), created: true };
}

/** The fields of the row that a patch really changes; empty when it says nothing new. */
export function threadChanges(
  row: Doc<'threads'>,
  machineId: string,
  patch: ThreadPatch,
): Partial<Doc<'threads'>> {
  const wanted: Partial<Doc<'threads'>> = {
    ...strongerTitle(row, patch.title),
    ...(row.machineId === '' ? { machineId } : {}),
  };
  const historyMode = withHistoryMode(row, patch);
  if (historyMode !== undefined) wanted.historyMode = historyMode;
  Object.assign(wanted, whereItsFileIs(row, patch));
  // A file that leaves Codex's folder takes its thread along; what is archived elsewhere stays so.
  if (patch.archived === true || (patch.archived === false && isInArchive(row.rolloutPath ?? ''))) {
    wanted.archived = patch.archived;
  }
  if (patch.projectId !== undefined) wanted.projectId = patch.projectId;
  if (patch.parentThreadId !== undefined) wanted.parentThreadId = patch.parentThreadId;
  if (patch.cwd !== undefined) wanted.cwd = patch.cwd;
  if (patch.model !== undefined) wanted.model = patch.model;
  if (patch.cliVersion !== undefined) wanted.cliVersion = patch.cliVersion;
  if (movesResumeId(row, patch)) wanted.resumeId = patch.resumeId;
  // A file that is read again reports its early totals again.
  if (patch.usage && patch.usage.totalTokens > (row.usage?.totalTokens ?? -1)) {
    wanted.usage = patch.usage;
  }
  return onlyDifferent(row, wanted);
}

/** A thread of which files of both kinds were met has rows under keys of both. */
export function withHistoryMode(
  row: Pick<Doc<'threads'>, 'historyMode'>,
  { historyMode }: Pick<ThreadPatch, 'historyMode'>,
): Doc<'threads'>['historyMode'] {
  const { historyMode: known } = row;
  if (historyMode === undefined || known === undefined) return known ?? historyMode;
  return known === historyMode ? known : 'migrated';
}

/** Any of its files that is read is there; only of the one read last it matters that it is gone. */
function whereItsFileIs(
  row: Doc<'threads'>,
  { rolloutPath, rolloutDeletedAt }: ThreadPatch,
): { rolloutPath?: string; rolloutDeletedAt?: number | undefined } {
  if (rolloutPath === undefined) return {};
  if (rolloutDeletedAt === undefined) return { rolloutPath, rolloutDeletedAt: undefined };
  return row.rolloutPath === rolloutPath ? { rolloutDeletedAt } : {};
}

/** Only a run of ours may point a thread at another Codex session; an old file may not take it back. */
function movesResumeId(
  row: Doc<'threads'>,
  patch: ThreadPatch,
): patch is ThreadPatch & { resumeId: string } {
  if (patch.resumeId === undefined) return false;
  const isOfRun = patch.threadId !== undefined && patch.source !== 'external';
  return row.resumeId === undefined || isOfRun;
}

function onlyDifferent(
  row: Doc<'threads'>,
  wanted: Partial<Doc<'threads'>>,
): Partial<Doc<'threads'>> {
  const current: Record<string, unknown> = row;
  return Object.fromEntries(
    Object.entries(wanted).filter(([field, value]) => current[field] !== value),
  );
}
