/** The items inside `item_completed`, as the session files since 0.148 hold them. Pure. */
import { z } from 'zod';
import type { ItemContent } from '../item-content.ts';
import { spokenItems } from './spoken-items.ts';
import { workItems } from './work-items.ts';

export const completedItem = z.object({ type: z.string(), id: z.string() });

/** What the item is; null when there is nothing to read in it. */
export type ReadItem = (item: unknown) => ItemContent | null;

/**
 * By the item's type. Each throws a `ZodError` when the item lacks what makes it
 * one; every other field may be absent or of another shape.
 */
export const completedItems = { ...spokenItems, ...workItems } satisfies Record<string, ReadItem>;
