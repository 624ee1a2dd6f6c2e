/** A small application for the tests of the server: messages in rooms, a room for each test. */
import {
  actionGeneric as action,
  internalQueryGeneric as internalQuery,
  makeFunctionReference,
  mutationGeneric as mutation,
  paginationOptsValidator,
  queryGeneric as query,
} from 'convex/server';
import type { GenericDatabaseReader, GenericDataModel } from 'convex/server';
import { ConvexError, v } from 'convex/values';
import type { GenericId, Value } from 'convex/values';

const room = v.string();

export const send = mutation({
  args: { room, body: v.string() },
  handler: async ({ db }, message): Promise<string> => db.insert('messages', message),
});

/** Returns the id of the job. */
export const sendLater = mutation({
  args: { room, body: v.string(), ms: v.number() },
  handler: async ({ scheduler }, { ms, ...message }): Promise<string> =>
    scheduler.runAfter(ms, makeFunctionReference<'mutation'>('rooms:send'), message),
});

/** Sends, and by an action that does so too. */
export const sendLaterTwice = mutation({
  args: { room, body: v.string() },
  handler: async ({ scheduler }, message) => {
    await scheduler.runAfter(0, makeFunctionReference<'mutation'>('rooms:send'), message);
    await scheduler.runAfter(0, makeFunctionReference<'action'>('rooms:sendByAction'), {
      ...message,
      body: `${message.body} by action`,
    });
  },
});

export const jobStates = query({
  args: {},
  handler: async ({ db }) =>
    (await db.system.query('_scheduled_functions').collect()).map(({ state }) => state.kind),
});

export const clear = mutation({
  args: { room },
  handler: async ({ db }, args) => {
    for (const { _id } of await inRoom(db, args.room).collect())
      await db.delete(_id as GenericId<'messages'>);
  },
});

export const list = query({
  args: { room },
  handler: async ({ db }, args) => bodies(await inRoom(db, args.room).collect()),
});

export const count = query({
  args: { room },
  handler: async ({ db }, args) => (await inRoom(db, args.room).collect()).length,
});

/** In the order of the bodies, so that a message can land inside a page. */
export const page = query({
  args: { room, paginationOpts: paginationOptsValidator },
  handler: async ({ db }, args) => {
    const result = await db
      .query('messages')
      .withIndex('by_room_and_body', (q) => q.eq('room', args.room))
      .paginate(args.paginationOpts);
    return { ...result, page: bodies(result.page) };
  },
});

export const find = query({
  args: { room, words: v.string() },
  handler: async ({ db }, { room, words }) => {
    const found = db
      .query('messages')
      .withSearchIndex('search_body', (q) => q.search('body', words).eq('room', room));
    return bodies(await found.take(10));
  },
});

/** Fails while the room has a message "error" or "ConvexError". */
export const failing = query({
  args: { room },
  handler: async ({ db }, args) => {
    const found = bodies(await inRoom(db, args.room).collect());
    if (found.includes('error')) throw new Error('there is an error in the room');
    if (found.includes('ConvexError')) throw new ConvexError({ room: args.room, count: 2n ** 60n });
    return found.length;
  },
});

export const nothing = mutation({ args: {}, handler: () => null });

export const sendAndFail = mutation({
  args: { room },
  handler: async ({ db }, args) => {
    await db.insert('messages', { room: args.room, body: 'never seen' });
    throw new ConvexError('changed my mind');
  },
});

export const sendByAction = action({
  args: { room, body: v.string() },
  handler: async (ctx, message): Promise<string> =>
    ctx.runMutation(makeFunctionReference<'mutation'>('rooms:send'), message),
});

/** Takes its time, ms. */
export const wait = action({
  args: { ms: v.number() },
  handler: (_, { ms }) => new Promise<string>((resolve) => setTimeout(resolve, ms, 'waited')),
});

/** Ends when the room has a message. */
export const waitForMessage = action({
  args: { room },
  handler: async (ctx, args) => {
    const count = makeFunctionReference<'query', { room: string }, number>('rooms:count');
    while ((await ctx.runQuery(count, args)) === 0)
      await new Promise((next) => setTimeout(next, 5));
    return 'waited';
  },
});

export const whoami = query({
  args: {},
  handler: async ({ auth }) => (await auth.getUserIdentity())?.subject ?? null,
});

export const logging = query({
  args: { room },
  handler: (_, args) => {
    console.log('looking at', args.room);
    return null;
  },
});

export const large = query({
  args: { length: v.number() },
  handler: (_, args) => '🙂'.repeat(args.length),
});

export const echo = query({ args: { value: v.any() }, handler: (_, { value }): Value => value });
export const secret = internalQuery({ args: {}, handler: () => 'internal' });

function inRoom(db: GenericDatabaseReader<GenericDataModel>, room: string) {
  return db.query('messages').withIndex('by_room', (q) => q.eq('room', room));
}

function bodies(messages: Array<{ body?: string }>): string[] {
  return messages.map(({ body = '' }) => body);
}
