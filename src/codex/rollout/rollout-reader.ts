/** The face of the session file readers: lines in, items out. */
import type { ThreadItem, ThreadPatch } from '../thread-item.ts';

/**
 * Reads one session file, line by line, from its first line on. Pure: it holds what
 * later lines need of earlier ones (the owner, the open turn, calls without an
 * outcome, counts of repeated lines), and nothing else.
 *
 * To go on in the middle of a file, `replay` every line before that place: this
 * rebuilds the state and emits nothing.
 */
export interface RolloutReader {
  /** `line` without its newline; `at` says where in the file it is, in bytes. */
  push(line: string, at: LinePosition): LineOutcome;
  replay(line: string, at: LinePosition): void;
  /** All that the lines so far said about the thread; `resumeId` also from the file's name. */
  readonly thread: ThreadPatch;
}

export interface LinePosition {
  offset: number;
  /** Bytes in the file. */
  length: number;
  /** Set when `line` is only what is left of a longer one (`json-condenser.ts`). */
  condensed?: {
    /** Hex, of the whole payload as `JSON.stringify` writes it. */
    sha256: string;
  };
}

export interface LineOutcome {
  /** In order. The same key may come again later, when more of the item is known. */
  items: ThreadItem[];
  /** Set when the line changed what is known of the thread: all of it, not the difference. */
  thread?: ThreadPatch;
  /** Set when the line gave no item and should not: which rule of `line-kinds.ts` says so. */
  leftOut?: string;
  /** Why the line belongs into quarantine; empty when it was understood. */
  problems: LineProblem[];
}

export interface LineProblem {
  /** `malformed`: broken. `unknown`: well formed, of a kind that this version does not know. */
  kind: 'malformed' | 'unknown';
  reason: string;
}

/** Rises when the same file would give other items than before: quarantined lines are tried again. */
export const PARSER_VERSION = 1;
