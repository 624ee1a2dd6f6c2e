import type { IndexInterval, ReadSet } from './executor.ts';
import type { KeyInterval } from './index-range.ts';
import { ReadLimitError } from './limits.ts';
import type { Usage } from './limits.ts';
import type { Order } from './query.ts';
import { afterKey, compareKeys } from './values/keys.ts';

/** One scan's part of the read set; it grows while the scan goes on. */
export interface ScanRecord {
  readonly index: string;
  readonly interval: KeyInterval;
  readonly order: Order;
  /** The key that the scan returned last. */
  last: Uint8Array | null;
  /** It ran to the end of the interval. */
  exhausted: boolean;
  /** It will not grow any more. */
  closed: boolean;
}

/**
 * What a transaction looked at, as intervals of index keys: of a scan that stopped early only
 * the part up to the last key it saw, so that a change behind it wakes nobody.
 */
export class ReadRecorder {
  readonly #usage: Usage;
  #finished: IndexInterval[] = [];
  #scans: ScanRecord[] = [];
  /** Merging costs, so it is done again only after this many more reads. */
  #mergeAt: number;

  constructor(usage: Usage) {
    this.#usage = usage;
    this.#mergeAt = usage.limits.databaseQueries + 1;
    usage.countIntervals = () => this.readSet().length;
  }

  scan(index: string, interval: KeyInterval, order: Order): ScanRecord {
    const record = { index, interval, order, last: null, exhausted: false, closed: false };
    this.#scans.push(record);
    this.#checkLimit();
    return record;
  }

  point(index: string, key: Uint8Array): void {
    this.#finished.push({ index, from: key, to: afterKey(key) });
    this.#checkLimit();
  }

  interval(index: string, interval: KeyInterval): void {
    this.#finished.push({ index, ...interval });
    this.#checkLimit();
  }

  /** Disjoint, ordered by index and key. */
  readSet(): ReadSet {
    const scanned = this.#scans.flatMap(seenInterval);
    return mergeIntervals([...this.#finished, ...scanned]);
  }

  #checkLimit(): void {
    const limit = this.#usage.limits.databaseQueries;
    // A function that this one called may have a lower limit.
    const mergeAt = Math.min(this.#mergeAt, limit + 1);
    if (this.#finished.length + this.#scans.length < mergeAt) return;
    const ended = this.#scans.filter((scan) => scan.closed);
    this.#scans = this.#scans.filter((scan) => !scan.closed);
    this.#finished = mergeIntervals([...this.#finished, ...ended.flatMap(seenInterval)]);
    const count = this.#finished.length + this.#scans.length;
    if (count > limit) throw new ReadLimitError('TooManyReads', 'reads', limit);
    this.#mergeAt = Math.max(limit + 1, count + mergeStep);
  }
}

const mergeStep = 1024;

function seenInterval(scan: ScanRecord): IndexInterval[] {
  const { index, interval, last } = scan;
  if (scan.exhausted) return [{ index, ...interval }];
  if (last === null) return [];
  return scan.order === 'asc'
    ? [{ index, from: interval.from, to: afterKey(last) }]
    : [{ index, from: last, to: interval.to }];
}

function mergeIntervals(intervals: IndexInterval[]): IndexInterval[] {
  const sorted = intervals.toSorted((a, b) =>
    a.index < b.index ? -1 : a.index > b.index ? 1 : compareKeys(a.from, b.from),
  );
  const merged: IndexInterval[] = [];
  for (const interval of sorted) {
    const last = merged.at(-1);
    if (last === undefined || last.index !== interval.index || !touches(last, interval)) {
      merged.push(interval);
    } else if (
      last.to !== null &&
      (interval.to === null || compareKeys(interval.to, last.to) > 0)
    ) {
      merged[merged.length - 1] = { ...last, to: interval.to };
    }
  }
  return merged;
}

/** `next` starts at or before the end of `last`. */
function touches(last: IndexInterval, next: IndexInterval): boolean {
  return last.to === null || compareKeys(next.from, last.to) <= 0;
}
