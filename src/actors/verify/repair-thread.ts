/** Puts right what a comparison found, and nothing else. */
import { getConvexSize } from 'convex/values';
import { boundedItem } from '../../codex/bounded-item.ts';
import type { ThreadItem } from '../../codex/thread-item.ts';
import { storableItem } from '../convex/storable-item.ts';
import type { Comparison, Found } from './compare-thread.ts';
import type { ItemStore } from './item-store.ts';
import type { Mirror, Repair } from './mirror.ts';

export interface Repaired {
  inserted: number;
  replaced: number;
  removed: number;
  recounted: number;
}

export interface RepairOptions {
  mirror: Mirror;
  /** Still holding what was compared. */
  store: ItemStore;
  /** Also deletes rows that nothing accounts for. */
  removesExtra: boolean;
}

/** Of one transaction, as `messages:ingest` bounds a batch; bytes as Convex counts them. */
const MAX_ITEMS = 200;
const MAX_BYTES = 2 * 1024 * 1024;

/** Rows that have changed since they were compared are left. */
export async function repairThread(
  comparison: Comparison,
  options: RepairOptions,
): Promise<Repaired> {
  const { thread, differences } = comparison;
  const { mirror, store, removesExtra } = options;
  const { threadId } = thread;
  const repaired: Repaired = { inserted: 0, replaced: 0, removed: 0, recounted: 0 };
  const wholeItem = (key: string | undefined) => filedItem(comparison, store, key);

  const missing = differences.flatMap(({ missing }) => wholeItem(missing?.key) ?? []);
  const [read] = comparison.reads;
  const patch = { ...read?.thread, threadId, source: 'external' as const };
  for (const items of batches(missing, (item) => item)) {
    repaired.inserted += await mirror.insert(patch, items);
  }
  const isThreadGone = comparison.row === null && missing.length === 0;
  if (isThreadGone && differences.length > 0) await mirror.insert(patch, []);

  const replace = differences.flatMap((difference) => {
    const item = difference.replace && wholeItem(difference.key);
    return item && difference.replace ? [{ ...difference.replace, item }] : [];
  });
  for (const batch of batches(replace, ({ item }) => item)) {
    const result = await mirror.repair({ threadId, replace: batch, remove: [] });
    repaired.replaced += result.replaced;
  }

  const remove = removesExtra ? differences.flatMap(({ remove }) => remove ?? []) : [];
  for (let at = 0; at < remove.length; at += MAX_ITEMS) {
    const batch: Repair = { threadId, replace: [], remove: remove.slice(at, at + MAX_ITEMS) };
    repaired.removed += (await mirror.repair(batch)).removed;
  }

  // With rows that came or went the counters have moved: the next comparison counts anew.
  const recount = differences.find((difference) => difference.recount)?.recount;
  if (recount !== undefined && sum(repaired) === 0) {
    const { recounted } = await mirror.repair({ threadId, replace: [], remove: [], recount });
    repaired.recounted += Number(recounted);
  }
  return repaired;
}

/** What a repair without the leave to delete can put right. */
export function isRepairable({ kind }: Found, removesExtra: boolean): boolean {
  return (
    kind === 'missing' ||
    kind === 'differs' ||
    kind === 'counter' ||
    (kind === 'extra' && removesExtra)
  );
}

export function sum({ inserted, replaced, removed, recounted }: Repaired): number {
  return inserted + replaced + removed + recounted;
}

/** As a row may be: bounded, and no deeper than a document. */
function filedItem(
  { thread }: Comparison,
  store: ItemStore,
  key: string | undefined,
): ThreadItem | undefined {
  const [found] = key === undefined ? [] : store.get(key);
  const path = found && thread.files[found.file]?.path;
  if (found === undefined || path === undefined) return undefined;
  return storableItem(boundedItem(found.item, { path, offset: found.offset }));
}

function* batches<Entry>(
  entries: readonly Entry[],
  itemOf: (entry: Entry) => ThreadItem,
): Generator<Entry[]> {
  let batch: Entry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const { text, data } = itemOf(entry);
    const size = getConvexSize({ text, data });
    if (batch.length > 0 && (batch.length >= MAX_ITEMS || bytes + size > MAX_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(entry);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
