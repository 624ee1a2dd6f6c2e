import type { Doc } from '../_generated/dataModel.js';
import type { QueryCtx } from '../_generated/server.js';

type Place = Pick<Doc<'messages'>, 'ts'> & Partial<Pick<Doc<'messages'>, '_creationTime'>>;

/**
 * The rows of a thread from the newest on, or those before a place. Behind a row that is
 * two ranges, because several rows may have the same time.
 */
export function newestFirst(ctx: QueryCtx, threadId: string, before: Place | null) {
  const messages = () => ctx.db.query('messages');
  if (before === null) {
    return [
      messages()
        .withIndex('by_thread_ts', (q) => q.eq('threadId', threadId))
        .order('desc'),
    ];
  }
  const { ts, _creationTime: created } = before;
  const older = messages()
    .withIndex('by_thread_ts', (q) => q.eq('threadId', threadId).lt('ts', ts))
    .order('desc');
  if (created === undefined) return [older];
  return [
    messages()
      .withIndex('by_thread_ts', (q) =>
        q.eq('threadId', threadId).eq('ts', ts).lt('_creationTime', created),
      )
      .order('desc'),
    older,
  ];
}
