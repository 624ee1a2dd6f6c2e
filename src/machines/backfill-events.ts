/**
 * The events between the backfill, which keeps the job, and the sessions watcher, which
 * is the only one that reads session files.
 */
import type { BridgeError } from '../errors.ts';

/** Which files; without any of these, all of them. */
export interface ImportSelection {
  /** Only those that changed then or later; milliseconds since the epoch. */
  since?: number;
  /** Only so many, the newest. */
  limit?: number;
  /** Only this session file, or those below this directory; absolute. */
  path?: string;
}

export interface ImportJob {
  id: string;
  selection: ImportSelection;
}

export interface ImportProgress {
  /** `failed` files count no more as failed once they could be read after all. */
  files: { total: number; done: number; failed: number };
  bytes: { total: number; done: number };
  /** Since this process took up the job. */
  messages: { inserted: number; known: number };
  /** The latest of the files that failed, and why. */
  failures: { path: string; reason: string }[];
}

/** To the sessions watcher. */
export type ImportCommand =
  /** These files before all other history, also while watching is turned off. Safe to repeat. */
  | { type: 'import.begin'; job: ImportJob }
  /** What of the job is not read yet loses its place before other history. */
  | { type: 'import.end'; jobId: string }
  /** Old files that the last scan found are not read, until they change or somebody asks for them. */
  | { type: 'import.leave' };

/** From the sessions watcher. `jobId` is null for the old files that it found by itself. */
export type ImportEvent =
  | { type: 'import.counted'; jobId: string | null; progress: ImportProgress }
  /** The files of the job cannot be had at all. */
  | { type: 'import.refused'; jobId: string; error: BridgeError }
  /** Nothing is read until `import.scanning`. */
  | { type: 'import.waits'; reason: string }
  | { type: 'import.scanning' }
  /** It knows of no job, or no longer. */
  | { type: 'sessions.started' };
