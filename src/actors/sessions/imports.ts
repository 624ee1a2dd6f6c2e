/**
 * What of history is being imported: the files that the watcher found by itself at its
 * start, and those that somebody asked for. It outlives a scan, so that an outage of
 * Convex does not set a job's numbers back.
 */
import type { ImportEvent, ImportJob } from '../../machines/backfill-events.ts';
import { findAskedFiles, type AskedFiles } from './asked-path.ts';
import { ImportTracker } from './import-tracker.ts';
import type { SessionFiles } from './session-files.ts';

export class Imports {
  readonly #files: SessionFiles;
  readonly #allowed: readonly string[];
  #found: ImportTracker | null = null;
  #isLeft = false;
  #asked: { job: ImportJob; tracker: ImportTracker; isSelected: boolean } | null = null;
  #hasNews = false;
  /** Counts what makes a lookup that still goes on worthless. */
  #lookups = 0;

  /** @param allowed where files may be read that are not watched; empty: anywhere */
  constructor(files: SessionFiles, allowed: readonly string[]) {
    this.#files = files;
    this.#allowed = allowed;
  }

  /** Somebody does not want old files read that nobody asks for. */
  get isLeft(): boolean {
    return this.#isLeft;
  }

  /** The files are about to be scanned anew: nothing can be said of a job before that is done. */
  suspend(): void {
    this.#lookups += 1;
    if (this.#asked !== null) this.#asked.isSelected = false;
  }

  /** A scan is over, and these files are behind. */
  found(paths: readonly string[]): void {
    if (this.#isLeft) return;
    if (this.#found?.isOver !== false) this.#found = new ImportTracker(this.#files, 'cursor');
    this.#found.add(paths);
    this.#hasNews = true;
  }

  /** Returns what was found and is not read. */
  leave(): string[] {
    const left = this.#found?.unfinished ?? [];
    this.#found = null;
    this.#isLeft = true;
    return left;
  }

  /**
   * Finds the files of a job. Resolves with those that are to be read, the oldest first; null
   * when the job or the scan is another one by then. Rejects with `path_missing` or `path_refused`.
   */
  async begin(job: ImportJob, root: string): Promise<string[] | null> {
    if (this.#asked?.job.id !== job.id) {
      this.#asked = { job, tracker: new ImportTracker(this.#files, 'start'), isSelected: false };
    }
    const asked = this.#asked;
    asked.isSelected = false;
    this.#lookups += 1;
    const lookup = this.#lookups;
    const { since, limit, path } = job.selection;
    const found =
      path === undefined ? NO_PATH : await findAskedFiles(path, { root, allowed: this.#allowed });
    if (lookup !== this.#lookups) return null;
    const candidates = found === NO_PATH ? this.#files.paths() : this.#takeIn(found, asked.tracker);
    const paths = this.#newest(candidates, since, limit);
    asked.tracker.add(paths);
    asked.isSelected = true;
    this.#hasNews = true;
    return paths.filter((path) => this.#files.isBehind(path));
  }

  /** Returns the files of the job that has ended. */
  end(): string[] {
    const paths = this.#asked?.tracker.paths ?? [];
    this.#lookups += 1;
    this.#asked = null;
    this.#hasNews = true;
    return paths;
  }

  /** Whether the file is part of what was asked for. */
  isAsked(path: string): boolean {
    return this.#asked?.tracker.has(path) ?? false;
  }

  changed(path: string): void {
    this.#note((tracker) => tracker.changed(path));
  }

  failed(path: string, reason: string): void {
    this.#note((tracker) => tracker.failed(path, reason));
  }

  wrote(path: string, inserted: number, known: number): void {
    this.#note((tracker) => tracker.wrote(path, inserted, known));
  }

  /** What is to be told, once for each change; what was asked for comes before what was found. */
  news(): Extract<ImportEvent, { type: 'import.counted' }> | null {
    if (!this.#hasNews) return null;
    this.#hasNews = false;
    if (this.#asked !== null) {
      const { job, tracker, isSelected } = this.#asked;
      if (!isSelected) return null;
      return { type: 'import.counted', jobId: job.id, progress: tracker.progress };
    }
    if (this.#found === null) return null;
    return { type: 'import.counted', jobId: null, progress: this.#found.progress };
  }

  #note(tell: (tracker: ImportTracker) => boolean): void {
    if (this.#found !== null && tell(this.#found)) this.#hasNews = true;
    if (this.#asked !== null && tell(this.#asked.tracker)) this.#hasNews = true;
  }

  #newest(candidates: string[], since?: number, limit?: number): string[] {
    const isWanted = (path: string) => {
      const changedAt = Number((this.#files.facts(path)?.mtimeNs ?? 0n) / 1_000_000n);
      return since === undefined || changedAt >= since;
    };
    const byAge = this.#files.byAge(candidates.filter(isWanted));
    return limit === undefined ? byAge : byAge.slice(-limit);
  }

  /** What lies outside of the watched directories becomes known here. */
  #takeIn({ files, unreadable }: AskedFiles, tracker: ImportTracker): string[] {
    for (const { path, reason } of unreadable) tracker.addUnreadable(path, reason);
    for (const { path, facts } of files)
      if (this.#files.isGuest(path)) this.#files.see(path, facts);
    return files.map(({ path }) => path).filter((path) => this.#files.has(path));
  }
}

const NO_PATH = Symbol('all that is known');
