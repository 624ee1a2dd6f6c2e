/** Lines that hold a completed item: the conversation as it was displayed. */
import { z } from 'zod';
import { completedItem, completedItems, type ReadItem } from './completed-item.ts';
import { emitCompleted } from './emit-completed.ts';
import { leftOutBecause } from './line-kinds.ts';
import type { LineContext, ReadLine } from './rollout-state.ts';

const itemCompleted = z.object({
  thread_id: z.string().optional().catch(undefined),
  turn_id: z.string().optional().catch(undefined),
  item: completedItem.loose(),
  /** Milliseconds since the epoch. */
  started_at_ms: z.number().optional().catch(undefined),
});

export const itemLines: Record<string, ReadLine> = Object.fromEntries(
  Object.entries<ReadItem>(completedItems).map(([type, read]): [string, ReadLine] => [
    `event_msg/item_completed/${type}`,
    (context) => readItem(context, read),
  ]),
);

function readItem(context: LineContext, read: ReadItem): string | undefined {
  const { state, line } = context;
  const { thread_id: threadId, turn_id, item, started_at_ms } = itemCompleted.parse(line.payload);
  const turnId = turn_id ?? state.turnId;
  if (threadId !== undefined && state.owner !== undefined && threadId !== state.owner) {
    if (turnId !== undefined) state.turns.mirrored(turnId);
    return leftOutBecause.mirrored;
  }
  const content = read(item);
  return emitCompleted(context, item.id, content, {
    turnId,
    // Migrated files have no times of their own in the items.
    startedAt: started_at_ms !== undefined && started_at_ms > 0 ? started_at_ms : undefined,
  });
}
