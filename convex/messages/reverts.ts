/**
 * What Codex takes back: its rows stay, say so, and are left out of what is shown and
 * counted. Files of one thread may come in any order, so the thread remembers it too.
 */
import { v, type Infer } from 'convex/values';
import { internal } from '../_generated/api.js';
import type { Doc } from '../_generated/dataModel.js';
import type { MutationCtx } from '../_generated/server.js';
import { defineMutation } from '../define.ts';
import { takePage } from '../page.ts';
import { threadByThreadId } from '../threads/identity.ts';
import { revert } from '../validators.ts';
import { newestFirst } from './newest-first.ts';

type Revert = Infer<typeof revert>;

/** Rows looked at in one transaction: what is live waits behind at most one of them. */
const ROWS_AT_ONCE = 100;

/** What counts the lines of a thread's history: see `revert`. */
type Place = Partial<Record<'ordinal' | 'line', number | undefined>>;

export function isReverted(
  { ts, ...place }: Place & { ts: number },
  reverts: readonly Revert[] = [],
): boolean {
  return reverts.some((one) => ts < one.at && isFrom(place, one));
}

function isFrom(place: Place, first: Place): boolean {
  const isAfter = (count: keyof Place) => {
    const [at, from] = [place[count], first[count]];
    return at !== undefined && from !== undefined && at >= from;
  };
  return isAfter('ordinal') || isAfter('line');
}

/** Those of the thread and `told` together; undefined when nothing is new. */
export function withReverts(
  thread: Pick<Doc<'threads'>, 'reverts'>,
  told: readonly Revert[] = [],
): { all: Revert[]; fresh: Revert[] } | undefined {
  const known = thread.reverts ?? [];
  const fresh = told.filter((one) => !known.some((other) => includes(other, one)));
  if (fresh.length === 0) return undefined;
  const all = [...known.filter((one) => !fresh.some((other) => includes(other, one))), ...fresh];
  return { all: all.sort((one, other) => firstOf(one) - firstOf(other)), fresh };
}

/** Called in the transaction that writes the revert down; the rows follow in their own. */
export async function scheduleRevert(
  ctx: MutationCtx,
  threadId: string,
  reverts: readonly Revert[],
): Promise<void> {
  for (const one of reverts) {
    await ctx.scheduler.runAfter(0, internal.messages.applyRevert, { threadId, ...one });
  }
}

/** Marks the rows that are taken back, the newest first, and goes on until all are. */
export const apply = defineMutation({
  args: { threadId: v.string(), ...revert.fields, before: v.optional(v.id('messages')) },
  returns: v.null(),
  handler: async (ctx, { threadId, before, ...revert }) => {
    const { at } = revert;
    const last = before === undefined ? null : await ctx.db.get(before);
    const rows = await takePage(newestFirst(ctx, threadId, last ?? { ts: at }), ROWS_AT_ONCE);
    const end = rows.findIndex((row) => beganBefore(row, revert));
    let messages = 0;
    for (const row of end === -1 ? rows : rows.slice(0, end)) {
      if (!isReverted(row, [revert])) continue;
      await ctx.db.patch(row._id, { reverted: true, updatedAt: Date.now() });
      if (row.kind === 'message') messages += 1;
    }
    const thread = messages === 0 ? null : await threadByThreadId(ctx, threadId);
    if (thread) await ctx.db.patch(thread._id, { messageCount: thread.messageCount - messages });
    const oldest = rows.at(-1);
    if (end === -1 && oldest) {
      await ctx.scheduler.runAfter(0, internal.messages.applyRevert, {
        threadId,
        ...revert,
        before: oldest._id,
      });
    }
    return null;
  },
});

/** The turn, or in files without turns the prompt, before the first that is taken back. */
function beganBefore({ kind, role, ordinal, line }: Doc<'messages'>, first: Place): boolean {
  const begins = kind === 'turn' || (kind === 'message' && role === 'user');
  const isCounted = first.ordinal === undefined ? line !== undefined : ordinal !== undefined;
  return begins && isCounted && !isFrom({ ordinal, line }, first);
}

/** What the one takes back, the other does too. */
function includes(other: Revert, one: Revert): boolean {
  return other.at >= one.at && isFrom(one, other);
}

function firstOf({ ordinal, line }: Revert): number {
  return ordinal ?? line ?? 0;
}
