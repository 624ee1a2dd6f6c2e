import type { StatementSync } from 'node:sqlite';
import type { IndexInfo } from './catalog.ts';
import { boundLimit, RowQuery } from './database.ts';
import type { Database } from './database.ts';
import { Doc } from './doc.ts';
import type { KeyInterval } from './index-range.ts';
import type { Order } from './query.ts';
import { SearchTables } from './search/search-tables.ts';
import type { SearchOptions } from './search/search-tables.ts';

/** A committed document: `row` is its place in the file. */
export interface StoredDocument {
  row: number;
  doc: Doc;
}

export interface IndexRow {
  key: Uint8Array;
  row: number;
  id: string;
  size: number;
  json: string;
}

/** Documents and the entries of all kinds of indexes on disk. Writes happen inside `Database.transaction`. */
export class DocumentTable {
  readonly search: SearchTables;
  readonly #pages = new Map<string, RowQuery<Row>>();
  readonly #byKey: RowQuery<Row>;
  readonly #byRow: RowQuery<[id: string, size: number, json: string]>;
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  readonly #remove: StatementSync;
  readonly #insertEntry: StatementSync;
  readonly #removeEntry: StatementSync;
  readonly #database: Database;
  #nextRow: number;

  constructor(database: Database, search: SearchOptions = {}) {
    this.#database = database;
    this.search = new SearchTables(database, search);
    this.#byKey = new RowQuery(
      database,
      `${select} WHERE entry.index_number = ? AND entry.key = ?`,
    );
    this.#byRow = new RowQuery(database, 'SELECT id, size, json FROM documents WHERE document = ?');
    this.#insert = database.prepare('INSERT INTO documents VALUES (?, ?, ?, ?)');
    this.#update = database.prepare('UPDATE documents SET size = ?, json = ? WHERE document = ?');
    this.#remove = database.prepare('DELETE FROM documents WHERE document = ?');
    this.#insertEntry = database.prepare('INSERT INTO index_entries VALUES (?, ?, ?)');
    this.#removeEntry = database.prepare(
      'DELETE FROM index_entries WHERE index_number = ? AND key = ?',
    );
    const highest = new RowQuery<[number | null]>(database, 'SELECT max(document) FROM documents');
    this.#nextRow = (highest.first()?.[0] ?? 0) + 1;
  }

  /** By its key in `by_id`. */
  find(byIdIndex: IndexInfo, key: Uint8Array): StoredDocument | null {
    const row = this.#byKey.first(byIdIndex.number, key);
    return row === null ? null : toStored(toIndexRow(row));
  }

  at(row: number): Doc | null {
    const [id, size, json] = this.#byRow.first(row) ?? [];
    if (id === undefined || size === undefined || json === undefined) return null;
    return new Doc(id, json, size);
  }

  /** That the next new document will have. */
  get nextRow(): number {
    return this.#nextRow;
  }

  /** Undoes everything that `run` writes, and returns what it returns. */
  rehearse<Result>(run: () => Result): Result {
    return this.#database.rehearse(run);
  }

  /** Up to `limit` rows of an index, from the interval's near end in the given order. */
  page(index: IndexInfo, interval: KeyInterval, order: Order, limit: number): IndexRow[] {
    const { from, to } = interval;
    const statement = this.#pageStatement(order, to !== null);
    const rows =
      to === null
        ? statement.all(index.number, from, limit)
        : statement.all(index.number, from, to, limit);
    return rows.map(toIndexRow);
  }

  /** Returns the row of the new document. */
  insert(doc: Doc): number {
    const row = this.#nextRow++;
    this.#insert.run(row, doc.id, doc.size, doc.json);
    return row;
  }

  update(row: number, doc: Doc): void {
    this.#update.run(doc.size, doc.json, row);
  }

  remove(row: number): void {
    this.#remove.run(row);
  }

  insertEntry(index: IndexInfo, key: Uint8Array, row: number): void {
    this.#insertEntry.run(index.number, key, row);
  }

  removeEntry(index: IndexInfo, key: Uint8Array): void {
    this.#removeEntry.run(index.number, key);
  }

  #pageStatement(order: Order, bounded: boolean): RowQuery<Row> {
    const name = `${order}${bounded}`;
    let statement = this.#pages.get(name);
    if (statement === undefined) {
      statement = new RowQuery<Row>(
        this.#database,
        `${select} WHERE entry.index_number = ? AND entry.key >= ?
          ${bounded ? 'AND entry.key < ?' : ''} ORDER BY entry.key ${order} LIMIT ${boundLimit}`,
      );
      this.#pages.set(name, statement);
    }
    return statement;
  }
}

export function toStored(row: IndexRow): StoredDocument {
  return { row: row.row, doc: new Doc(row.id, row.json, row.size) };
}

// CROSS JOIN keeps SQLite from ever starting with the documents.
const select = `SELECT entry.key, entry.document, document.id, document.size, document.json
  FROM index_entries entry CROSS JOIN documents document ON document.document = entry.document`;

/** The columns of `select`. */
type Row = [key: Uint8Array, row: number, id: string, size: number, json: string];

function toIndexRow([key, row, id, size, json]: Row): IndexRow {
  return { key, row, id, size, json };
}
