import { mutationGeneric as mutation, queryGeneric as query } from 'convex/server';
import { v } from 'convex/values';

export const send = mutation({
  args: { room: v.string(), body: v.string() },
  handler: async ({ db }, message) => {
    await db.insert('messages', message);
    return null;
  },
});

export const list = query({
  args: { room: v.string() },
  handler: ({ db }, { room }) =>
    db
      .query('messages')
      .withIndex('by_room', (q) => q.eq('room', room))
      .collect(),
});

/** Numbered from `first` on, so that their values differ; each with a text of `textLength`. */
export const fill = mutation({
  args: { first: v.number(), count: v.number(), textLength: v.number() },
  handler: async ({ db }, { first, count, textLength }) => {
    const text = 'x'.repeat(textLength);
    for (let number = first; number < first + count; number += 1) {
      const rank = (number * 7919) % 1_000_003;
      await db.insert('documents', {
        author: `author ${number % 1000}`,
        kind: `kind ${number % 10}`,
        rank,
        size: number,
        text,
      });
    }
    return null;
  },
});

export const firstByRank = query({
  args: { from: v.number() },
  handler: async ({ db }, { from }) => {
    const found = await db
      .query('documents')
      .withIndex('by_rank', (q) => q.gte('rank', from))
      .take(50);
    return found.length;
  },
});
