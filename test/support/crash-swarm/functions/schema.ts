import { defineSchema, defineTable } from 'convex/server';
import { v } from 'convex/values';

/** What one mutation writes: a row in each table. One without the others is half of it. */
export default defineSchema({
  entries: defineTable({ client: v.string(), number: v.number(), count: v.number() }).index(
    'by_client',
    ['client', 'number'],
  ),
  mirrors: defineTable({ client: v.string(), number: v.number(), padding: v.string() }),
  counters: defineTable({ client: v.string(), count: v.number() }).index('by_client', ['client']),
});
