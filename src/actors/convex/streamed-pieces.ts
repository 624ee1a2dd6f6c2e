/**
 * Shows items while they are written: the newest piece of each, at most one write every
 * COALESCE_MS a row, and one at a time a row. A piece that fails is not written again: a
 * newer one says more, and the end comes with the item itself.
 */
import type { StreamedPiece } from '../../codex/app-server/growing-item.ts';
import { storableItem } from './storable-item.ts';

/** Twenty times a second is more than a reader sees, and a hundredth of what the backend can take. */
const COALESCE_MS = 50;

export type PiecePort = (threadId: string, piece: StreamedPiece) => Promise<unknown>;

interface Row {
  /** Not written yet. */
  next: StreamedPiece | undefined;
  isWriting: boolean;
  /** When it may be written again. */
  timer: NodeJS.Timeout | undefined;
}

export class StreamedPieces {
  readonly #write: PiecePort;
  /** By thread and key; only while something is on its way. */
  readonly #rows = new Map<string, Row>();

  constructor(write: PiecePort) {
    this.#write = write;
  }

  /** The first piece of a row is written at once: that is the one that somebody waits for. */
  show(threadId: string, piece: StreamedPiece): void {
    const name = `${threadId} ${piece.item.key}`;
    const row = this.#rows.get(name) ?? { next: undefined, isWriting: false, timer: undefined };
    this.#rows.set(name, row);
    row.next = piece;
    this.#continue(threadId, name, row);
  }

  /** These items have come to their end, which is being written: what is left of them is old. */
  forget(threadId: string | undefined, keys: Iterable<string>): void {
    for (const key of keys) {
      const row = this.#rows.get(`${threadId} ${key}`);
      if (row) row.next = undefined;
    }
  }

  stop(): void {
    for (const { timer } of this.#rows.values()) clearTimeout(timer);
    this.#rows.clear();
  }

  #continue(threadId: string, name: string, row: Row): void {
    const { next } = row;
    if (row.isWriting || row.timer !== undefined) return;
    if (next === undefined) {
      this.#rows.delete(name);
      return;
    }
    row.next = undefined;
    row.isWriting = true;
    row.timer = setTimeout(() => {
      row.timer = undefined;
      this.#continue(threadId, name, row);
    }, COALESCE_MS);
    const piece = { ...next, item: storableItem(next.item) };
    void this.#write(threadId, piece)
      .catch(() => undefined)
      .then(() => {
        row.isWriting = false;
        this.#continue(threadId, name, row);
      });
  }
}
