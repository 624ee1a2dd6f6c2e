/**
 * `codex migrate-rollouts` rewrites a session under new ids, and a copy from before it
 * has the old ones. Both name the same things: what is known by the one is not written
 * again under the other. The turn's id is in the keys of the new form, and only there.
 */
import type { MutationCtx } from '../_generated/server.js';
import type { Item, MessageFields } from './reconcile.ts';
import type { BatchRow, RowChanges } from './row-changes.ts';

type Keyed = Pick<MessageFields, 'key' | 'turnId' | 'itemId'>;

/** Of what has no id of its own in both forms, at most so many rows of one millisecond are compared. */
const MOST_AT_ONCE = 100;

/** Whether the key is of the form that files with numbered lines have: see `threadItem.key`. */
export function isNumbered({ key, turnId, itemId }: Keyed): boolean {
  return turnId !== undefined && itemId !== undefined && key === `${turnId}/${itemId}`;
}

/** The row that holds the item under a key of the other form: by its own id, else by time and text. */
export async function rowOfOtherForm(
  ctx: MutationCtx,
  rows: RowChanges,
  threadId: string,
  item: Item,
): Promise<BatchRow | undefined> {
  const numbered = isNumbered(item);
  const { itemId, turnId } = item;
  const otherKey = numbered ? itemId : otherKeyOf(turnId, itemId);
  const stored = otherKey === undefined ? null : await rowByKey(ctx, threadId, otherKey);
  const named = stored && rows.known(stored);
  if (named && named.fields.key === otherKey) return named;
  const sameTime = ([undefined, true] as const).map(
    async (reverted) =>
      await ctx.db
        .query('messages')
        .withIndex('by_thread_ts', (q) =>
          q.eq('threadId', threadId).eq('reverted', reverted).eq('ts', item.ts),
        )
        .take(MOST_AT_ONCE),
  );
  return (await Promise.all(sameTime))
    .flat()
    .map((row) => rows.known(row))
    .find(
      ({ fields }) =>
        isNumbered(fields) !== numbered &&
        fields.kind === item.kind &&
        fields.role === item.role &&
        fields.text === item.text,
    );
}

function otherKeyOf(turnId: string | undefined, itemId: string | undefined): string | undefined {
  return turnId === undefined || itemId === undefined ? undefined : `${turnId}/${itemId}`;
}

async function rowByKey(ctx: MutationCtx, threadId: string, key: string) {
  return await ctx.db
    .query('messages')
    .withIndex('by_thread_key', (q) => q.eq('threadId', threadId).eq('key', key))
    .unique();
}
