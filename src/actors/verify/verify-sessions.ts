/**
 * Every session file of this machine, or those of one thread, against the rows that Convex
 * holds of them. One thread after another, in flat memory.
 */
import { BridgeError } from '../../errors.ts';
import type { Redaction } from '../convex/redaction.ts';
import { findSessionFiles, sessionOf, sizeOf, type FoundFile } from './find-session-files.ts';
import { ItemStore } from './item-store.ts';
import type { Mirror, StoredCursor } from './mirror.ts';
import type { VerifiedThread } from './compare-thread.ts';
import { VerifyReport, type ReportFields } from './verify-report.ts';
import { bySession, cursorOf, newestCursor, verifyThread } from './verify-thread.ts';

/** Which files: all, or those of the thread that is named, or to which a file belongs. */
type VerifyTarget = { all: true } | { thread: string } | { path: string };

export interface VerifyOptions {
  root: string;
  mirror: Mirror;
  machineId: string;
  redaction: Redaction;
  target: VerifyTarget;
  repair: boolean;
  removesExtra: boolean;
  /** Now and then. */
  onProgress: (report: ReportFields) => void;
}

/** Rejects with `thread_unknown`, `session_unreadable`, or what Convex or the disk says. */
export async function verifySessions(options: VerifyOptions): Promise<ReportFields> {
  const { root, mirror, machineId, target } = options;
  const report = new VerifyReport(options.onProgress);
  const cursors: StoredCursor[] = [];
  for await (const cursor of mirror.cursors()) cursors.push(cursor);
  const known = bySession(cursors, ({ path }) => path);
  const { files, unreadable } = await findSessionFiles(root);
  files.push(...(await importedFrom(cursors, files)));
  const sizes = new Map(files.map(({ path, size }) => [path, size]));
  const threads = await chosen(threadsOf(files, known), target, mirror, known);
  for (const problem of unreadable) report.unreadable(problem);
  if ('all' in target) {
    for (const file of files) if (!known.has(sessionOf(file.path))) report.unread(file);
    report.threadsWithoutFile(countWithoutFile(cursors, threads));
  }
  report.plan(
    threads.length,
    threads.flatMap((thread) => thread.files.map(({ path }) => sizes.get(path) ?? 0)),
  );
  const store = new ItemStore();
  try {
    for (const thread of threads) {
      const result = await verifyThread(thread, {
        ...options,
        machineId,
        store,
        formerPaths: (path) => (known.get(sessionOf(path)) ?? []).map((cursor) => cursor.path),
        onBytes: (bytes) => report.read(bytes),
      });
      report.add(result);
    }
  } finally {
    store.close();
  }
  return report.fields;
}

/** The threads of which there is a file here; the cursors tell whose each is. */
function threadsOf(
  files: readonly FoundFile[],
  known: ReadonlyMap<string, StoredCursor[]>,
): VerifiedThread[] {
  const here = bySession(files, ({ path }) => path);
  const threads = new Map<string, VerifiedThread>();
  for (const [session, cursors] of known) {
    const threadId = newestCursor(cursors)?.threadId;
    if (threadId === undefined) continue;
    const thread = threads.get(threadId) ?? { threadId, files: [], hasGone: false };
    threads.set(threadId, thread);
    const found = here.get(session);
    if (found === undefined) thread.hasGone = true;
    else thread.files.push(...found.map(({ path }) => ({ path, cursor: cursorOf(path, cursors) })));
  }
  return [...threads.values()].filter((thread) => thread.files.length > 0);
}

async function chosen(
  threads: VerifiedThread[],
  target: VerifyTarget,
  mirror: Mirror,
  known: ReadonlyMap<string, StoredCursor[]>,
): Promise<VerifiedThread[]> {
  if ('all' in target) return threads;
  if ('path' in target) {
    const ofPath = threads.filter((thread) =>
      thread.files.some(({ path }) => path === target.path),
    );
    if (ofPath.length > 0) return ofPath;
    throw new BridgeError(
      'session_unreadable',
      `${target.path} is no session file that was read on this machine`,
    );
  }
  const row = await mirror.thread(target.thread);
  const ofSession = [...known.values()].flat().find(({ resumeId }) => resumeId === target.thread);
  const threadId = row?.threadId ?? ofSession?.threadId;
  const named = threads.filter((thread) => thread.threadId === threadId);
  if (named.length > 0) return named;
  if (row === null) throw new BridgeError('thread_unknown', target.thread);
  throw new BridgeError(
    'session_unreadable',
    `no session file of thread ${target.thread} is on this machine`,
  );
}

/** Files that were imported from elsewhere, and are still there. */
async function importedFrom(
  cursors: readonly StoredCursor[],
  files: readonly FoundFile[],
): Promise<FoundFile[]> {
  const here = bySession(files, ({ path }) => path);
  const elsewhere: FoundFile[] = [];
  for (const { path } of cursors) {
    const size = here.has(sessionOf(path)) ? null : await sizeOf(path);
    if (size !== null) elsewhere.push({ path, size });
  }
  return elsewhere;
}

function countWithoutFile(
  cursors: readonly StoredCursor[],
  threads: readonly VerifiedThread[],
): number {
  const here = new Set(threads.map(({ threadId }) => threadId));
  const all = new Set(cursors.flatMap(({ threadId }) => threadId ?? []));
  return [...all].filter((threadId) => !here.has(threadId)).length;
}
