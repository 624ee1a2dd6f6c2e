import { indexKeys } from './catalog.ts';
import type { TableInfo } from './catalog.ts';
import type { Doc } from './doc.ts';
import type { Usage } from './limits.ts';
import { Overlay } from './overlay.ts';
import type { TouchedDocument, Version } from './overlay.ts';
import { StoreError } from './store-error.ts';
import { isSystemTable } from './system-tables.ts';

/** A document as a write finds it. */
export interface WriteTarget {
  table: TableInfo;
  doc: Doc;
  /** The row on disk, while the transaction has not written the document before. */
  place: TouchedDocument | number;
}

/**
 * All that a transaction has written and not committed: documents, the tables they made
 * necessary, the counts; and the savepoints it can go back to.
 */
export class WriteBuffer {
  readonly overlay = new Overlay();
  readonly #usage: Usage;
  readonly #created = new Map<string, TableInfo>();
  readonly #counts = new Map<TableInfo, number>();
  readonly #savepoints: Savepoint[] = [];
  #nextSavepoint = 1;

  constructor(usage: Usage) {
    this.#usage = usage;
  }

  get isEmpty(): boolean {
    return this.overlay.isEmpty;
  }

  get createdTables(): TableInfo[] {
    return [...this.#created.values()];
  }

  /** Change of the number of documents, by table. */
  get counts(): ReadonlyMap<TableInfo, number> {
    return this.#counts;
  }

  createdTable(name: string): TableInfo | null {
    return this.#created.get(name) ?? null;
  }

  createTable(table: TableInfo): void {
    this.#created.set(table.name, table);
  }

  insert(table: TableInfo, version: Version): void {
    this.#use(table, version.doc.size);
    this.overlay.touch(version.doc.id, { table, stored: null, current: version });
    this.#count(table, 1);
  }

  /** null removes the document. */
  write({ table, doc, place }: WriteTarget, next: Version | null): void {
    this.#use(table, next?.doc.size ?? 0);
    if (typeof place === 'number') {
      const stored = { row: place, doc, keys: indexKeys(table, doc.value) };
      this.overlay.touch(doc.id, { table, stored, current: next });
    } else {
      this.overlay.rewrite(doc.id, place, next);
    }
    if (next === null) this.#count(table, -1);
  }

  savepoint(): number {
    const id = this.#nextSavepoint++;
    this.#savepoints.push({
      id,
      mark: this.overlay.mark(),
      created: new Set(this.#created.keys()),
      counts: [...this.#counts],
      documentsWritten: this.#usage.documentsWritten,
      bytesWritten: this.#usage.bytesWritten,
      functionsScheduled: this.#usage.functionsScheduled,
      scheduledBytes: this.#usage.scheduledBytes,
    });
    return id;
  }

  rollbackTo(savepoint: number): void {
    const at = this.#positionOf(savepoint);
    const found = this.#savepoints[at];
    if (found === undefined) throw new StoreError('TransactionEnded', `savepoint ${savepoint}`);
    this.#savepoints.length = at + 1;
    this.overlay.undoTo(found.mark);
    for (const name of this.#created.keys()) {
      if (!found.created.has(name)) this.#created.delete(name);
    }
    this.#counts.clear();
    for (const [table, count] of found.counts) this.#counts.set(table, count);
    this.#usage.documentsWritten = found.documentsWritten;
    this.#usage.bytesWritten = found.bytesWritten;
    this.#usage.functionsScheduled = found.functionsScheduled;
    this.#usage.scheduledBytes = found.scheduledBytes;
  }

  release(savepoint: number): void {
    const at = this.#positionOf(savepoint);
    if (at >= 0) this.#savepoints.length = at;
  }

  #positionOf(savepoint: number): number {
    return this.#savepoints.findIndex((candidate) => candidate.id === savepoint);
  }

  #use(table: TableInfo, bytes: number): void {
    if (!isSystemTable(table)) this.#usage.write(bytes);
  }

  #count(table: TableInfo, change: number): void {
    this.#counts.set(table, (this.#counts.get(table) ?? 0) + change);
  }
}

interface Savepoint {
  id: number;
  mark: number;
  created: Set<string>;
  counts: [TableInfo, number][];
  documentsWritten: number;
  bytesWritten: number;
  functionsScheduled: number;
  scheduledBytes: number;
}
