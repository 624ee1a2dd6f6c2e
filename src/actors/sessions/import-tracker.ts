/** How far the files of one job are: a number for each, so that the sums are there at any moment. */
import type { ImportProgress } from '../../machines/backfill-events.ts';
import type { SessionFiles } from './session-files.ts';

/** Shown of those that failed; the count tells of all. */
const MAX_FAILURES = 20;

interface Part {
  /** Bytes that are the job's: from where it began to the end of the file as it was then. */
  from: number;
  size: number;
  done: number;
  state: 'due' | 'done' | 'failed';
}

export class ImportTracker {
  readonly #files: SessionFiles;
  readonly #countsFrom: 'start' | 'cursor';
  readonly #parts = new Map<string, Part>();
  readonly #reasons = new Map<string, string>();
  readonly #counts = { total: 0, done: 0, failed: 0 };
  readonly #bytes = { total: 0, done: 0 };
  readonly #messages = { inserted: 0, known: 0 };

  /** @param countsFrom what of a file that is read in part already counts as the job's */
  constructor(files: SessionFiles, countsFrom: 'start' | 'cursor') {
    this.#files = files;
    this.#countsFrom = countsFrom;
  }

  get progress(): ImportProgress {
    return {
      files: { ...this.#counts },
      bytes: { ...this.#bytes },
      messages: { ...this.#messages },
      failures: [...this.#reasons].slice(-MAX_FAILURES).map(([path, reason]) => ({ path, reason })),
    };
  }

  /** Every file is read, or failed. */
  get isOver(): boolean {
    return this.#counts.done + this.#counts.failed === this.#counts.total;
  }

  /** Those not read to their end, the ones that failed among them. */
  get unfinished(): string[] {
    return [...this.#parts].filter(([, { state }]) => state !== 'done').map(([path]) => path);
  }

  get paths(): string[] {
    return [...this.#parts.keys()];
  }

  has(path: string): boolean {
    return this.#parts.has(path);
  }

  /** Adds files, and looks again at all that are there: they may have been read, or be gone. */
  add(paths: readonly string[]): void {
    for (const path of paths) if (!this.#parts.has(path)) this.#addPart(path);
    for (const path of this.#parts.keys()) this.changed(path);
  }

  /** A file that could not be read at all, as a directory that may not be listed. */
  addUnreadable(path: string, reason: string): void {
    if (!this.#parts.has(path)) this.#addPart(path);
    this.failed(path, reason);
  }

  /** Something is known of this file that was not before. Returns whether it is the job's. */
  changed(path: string): boolean {
    const part = this.#parts.get(path);
    if (part === undefined) return false;
    if (part.state === 'done') return true;
    if (!this.#files.has(path)) {
      if (part.state === 'due') this.failed(path, 'it is not there any more');
      return true;
    }
    const isDone = !this.#files.isBehind(path);
    const offset = isDone ? part.size : (this.#files.cursor(path)?.offset ?? 0);
    this.#setDone(part, Math.max(0, Math.min(offset, part.size) - part.from));
    if (isDone) this.#setState(path, part, 'done');
    return true;
  }

  failed(path: string, reason: string): boolean {
    const part = this.#parts.get(path);
    if (part === undefined) return false;
    if (part.state === 'done') return true;
    this.#setState(path, part, 'failed');
    this.#reasons.set(path, reason);
    return true;
  }

  wrote(path: string, inserted: number, known: number): boolean {
    if (!this.#parts.has(path)) return false;
    this.#messages.inserted += inserted;
    this.#messages.known += known;
    return true;
  }

  #addPart(path: string): void {
    const size = Number(this.#files.facts(path)?.size ?? 0n);
    const cursor = this.#countsFrom === 'cursor' ? this.#files.cursor(path) : undefined;
    const from = Math.min(size, cursor?.offset ?? 0);
    this.#parts.set(path, { from, size, done: 0, state: 'due' });
    this.#counts.total += 1;
    this.#bytes.total += size - from;
  }

  #setDone(part: Part, bytes: number): void {
    this.#bytes.done += bytes - part.done;
    part.done = bytes;
  }

  #setState(path: string, part: Part, state: 'done' | 'failed'): void {
    if (part.state === state) return;
    if (part.state === 'failed') {
      this.#counts.failed -= 1;
      this.#reasons.delete(path);
    }
    part.state = state;
    this.#counts[state] += 1;
  }
}
