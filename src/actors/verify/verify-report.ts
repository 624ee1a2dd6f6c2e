/** What a verification has found so far, in a size that does not grow with what is wrong. */
import type { SessionsVerifyFrame } from '../../control/verify-frames.ts';
import type { Comparison, Found } from './compare-thread.ts';
import type { FoundFile } from './find-session-files.ts';
import type { ThreadResult } from './verify-thread.ts';

export type ReportFields = Omit<
  SessionsVerifyFrame,
  'type' | 'verifyId' | 'state' | 'durationMs' | 'error'
>;

const MAX_DIFFERENCES = 200;
const MAX_LISTED = 50;
/** Milliseconds between two reports of progress. */
const PROGRESS_EVERY = 500;

export class VerifyReport {
  readonly fields: ReportFields = emptyReport();
  readonly #onProgress: (report: ReportFields) => void;
  #toldAt = 0;
  #leftOver = 0;

  constructor(onProgress: (report: ReportFields) => void) {
    this.#onProgress = onProgress;
  }

  plan(threads: number, sizes: readonly number[]): void {
    const { fields } = this;
    fields.threads.total = threads;
    fields.files.total = sizes.length;
    fields.bytes.total = sizes.reduce((sum, size) => sum + size, 0);
    this.#tell();
  }

  /** Bytes of a file; one that is compared again is read again, and counted once. */
  read(bytes: number): void {
    const { bytes: sum } = this.fields;
    sum.done = Math.min(sum.total, sum.done + bytes);
    this.#tell();
  }

  add({ comparison, after, repaired, isChanging }: ThreadResult): void {
    const { fields } = this;
    fields.threads.done += 1;
    fields.files.done += comparison.thread.files.length;
    fields.items += after.items;
    fields.rows += after.rows;
    fields.rowsOfRuns += after.ofRuns;
    fields.rowsOfGoneFiles += after.ofGoneFiles;
    fields.behind.files += after.behind.size;
    for (const bytes of after.behind.values()) fields.behind.bytes += bytes;
    for (const problem of after.unreadable) this.unreadable(problem);
    this.#addSetAside(after);
    for (const field of ['inserted', 'replaced', 'removed', 'recounted'] as const) {
      fields.repaired[field] += repaired[field];
    }
    if (isChanging) fields.changing += 1;
    else this.#addDifferences(comparison, after);
    this.#judge();
    this.#tell();
  }

  /** The watcher has not begun with it. */
  unread({ size }: FoundFile): void {
    if (size === 0) return;
    this.fields.behind.files += 1;
    this.fields.behind.bytes += size;
  }

  unreadable(problem: { path: string; reason: string }): void {
    const { unreadable } = this.fields;
    unreadable.count += 1;
    if (unreadable.files.length < MAX_LISTED) unreadable.files.push(problem);
    this.#judge();
  }

  threadsWithoutFile(threads: number): void {
    this.fields.threadsWithoutFile = threads;
  }

  #addDifferences(before: Comparison, after: Comparison): void {
    const { fields } = this;
    for (const [kind, count] of entriesOf(before.counts)) fields.counts[kind] += count;
    this.#leftOver += Object.values(after.counts).reduce((sum, count) => sum + count, 0);
    const left = new Set(after.differences.map(nameOf));
    for (const found of before.differences) {
      if (fields.differences.length >= MAX_DIFFERENCES) return;
      const { missing: _m, replace: _p, remove: _d, recount: _c, ...difference } = found;
      const isRepaired = after !== before && !left.has(nameOf(found));
      fields.differences.push({ ...difference, ...(isRepaired ? { repaired: true } : {}) });
    }
  }

  #addSetAside({ thread }: Comparison): void {
    const { setAside } = this.fields;
    for (const { path, cursor } of thread.files) {
      for (const { offset, length, reason } of cursor?.quarantine ?? []) {
        setAside.count += 1;
        if (setAside.lines.length < MAX_LISTED) {
          setAside.lines.push({ path, offset, length, reason });
        }
      }
    }
  }

  #judge(): void {
    this.fields.ok = this.#leftOver === 0 && this.fields.unreadable.count === 0;
  }

  #tell(): void {
    const now = performance.now();
    if (now - this.#toldAt < PROGRESS_EVERY) return;
    this.#toldAt = now;
    this.#onProgress(this.fields);
  }
}

function nameOf({ kind, path, key, field }: Found): string {
  return JSON.stringify([kind, key ?? path, kind === 'differs' ? '' : field]);
}

function entriesOf(counts: Comparison['counts']): [Found['kind'], number][] {
  // The type knows exactly these keys.
  return Object.entries(counts) as [Found['kind'], number][];
}

function emptyReport(): ReportFields {
  return {
    ok: true,
    threads: { total: 0, done: 0 },
    files: { total: 0, done: 0 },
    bytes: { total: 0, done: 0 },
    items: 0,
    rows: 0,
    counts: { missing: 0, extra: 0, differs: 0, counter: 0, messages: 0, lost: 0 },
    differences: [],
    setAside: { count: 0, lines: [] },
    behind: { files: 0, bytes: 0 },
    unreadable: { count: 0, files: [] },
    rowsOfRuns: 0,
    rowsOfGoneFiles: 0,
    threadsWithoutFile: 0,
    changing: 0,
    repaired: { inserted: 0, replaced: 0, removed: 0, recounted: 0 },
  };
}
