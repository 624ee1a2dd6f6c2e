import type { IndexInfo, TableInfo } from './catalog.ts';
import type { Doc } from './doc.ts';
import type { KeyInterval } from './index-range.ts';
import type { Order } from './query.ts';
import { compareKeys } from './values/keys.ts';

/** A document as it is at some point, with its key in each index of its table. */
export interface Version {
  doc: Doc;
  keys: Uint8Array[];
}

/** A document that the transaction has written. */
export interface TouchedDocument {
  readonly table: TableInfo;
  /** null: it did not exist when the transaction began. */
  readonly stored: (Version & { row: number }) | null;
  /** null: removed by this transaction. */
  current: Version | null;
}

/**
 * The writes of a transaction, over the snapshot: by document and, in order, by index. Every
 * write can be undone back to a mark, which makes nested transactions cheap. An index is put
 * in order only when it is read: most transactions never read what they write.
 */
export class Overlay {
  readonly #documents = new Map<string, TouchedDocument>();
  readonly #indexes = new Map<IndexInfo, IndexOverlay>();
  readonly #versions: WrittenVersion[] = [];
  readonly #undo: UndoStep[] = [];

  get isEmpty(): boolean {
    return this.#documents.size === 0;
  }

  document(id: string): TouchedDocument | null {
    return this.#documents.get(id) ?? null;
  }

  documents(): IterableIterator<TouchedDocument> {
    return this.#documents.values();
  }

  index(index: IndexInfo): IndexOverlay {
    let entries = this.#indexes.get(index);
    if (entries === undefined) {
      entries = new IndexOverlay(index);
      this.#indexes.set(index, entries);
    }
    entries.takeIn(this.#versions);
    return entries;
  }

  /** The first write of a document. */
  touch(id: string, document: TouchedDocument): void {
    this.#documents.set(id, document);
    this.#undo.push({ id, document, before: 'untouched' });
    if (document.current !== null) this.#addVersion(document, document.current, null);
  }

  /** A further write of a document; null removes it. */
  rewrite(id: string, document: TouchedDocument, next: Version | null): void {
    const before = document.current;
    this.#undo.push({ id, document, before });
    document.current = next;
    if (next !== null) this.#addVersion(document, next, before);
  }

  mark(): number {
    return this.#undo.length;
  }

  undoTo(mark: number): void {
    while (this.#undo.length > mark) {
      const step = this.#undo.pop();
      if (step === undefined) return;
      if (step.before === 'untouched') {
        // The snapshot's own version counts again.
        this.#documents.delete(step.id);
        step.document.current = null;
      } else {
        step.document.current = step.before;
      }
    }
  }

  #addVersion(document: TouchedDocument, version: Version, before: Version | null): void {
    for (const [position, old] of before?.keys.entries() ?? []) {
      const key = version.keys[position];
      // The entry of the version before serves this one too: entries go by identity.
      if (key !== undefined && compareKeys(old, key) === 0) version.keys[position] = old;
    }
    this.#versions.push({ document, version, before });
  }
}

interface WrittenVersion {
  document: TouchedDocument;
  version: Version;
  before: Version | null;
}

interface UndoStep {
  id: string;
  document: TouchedDocument;
  before: Version | null | 'untouched';
}

export interface OverlayEntry {
  key: Uint8Array;
  document: TouchedDocument;
}

/**
 * The entries of one index, in order. Those of superseded or undone versions stay, and are
 * passed over: an entry lives while the document's version holds this very key object.
 */
export class IndexOverlay {
  readonly #index: IndexInfo;
  #position = -1;
  #taken = 0;
  #sorted: OverlayEntry[] = [];
  #added: OverlayEntry[] = [];

  constructor(index: IndexInfo) {
    this.#index = index;
  }

  /** Adds what was written since the last time. */
  takeIn(versions: readonly WrittenVersion[]): void {
    for (; this.#taken < versions.length; this.#taken += 1) {
      const written = versions[this.#taken];
      if (written === undefined || !this.#isOfTable(written.document.table)) continue;
      const key = written.version.keys[this.#position];
      if (key === undefined || key === written.before?.keys[this.#position]) continue;
      this.#added.push({ key, document: written.document });
    }
  }

  /** The first live entry of the interval, in the given order, strictly behind `after`. */
  next(interval: KeyInterval, order: Order, after: Uint8Array | null): OverlayEntry | null {
    this.#sort();
    return order === 'asc' ? this.#up(interval, after) : this.#down(interval, after);
  }

  #up({ from, to }: KeyInterval, after: Uint8Array | null): OverlayEntry | null {
    let at = after === null ? this.#seek(from, false) : this.#seek(after, true);
    for (; at < this.#sorted.length; at += 1) {
      const entry = this.#sorted[at];
      if (entry === undefined || (to !== null && compareKeys(entry.key, to) >= 0)) return null;
      if (this.#isLive(entry)) return entry;
    }
    return null;
  }

  #down({ from, to }: KeyInterval, after: Uint8Array | null): OverlayEntry | null {
    const end = after ?? to;
    let at = (end === null ? this.#sorted.length : this.#seek(end, false)) - 1;
    for (; at >= 0; at -= 1) {
      const entry = this.#sorted[at];
      if (entry === undefined || compareKeys(entry.key, from) < 0) return null;
      if (this.#isLive(entry)) return entry;
    }
    return null;
  }

  /** Of the first entry with a key not less than (or `past`: greater than) `key`. */
  #seek(key: Uint8Array, past: boolean): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const entry = this.#sorted[middle];
      const order = entry === undefined ? 1 : compareKeys(entry.key, key);
      if (order < 0 || (past && order === 0)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #sort(): void {
    if (this.#added.length === 0) return;
    if (this.#added.length * 8 < this.#sorted.length) {
      // Few new ones, as when a mutation reads between its writes: put each in its place.
      for (const entry of this.#added) {
        this.#sorted.splice(this.#seek(entry.key, true), 0, entry);
      }
    } else {
      this.#sorted = [...this.#sorted, ...this.#added].sort((a, b) => compareKeys(a.key, b.key));
    }
    this.#added = [];
  }

  #isOfTable(table: TableInfo): boolean {
    if (this.#position < 0) this.#position = table.indexes.indexOf(this.#index);
    return table.indexes[this.#position] === this.#index;
  }

  #isLive(entry: OverlayEntry): boolean {
    return entry.document.current?.keys[this.#position] === entry.key;
  }
}
