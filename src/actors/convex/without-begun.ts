/**
 * A call and its outcome are two items of one row, and in history mostly of one job: the
 * second alone leaves the row as both do. That is so whatever the row was before, because of
 * how `messages:ingest` reconciles them, as long as the two differ in nothing but what the end
 * adds. Whoever changes the one has to look at the other; a test compares them. Pure.
 */
import type { ThreadItem } from '../../codex/thread-item.ts';

export interface WithoutBegun {
  /** In their order; an end stands where its beginning did, as its row will. */
  items: ThreadItem[];
  /** The beginning that is left out, by its end. */
  begun: Map<ThreadItem, ThreadItem>;
}

export function withoutBegun(items: readonly ThreadItem[]): WithoutBegun {
  const result: ThreadItem[] = [];
  const begun = new Map<ThreadItem, ThreadItem>();
  /** Where the beginnings are that the rest of the items may end, by key. */
  const open = new Map<string, number>();
  for (const item of items) {
    const at = open.get(item.key);
    const beginning = at === undefined ? undefined : result[at];
    open.delete(item.key);
    if (at !== undefined && beginning !== undefined && isAllOf(beginning, item)) {
      begun.set(item, beginning);
      result[at] = item;
      continue;
    }
    for (const [key, place] of open) {
      const other = result[place];
      if (other && mayTakeRow(item, other)) open.delete(key);
    }
    if (isBeginning(item)) open.set(item.key, result.length);
    result.push(item);
  }
  return { items: result, begun };
}

/** Of a session file: what a stream shows comes one by one. */
function isBeginning(item: ThreadItem): boolean {
  return (
    isOpen(item) &&
    // Else its data would end the row.
    (item.data === undefined || item.data['status'] === 'in_progress') &&
    item.kind !== 'message' &&
    item.provisional !== true &&
    item.claims === undefined &&
    item.revision === undefined &&
    item.truncated === undefined &&
    // Where the row has none, this one would count against that of the end.
    typeof item.data?.['output'] !== 'string'
  );
}

/** Whether nothing of the beginning is in the row any more when the end has been written, too. */
function isAllOf(beginning: ThreadItem, end: ThreadItem): boolean {
  return (
    !isOpen(end) &&
    end.provisional !== true &&
    end.claims === undefined &&
    end.truncated === undefined &&
    end.data !== undefined &&
    (beginning.redactions ?? 0) <= (end.redactions ?? 0) &&
    SAME.every((field) => beginning[field] === end[field])
  );
}

const SAME = [
  'kind',
  'role',
  'text',
  'ts',
  'ordinal',
  'line',
  'turnId',
  'itemId',
  'runId',
] as const satisfies readonly (keyof ThreadItem)[];

/**
 * Whether the item, which comes in between, may turn the row into its own: by what it claims,
 * or in a thread with files of both forms, where a row is also known by the key of the other
 * form, and else by what it is and says.
 */
function mayTakeRow(item: ThreadItem, begun: ThreadItem): boolean {
  const { kind, turnId, itemId, claims } = item;
  return (
    claims === begun.key ||
    itemId === begun.key ||
    `${turnId}/${itemId}` === begun.key ||
    (kind === begun.kind && isNumbered(item) !== isNumbered(begun))
  );
}

/** As `messages:ingest` tells the two forms of keys apart. */
function isNumbered({ key, turnId, itemId }: ThreadItem): boolean {
  return key === `${turnId}/${itemId}`;
}

function isOpen({ partial, data }: ThreadItem): boolean {
  return partial === true || data?.['status'] === 'in_progress';
}
