import type { Doc } from '../_generated/dataModel.js';
import type { QueryCtx } from '../_generated/server.js';

type Row = Doc<'messages'>;
type Place = Pick<Row, 'ts'> & Partial<Pick<Row, '_creationTime'>>;

/**
 * The rows of a thread from the newest on, or those before a place; what Codex has taken back is
 * not among them, and not read. Behind a row that is two ranges, because several rows may have
 * the same time.
 */
export function newestFirst(
  ctx: QueryCtx,
  threadId: string,
  before: Place | null,
  reverted?: Row['reverted'],
) {
  const messages = () => ctx.db.query('messages');
  if (before === null) {
    return [
      messages()
        .withIndex('by_thread_ts', (q) => q.eq('threadId', threadId).eq('reverted', reverted))
        .order('desc'),
    ];
  }
  const { ts, _creationTime: created } = before;
  const older = messages()
    .withIndex('by_thread_ts', (q) =>
      q.eq('threadId', threadId).eq('reverted', reverted).lt('ts', ts),
    )
    .order('desc');
  if (created === undefined) return [older];
  return [
    messages()
      .withIndex('by_thread_ts', (q) =>
        q
          .eq('threadId', threadId)
          .eq('reverted', reverted)
          .eq('ts', ts)
          .lt('_creationTime', created),
      )
      .order('desc'),
    older,
  ];
}

/** The same with what Codex has taken back, each where it stood. */
export async function* allNewestFirst(
  ctx: QueryCtx,
  threadId: string,
  before: Place | null,
): AsyncGenerator<Row> {
  const shown = oneAfterAnother(newestFirst(ctx, threadId, before));
  const reverted = oneAfterAnother(newestFirst(ctx, threadId, before, true));
  let [one, other] = [await shown.next(), await reverted.next()];
  while (!one.done || !other.done) {
    if (!one.done && (other.done || isNewer(one.value, other.value))) {
      yield one.value;
      one = await shown.next();
    } else if (!other.done) {
      yield other.value;
      other = await reverted.next();
    }
  }
}

async function* oneAfterAnother(sources: AsyncIterable<Row>[]): AsyncGenerator<Row, undefined> {
  for (const source of sources) yield* source;
}

function isNewer(one: Row, other: Row): boolean {
  return one.ts === other.ts ? one._creationTime > other._creationTime : one.ts > other.ts;
}
