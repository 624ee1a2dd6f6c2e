/** Mutations whose every lost, doubled or half run shows. */
import { mutationGeneric as mutation, queryGeneric as query } from 'convex/server';
import { v } from 'convex/values';
import type { GenericId } from 'convex/values';

/** Returns how many the client has put so far, this one included. */
export const put = mutation({
  args: { client: v.string(), number: v.number() },
  handler: async ({ db }, { client, number }): Promise<number> => {
    const counter = await db
      .query('counters')
      .withIndex('by_client', (q) => q.eq('client', client))
      .unique();
    const count = Number(counter?.['count'] ?? 0) + 1;
    // The generic types know no tables; `_id` is a counter's.
    if (counter) await db.patch(counter._id as GenericId<'counters'>, { count });
    else await db.insert('counters', { client, count });
    await db.insert('entries', { client, number, count });
    // From a part of a page to several pages.
    const padding = 'x'.repeat((number * 977) % 9000);
    await db.insert('mirrors', { client, number, padding });
    return count;
  },
});

/** The number of the client's newest entry; -1: it has none. */
export const newest = query({
  args: { client: v.string() },
  handler: async ({ db }, { client }): Promise<number> => {
    const entry = await db
      .query('entries')
      .withIndex('by_client', (q) => q.eq('client', client))
      .order('desc')
      .first();
    return Number(entry?.['number'] ?? -1);
  },
});
