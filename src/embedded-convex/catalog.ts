import type { DocValue } from './doc.ts';
import { indexField, valueAt } from './index-field.ts';
import type { IndexField } from './index-field.ts';
import type { TextIndexInfo, VectorIndexInfo } from './search/search-indexes.ts';
import type { Validator } from './validator.ts';
import { encodeKey } from './values/keys.ts';

/** A table as transactions see it. Its `rows` follow the commits. */
export interface TableInfo {
  number: number;
  name: string;
  documents: number;
  /** `by_id` and `by_creation_time` first. */
  indexes: IndexInfo[];
  textIndexes: readonly TextIndexInfo[];
  vectorIndexes: readonly VectorIndexInfo[];
  /** Names of indexes, of all kinds, that the schema has but does not want to be used yet. */
  stagedIndexes: readonly string[];
  /** null: documents of this table are not checked. */
  validator: Validator | null;
}

export interface IndexInfo {
  number: number;
  /** `table.index`, as read sets and commits name it. */
  qualifiedName: string;
  /**
   * What its keys are made of, in order, the implied `_creationTime` at the end. No two
   * documents have the same creation time (see `Store`), so Convex's further `_id` is left
   * out: it would decide nothing and take up more than all the rest.
   */
  fields: IndexField[];
}

/** A table with no rows and no more than the indexes that every table has. */
export function emptyTable(number: number, name: string, indexes: IndexInfo[]): TableInfo {
  const none = { textIndexes: [], vectorIndexes: [], stagedIndexes: [], validator: null };
  return { number, name, documents: 0, indexes, ...none };
}

/** The tables of the database, by name and by the number in document ids. */
export class Catalog {
  readonly #byName = new Map<string, TableInfo>();
  readonly #byNumber = new Map<number, TableInfo>();

  add(table: TableInfo): void {
    this.#byName.set(table.name, table);
    this.#byNumber.set(table.number, table);
  }

  named(name: string): TableInfo | null {
    return this.#byName.get(name) ?? null;
  }

  numbered(number: number): TableInfo | null {
    return this.#byNumber.get(number) ?? null;
  }

  [Symbol.iterator](): IterableIterator<TableInfo> {
    return this.#byName.values();
  }
}

/** Numbers below are upstream's, for system tables. */
export const firstTableNumber = 10_001;
export const byId = 'by_id';
export const byCreationTime = 'by_creation_time';

/** An index over `fields`, without the implied ones. */
export function indexInfo(
  number: number,
  tableName: string,
  name: string,
  fields: readonly string[],
): IndexInfo {
  const implied = name === byId ? '_id' : '_creationTime';
  return {
    number,
    qualifiedName: `${tableName}.${name}`,
    fields: [...fields, implied].map(indexField),
  };
}

/** The keys of a document, one for each index of its table. */
export function indexKeys(table: TableInfo, document: DocValue): Uint8Array[] {
  return table.indexes.map((index) => indexKey(index, document));
}

export function indexKey(index: IndexInfo, document: DocValue): Uint8Array {
  return encodeKey(index.fields.map((field) => valueAt(document, field.path)));
}
