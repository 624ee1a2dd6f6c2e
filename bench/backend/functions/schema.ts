import { defineSchema, defineTable } from 'convex/server';
import { v } from 'convex/values';

export default defineSchema({
  messages: defineTable({ room: v.string(), body: v.string() }).index('by_room', ['room']),
  /** As many indexes as the widest of our own tables has. */
  documents: defineTable({
    author: v.string(),
    kind: v.string(),
    rank: v.number(),
    size: v.number(),
    text: v.string(),
  })
    .index('by_author', ['author'])
    .index('by_kind', ['kind', 'rank'])
    .index('by_rank', ['rank'])
    .index('by_size', ['size', 'author'])
    .index('by_author_and_rank', ['author', 'rank'])
    .index('by_kind_and_size', ['kind', 'size']),
});
