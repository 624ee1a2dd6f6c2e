/** What a verification of session files tells: its progress, and what it found. */
import { z } from 'zod';

/**
 * missing   the file holds an item, Convex no row of it
 * extra     a row that neither a file nor a run accounts for
 * differs   the row says something else than the file; `field` names the first that does
 * counter   the thread's own row is not there, or counts its messages wrongly
 * messages  what Codex displayed, counted apart, is not what the bridge reads in the file
 * lost      a line that cannot be understood, and was not set aside
 */
export const sessionsDifference = z.object({
  kind: z.enum(['missing', 'extra', 'differs', 'counter', 'messages', 'lost']),
  threadId: z.string(),
  path: z.string().optional(),
  key: z.string().optional(),
  /** Of the item: `message`, `cmd`, … */
  itemKind: z.string().optional(),
  field: z.string().optional(),
  /** Excerpts: what the file says, and what Convex says. */
  file: z.string().optional(),
  row: z.string().optional(),
  repaired: z.boolean().optional(),
});
export type SessionsDifference = z.infer<typeof sessionsDifference>;

const setAsideLine = z.object({
  path: z.string(),
  offset: z.number(),
  length: z.number(),
  reason: z.string(),
});

const counts = z.object({
  missing: z.int(),
  extra: z.int(),
  differs: z.int(),
  counter: z.int(),
  messages: z.int(),
  lost: z.int(),
});

/**
 * The reply to `sessions.verify`, and the broadcasts that follow it: `running` with what
 * is known so far, and at the end, once, `done`, `cancelled` or `failed`.
 */
export const sessionsVerifyFrame = z.object({
  type: z.literal('bridge.sessions_verify'),
  verifyId: z.string(),
  state: z.enum(['running', 'done', 'cancelled', 'failed']),
  /** Nothing differs, or all that did is repaired, and every file could be read. */
  ok: z.boolean(),
  threads: z.object({ total: z.int(), done: z.int() }),
  files: z.object({ total: z.int(), done: z.int() }),
  /** On disk. */
  bytes: z.object({ total: z.number(), done: z.number() }),
  items: z.int(),
  rows: z.int(),
  /** Of all differences. */
  counts,
  /** At most 200 of them. */
  differences: z.array(sessionsDifference),
  /** At most 50 lines; `count` is of all. */
  setAside: z.object({ count: z.int(), lines: z.array(setAsideLine) }),
  /** What the watcher has not read yet. */
  behind: z.object({ files: z.int(), bytes: z.number() }),
  /** At most 50. */
  unreadable: z.object({
    count: z.int(),
    files: z.array(z.object({ path: z.string(), reason: z.string() })),
  }),
  /** Rows that only a run accounts for. */
  rowsOfRuns: z.int(),
  /** Rows of files that are not on this machine any more, and threads of which no file is. */
  rowsOfGoneFiles: z.int(),
  threadsWithoutFile: z.int(),
  /** Threads that changed all the time while they were compared; nothing is said of them. */
  changing: z.int(),
  repaired: z.object({
    inserted: z.int(),
    replaced: z.int(),
    removed: z.int(),
    recounted: z.int(),
  }),
  /** Milliseconds. */
  durationMs: z.number(),
  /** Why it failed. */
  error: z.object({ code: z.string(), message: z.string() }).optional(),
});
export type SessionsVerifyFrame = z.infer<typeof sessionsVerifyFrame>;
