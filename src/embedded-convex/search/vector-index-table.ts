import type { StatementSync } from 'node:sqlite';
import { RowQuery } from '../database.ts';
import type { Database } from '../database.ts';
import type { Doc } from '../doc.ts';
import { filterTokens } from './filter-token.ts';
import { searchedVector } from './search-indexes.ts';
import type { VectorIndexInfo } from './search-indexes.ts';
import type { VectorQuery } from './vector-query.ts';

export interface VectorMatch {
  id: string;
  /** Cosine similarity, from -1 to 1. */
  score: number;
}

/**
 * One vector index: the vectors as 32-bit floats, with the values of the filter fields. A
 * search compares with every one of them, which is exact, and takes about a millisecond for a
 * thousand vectors of a thousand dimensions.
 */
export class VectorIndexTable {
  readonly index: VectorIndexInfo;
  readonly #insert: StatementSync;
  readonly #remove: StatementSync;
  readonly #page: RowQuery<[row: number, norm: number, filters: string, vector: Uint8Array]>;
  readonly #id: RowQuery<[id: string]>;

  constructor(database: Database, index: VectorIndexInfo) {
    const name = tableName(index.number);
    this.index = index;
    this.#insert = database.prepare(`INSERT OR REPLACE INTO ${name} VALUES (?, ?, ?, ?)`);
    this.#remove = database.prepare(`DELETE FROM ${name} WHERE document = ?`);
    this.#page = new RowQuery(
      database,
      `SELECT document, norm, filters, vector FROM ${name}
        WHERE document > ? ORDER BY document LIMIT ${pageRows}`,
    );
    this.#id = new RowQuery(database, 'SELECT id FROM documents WHERE document = ?');
  }

  static create(database: Database, number: number): void {
    database.execute(`
      CREATE TABLE ${tableName(number)} (
        document INTEGER PRIMARY KEY, norm REAL NOT NULL, filters TEXT NOT NULL, vector BLOB NOT NULL
      );
    `);
  }

  static drop(database: Database, number: number): void {
    database.execute(`DROP TABLE ${tableName(number)}`);
  }

  /** null: there is no such version of the document. */
  write(row: number, before: Doc | null, after: Doc | null): void {
    const vector = after === null ? null : searchedVector(this.index, after.value);
    if (after !== null && vector !== null) {
      const filters = filterTokens(this.index.filterFields, after.value);
      const bytes = new Uint8Array(vector.buffer);
      this.#insert.run(row, Math.sqrt(dotProduct(vector, vector)), filters, bytes);
    } else if (before !== null && searchedVector(this.index, before.value) !== null) {
      this.#remove.run(row);
    }
  }

  /** The best `limit`, best first; among equals the oldest. */
  search(query: VectorQuery): VectorMatch[] {
    const wanted = Float32Array.from(query.vector);
    const norm = Math.sqrt(dotProduct(wanted, wanted));
    const found: { row: number; score: number }[] = [];
    for (const entry of this.#entries()) {
      if (!passes(query.filters, entry.filters)) continue;
      const length = norm * entry.norm;
      // A vector of zeros points nowhere.
      const score = length === 0 ? 0 : dotProduct(wanted, entry.vector) / length;
      found.push({ row: entry.row, score });
    }
    const best = found.sort((a, b) => b.score - a.score || a.row - b.row).slice(0, query.limit);
    return best.flatMap(({ row, score }) => {
      const [id] = this.#id.first(row) ?? [];
      return id === undefined ? [] : [{ id, score }];
    });
  }

  *#entries(): Generator<{ row: number; norm: number; filters: string; vector: Float32Array }> {
    let last = -1;
    for (;;) {
      const page = this.#page.all(last);
      for (const [row, norm, filters, bytes] of page) {
        yield { row, norm, filters, vector: floats(bytes) };
        last = row;
      }
      if (page.length < pageRows) return;
    }
  }
}

/** With vectors of the most dimensions 4 MiB. */
const pageRows = 256;

function tableName(number: number): string {
  return `vector_index_${number}`;
}

/** null: there is no filter. Otherwise one of the values is enough. */
function passes(wanted: ReadonlySet<string> | null, filters: string): boolean {
  return wanted === null || filters.split(' ').some((token) => wanted.has(token));
}

function floats(bytes: Uint8Array): Float32Array {
  const { BYTES_PER_ELEMENT: width } = Float32Array;
  const aligned = bytes.byteOffset % width === 0 ? bytes : Uint8Array.from(bytes);
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / width);
}

function dotProduct(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at += 1) sum += (a[at] ?? 0) * (b[at] ?? 0);
  return sum;
}
