import {
  actionGeneric,
  internalMutationGeneric,
  makeFunctionReference,
  mutationGeneric,
  queryGeneric,
} from 'convex/server';
import type { DataModelFromSchemaDefinition, MutationBuilder, QueryBuilder } from 'convex/server';
import { ConvexError, v } from 'convex/values';
import type schema from './schema.ts';

type DataModel = DataModelFromSchemaDefinition<typeof schema>;
// As `convex codegen` writes it.
const query: QueryBuilder<DataModel, 'public'> = queryGeneric;
const mutation: MutationBuilder<DataModel, 'public'> = mutationGeneric;

export const list = query({
  args: {},
  handler: async (ctx) => (await ctx.db.query('notes').collect()).map((note) => note.text),
});

export const add = mutation({
  args: { text: v.string() },
  handler: async (ctx, { text }) => ctx.db.insert('notes', { text }),
});

export const addInternal = internalMutationGeneric({
  args: { text: v.string() },
  handler: async (ctx, { text }) => ctx.db.insert('notes', { text }),
});

export const addLater = mutation({
  args: { text: v.string(), delayMs: v.number() },
  handler: async (ctx, { text, delayMs }) =>
    ctx.scheduler.runAfter(delayMs, makeFunctionReference<'mutation'>('notes:addInternal'), {
      text,
    }),
});

export class NoteError extends Error {}

export const refuse = mutation({
  args: {},
  handler: async (ctx) => {
    await ctx.db.insert('notes', { text: 'never' });
    throw new NoteError('refused');
  },
});

export const refuseWithData = mutation({
  args: {},
  handler: async () => {
    throw new ConvexError({ code: 'refused', count: 1n });
  },
});

/** Its own call fails, and it goes on. */
export const survive = mutation({
  args: {},
  returns: v.string(),
  handler: async (ctx) => {
    await ctx.runMutation(makeFunctionReference<'mutation'>('notes:refuse')).catch(() => {});
    // Not what the validator says.
    return 1 as unknown as string;
  },
});

export const whoAmI = query({
  args: {},
  handler: async (ctx) => (await ctx.auth.getUserIdentity())?.tokenIdentifier ?? null,
});

export const request = actionGeneric({
  args: {},
  handler: async (ctx) =>
    ctx.runMutation(makeFunctionReference<'mutation'>('notes:requestInMutation')),
});

export const requestInMutation = mutation({
  args: {},
  handler: async (ctx) => ctx.meta.getRequestMetadata(),
});
