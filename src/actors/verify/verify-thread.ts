/** One thread: compared until it stands still, and repaired if that is asked. */
import {
  compareThread,
  type CompareOptions,
  type Comparison,
  type VerifiedThread,
} from './compare-thread.ts';
import { sessionOf } from './find-session-files.ts';
import type { Mirror, StoredCursor } from './mirror.ts';
import { isRepairable, repairThread, sum, type Repaired } from './repair-thread.ts';

export interface ThreadResult {
  /** What was found first. */
  comparison: Comparison;
  /** After the repair; the same without one. */
  after: Comparison;
  repaired: Repaired;
  /** It changed all the time. */
  isChanging: boolean;
}

export interface VerifyThreadOptions extends CompareOptions {
  repair: boolean;
  removesExtra: boolean;
  /** Other paths under which a session was read before. */
  formerPaths: (path: string) => readonly string[];
}

/** A thread that is written at this moment is compared again; one that never rests is left for another time. */
const MAX_ATTEMPTS = 4;
/**
 * Milliseconds, and how often. The rows that a revert takes back are marked in transactions of
 * their own behind that which tells of it. What is not marked after that long is a difference.
 */
const REVERT_PAUSE = 500;
const MAX_WAITS = 20;
/** More than one where a repair has more to do than it can hold at once, or counters to set after rows. */
const MAX_REPAIRS = 50;

export async function verifyThread(
  thread: VerifiedThread,
  options: VerifyThreadOptions,
): Promise<ThreadResult> {
  const first = await compareAtRest(thread, options);
  const result: ThreadResult = {
    comparison: first.comparison,
    after: first.comparison,
    repaired: { inserted: 0, replaced: 0, removed: 0, recounted: 0 },
    isChanging: first.isChanging,
  };
  if (!options.repair) return result;
  for (let repairs = 0; repairs < MAX_REPAIRS && !result.isChanging; repairs += 1) {
    const { differences } = result.after;
    if (!differences.some((found) => isRepairable(found, options.removesExtra))) break;
    const done = await repairThread(result.after, options);
    if (sum(done) === 0 && result.after.row !== null) break;
    for (const field of ['inserted', 'replaced', 'removed', 'recounted'] as const) {
      result.repaired[field] += done[field];
    }
    const again = await compareAtRest(result.after.thread, options);
    result.after = again.comparison;
    result.isChanging = again.isChanging;
  }
  return result;
}

/** A difference counts only where neither files nor rows have moved while they were compared. */
async function compareAtRest(
  thread: VerifiedThread,
  options: VerifyThreadOptions,
): Promise<{ comparison: Comparison; isChanging: boolean }> {
  let current = thread;
  let waits = 0;
  for (let attempt = 1; ; attempt += 1) {
    const comparison = await compareThread(current, options);
    const isClean = comparison.differences.length === 0 && comparison.unreadable.length === 0;
    if (isClean) return { comparison, isChanging: false };
    const latest = await withFreshCursors(current, options);
    if (comparison.isReverting && waits < MAX_WAITS) {
      await pause(REVERT_PAUSE);
      waits += 1;
      attempt -= 1;
      current = latest;
      continue;
    }
    const isAtRest =
      hasSameCursors(current, latest) && (await hasSameCounters(comparison, options.mirror));
    if (isAtRest) return { comparison, isChanging: false };
    if (attempt === MAX_ATTEMPTS) return { comparison, isChanging: true };
    current = latest;
  }
}

async function hasSameCounters({ thread, row }: Comparison, mirror: Mirror): Promise<boolean> {
  const latest = await mirror.thread(thread.threadId);
  return latest?.messageCount === row?.messageCount && latest?.lastMessageAt === row?.lastMessageAt;
}

async function pause(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function withFreshCursors(
  thread: VerifiedThread,
  { mirror, formerPaths }: VerifyThreadOptions,
): Promise<VerifiedThread> {
  const files = await Promise.all(
    thread.files.map(async ({ path }) => ({
      path,
      cursor: await storedCursor(mirror, path, formerPaths(path)),
    })),
  );
  return { ...thread, files };
}

async function storedCursor(
  mirror: Mirror,
  path: string,
  formerPaths: readonly string[],
): Promise<StoredCursor | null> {
  const paths = [...new Set([path, ...formerPaths])];
  const cursors = await Promise.all(paths.map((each) => mirror.cursor(each)));
  return cursorOf(
    path,
    cursors.filter((cursor) => cursor !== null),
  );
}

/**
 * How far a file was read, of the cursors of its session: its own says so, beside which a copy
 * of it may have been read; that of the place that it was read in last where it has none yet.
 */
export function cursorOf(path: string, cursors: readonly StoredCursor[]): StoredCursor | null {
  return cursors.find((cursor) => cursor.path === path) ?? newestCursor(cursors);
}

export function newestCursor(cursors: readonly StoredCursor[]): StoredCursor | null {
  return cursors.toSorted((one, other) => other.updatedAt - one.updatedAt)[0] ?? null;
}

function hasSameCursors(one: VerifiedThread, other: VerifiedThread): boolean {
  return one.files.every(({ path, cursor }) => {
    const known = other.files.find((file) => file.path === path)?.cursor ?? null;
    return (
      known?.offset === cursor?.offset &&
      known?.generation === cursor?.generation &&
      known?.updatedAt === cursor?.updatedAt
    );
  });
}

/** The sessions of these paths, to be looked up by any of them. */
export function bySession<Entry>(
  entries: Iterable<Entry>,
  pathOf: (entry: Entry) => string,
): Map<string, Entry[]> {
  return Map.groupBy(entries, (entry) => sessionOf(pathOf(entry)));
}
