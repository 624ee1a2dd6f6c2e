import type { IndexInfo } from './catalog.ts';
import { Doc } from './doc.ts';
import type { DocumentTable, IndexRow } from './document-table.ts';
import type { KeyInterval } from './index-range.ts';
import type { IndexOverlay, Overlay } from './overlay.ts';
import type { Order } from './query.ts';
import { afterKey, compareKeys } from './values/keys.ts';

export interface ScanSource {
  /** null: the table is not on disk yet. */
  stored: DocumentTable | null;
  overlay: Overlay;
}

export interface ScannedDocument {
  key: Uint8Array;
  doc: Doc;
}

/**
 * Walks an interval of an index in order: the rows on disk, read in pages as they are asked
 * for, merged with what the transaction has written, also since the walk began.
 */
export class IndexScan {
  readonly #source: ScanSource;
  readonly #index: IndexInfo;
  readonly #interval: KeyInterval;
  readonly #order: Order;
  #last: Uint8Array | null = null;
  #unread: KeyInterval | null;
  #page: IndexRow[] = [];
  #at = 0;
  #pageSize: number;

  /** `expected` rows are read at first: what a `take` or a page will need. */
  constructor(
    source: ScanSource,
    index: IndexInfo,
    interval: KeyInterval,
    order: Order,
    expected: number | null,
  ) {
    this.#source = source;
    this.#index = index;
    this.#interval = interval;
    this.#order = order;
    this.#unread = source.stored === null ? null : interval;
    this.#pageSize = Math.min(expected ?? defaultPage, largestPage);
  }

  next(): ScannedDocument | null {
    const stored = this.#storedRow();
    const written = this.#ownEntries()?.next(this.#interval, this.#order, this.#last) ?? null;
    if (written !== null && (stored === null || this.#isBefore(written.key, stored.key))) {
      this.#last = written.key;
      const doc = written.document.current?.doc;
      return doc === undefined ? null : { key: written.key, doc };
    }
    if (stored === null) return null;
    this.#at += 1;
    this.#last = stored.key;
    return { key: stored.key, doc: new Doc(stored.id, stored.json, stored.size) };
  }

  #ownEntries(): IndexOverlay | null {
    return this.#source.overlay.isEmpty ? null : this.#source.overlay.index(this.#index);
  }

  /** The next row on disk that the transaction has not written itself. */
  #storedRow(): IndexRow | null {
    for (;;) {
      const row = this.#page[this.#at];
      if (row === undefined) {
        if (!this.#readPage()) return null;
      } else if (this.#isSuperseded(row)) {
        this.#at += 1;
      } else {
        return row;
      }
    }
  }

  #isSuperseded(row: IndexRow): boolean {
    const { overlay } = this.#source;
    return !overlay.isEmpty && overlay.document(row.id) !== null;
  }

  #readPage(): boolean {
    const { stored } = this.#source;
    if (stored === null || this.#unread === null) return false;
    this.#page = stored.page(this.#index, this.#unread, this.#order, this.#pageSize);
    this.#at = 0;
    const last = this.#page.at(-1);
    if (last === undefined) return false;
    if (this.#page.length < this.#pageSize) this.#unread = null;
    else if (this.#order === 'asc') this.#unread = { ...this.#unread, from: afterKey(last.key) };
    else this.#unread = { ...this.#unread, to: last.key };
    this.#adaptPageSize();
    return true;
  }

  /** Larger steps for a long walk, but never much memory for a walk over large documents. */
  #adaptPageSize(): void {
    const bytes = this.#page.reduce((sum, row) => sum + row.json.length, 0);
    const affordable = Math.floor((pageBytes * this.#page.length) / Math.max(bytes, 1));
    this.#pageSize = Math.max(1, Math.min(this.#pageSize * 4, affordable, largestPage));
  }

  #isBefore(a: Uint8Array, b: Uint8Array): boolean {
    const order = compareKeys(a, b);
    return this.#order === 'asc' ? order < 0 : order > 0;
  }
}

/** Rows. Most walks that do not say how far they go end soon. */
const defaultPage = 32;
/** Rows; upstream's bound too. */
const largestPage = 1024;
/** Bytes of JSON that a page may take up once the size of the documents is known. */
const pageBytes = 1 << 20;
