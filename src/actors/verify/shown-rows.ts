/**
 * Rows that a run's stream made and that stayed as they were, because its file has nothing of
 * the kind. Where the file does have it, under a row of its own, the two were not joined.
 */
import { mayBeStreamed, signature } from '../../codex/sighting-signature.ts';
import type { ThreadItem } from '../../codex/thread-item.ts';
import type { Row } from './compare-row.ts';

/** Rows that are held; further ones are taken for what only the stream had. */
const MAX_ROWS = 5_000;

/** Milliseconds. Between an item in the file and the same one in the stream. */
const STREAM_DELAY = 10_000;

interface FiledRow {
  item: ThreadItem;
  runId: string | undefined;
  createdAt: number;
}

export class ShownRows {
  readonly #rows = new Map<string, Row[]>();
  #size = 0;

  /** False when there is nothing to look for, or no room. */
  add(row: Row): boolean {
    const isSettled = row.provisional !== true && row.partial !== true;
    if (!isSettled || !row.key.startsWith('run/') || this.#size >= MAX_ROWS) return false;
    const name = nameOf(row);
    if (name === null) return false;
    this.#rows.set(name, [...(this.#rows.get(name) ?? []), row]);
    this.#size += 1;
    return true;
  }

  all(): Row[] {
    return [...this.#rows.values()].flat();
  }

  /** Those of which a file has the item too. */
  alsoFiled(filed: Iterable<FiledRow>): Set<Row> {
    const found = new Set<Row>();
    for (const one of filed) {
      const name = nameOf(one.item);
      if (name === null) continue;
      const twin = this.#rows.get(name)?.find((row) => !found.has(row) && isTwin(row, one));
      if (twin) found.add(twin);
    }
    return found;
  }
}

/**
 * What was shown after the file's row was made may be the same words said once more, and lost
 * on their way to the file.
 */
function isTwin(row: Row, { item, runId, createdAt }: FiledRow): boolean {
  if (row.createdAt > createdAt) return false;
  if (runId !== undefined) return runId === row.runId;
  // A run has one turn, and whoever is at Codex has them one after the other.
  if (item.kind === 'turn' || !mayBeStreamed(item)) return false;
  return Math.abs(item.ts - row.ts) < STREAM_DELAY;
}

/** Null for what Codex prints more often than it writes it. */
function nameOf(item: Row | ThreadItem): string | null {
  const { key, kind, text = '' } = item;
  if (kind === 'error' || kind === 'preface') return null;
  const { data } = item;
  // A row of a run holds what the stream's item held.
  const name = signature({ key, kind, text, ts: 0, ...(data && { data }) });
  return kind === 'todo' || kind === 'search' ? `${name} ${text}` : name;
}
