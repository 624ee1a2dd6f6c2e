import type { Database } from '../database.ts';
import type { Doc } from '../doc.ts';
import type { SearchIndexes, TextIndexInfo, VectorIndexInfo } from './search-indexes.ts';
import { TextIndexTable } from './text-index-table.ts';
import { VectorIndexTable } from './vector-index-table.ts';

/** Where a test's backend is laxer than Convex, because convex-test is. */
export interface SearchOptions {
  /** Texts are found in the order of their documents' creation, not best first. */
  isUnranked?: boolean;
  /** Vectors of every length are found, whatever the schema says. */
  hasAnyDimensions?: boolean;
}

/** The text and vector indexes on disk. Writes happen inside `Database.transaction`. */
export class SearchTables {
  readonly #database: Database;
  readonly #options: SearchOptions;
  readonly #texts = new Map<number, TextIndexTable>();
  readonly #vectors = new Map<number, VectorIndexTable>();

  constructor(database: Database, options: SearchOptions = {}) {
    this.#database = database;
    this.#options = options;
  }

  create({ kind, number }: TextIndexInfo | VectorIndexInfo): void {
    // After a schema was given up, its numbers are given out again.
    this.#forget(number);
    if (kind === 'text') TextIndexTable.create(this.#database, number);
    else VectorIndexTable.create(this.#database, number);
  }

  drop({ kind, number }: TextIndexInfo | VectorIndexInfo): void {
    if (kind === 'text') TextIndexTable.drop(this.#database, number);
    else VectorIndexTable.drop(this.#database, number);
    this.#forget(number);
  }

  /**
   * A document's change, in all the indexes of its table; null: there is no such version.
   * Returns the text indexes in which it makes a difference.
   */
  write(indexes: SearchIndexes, row: number, before: Doc | null, after: Doc | null): string[] {
    for (const index of indexes.vectorIndexes) this.vectors(index).write(row, before, after);
    return indexes.textIndexes
      .filter((index) => this.texts(index).write(row, before, after))
      .map((index) => index.qualifiedName);
  }

  texts(index: TextIndexInfo): TextIndexTable {
    let table = this.#texts.get(index.number);
    if (table === undefined) {
      table = new TextIndexTable(this.#database, index, this.#options.isUnranked);
      this.#texts.set(index.number, table);
    }
    return table;
  }

  vectors(index: VectorIndexInfo): VectorIndexTable {
    let table = this.#vectors.get(index.number);
    if (table === undefined) {
      const dimensions = this.#options.hasAnyDimensions === true ? null : index.dimensions;
      table = new VectorIndexTable(this.#database, { ...index, dimensions });
      this.#vectors.set(index.number, table);
    }
    return table;
  }

  #forget(number: number): void {
    this.#texts.delete(number);
    this.#vectors.delete(number);
  }
}
