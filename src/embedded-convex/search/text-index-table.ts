import type { StatementSync } from 'node:sqlite';
import { boundLimit, RowQuery } from '../database.ts';
import type { Database } from '../database.ts';
import type { Doc } from '../doc.ts';
import { filterTokens } from './filter-token.ts';
import { searchedText } from './search-indexes.ts';
import type { TextIndexInfo } from './search-indexes.ts';
import type { TextQuery } from './text-query.ts';
import { indexedText } from './tokens.ts';

/** A document that a search found. The better it fits, the lower its rank, which is negative. */
export interface TextMatch {
  row: number;
  rank: number;
}

/**
 * One text index, as an FTS5 table: the terms of each document's text and, as terms of their
 * own column, the values of its filter fields. What a term is we decide: SQLite's tokenizer gets
 * a text in which it finds just those. The texts are not stored again. (FTS5 could remove rows
 * by itself, with `contentless_delete`, but goes on counting them in its ranks.)
 */
export class TextIndexTable {
  readonly #index: TextIndexInfo;
  readonly #isUnranked: boolean;
  readonly #insert: StatementSync;
  readonly #remove: StatementSync;
  readonly #longer: RowQuery<[term: string]>;
  readonly #search: RowQuery<[row: number, rank: number]>;

  /** `isUnranked`: a document's rank is its place in the order of creation. */
  constructor(database: Database, index: TextIndexInfo, isUnranked = false) {
    this.#isUnranked = isUnranked;
    const name = tableName(index.number);
    this.#index = index;
    this.#insert = database.prepare(`INSERT INTO ${name} (rowid, terms, filters) VALUES (?, ?, ?)`);
    this.#remove = database.prepare(
      `INSERT INTO ${name} (${name}, rowid, terms, filters) VALUES ('delete', ?, ?, ?)`,
    );
    this.#longer = new RowQuery(
      database,
      `SELECT term FROM ${name}_terms WHERE term > ? AND term < ? LIMIT ${boundLimit}`,
    );
    // BM25 over the terms; filters select and do not rank. Rows are numbered as they are
    // created, so the newest comes first among equals.
    this.#search = new RowQuery(
      database,
      `SELECT rowid, bm25(${name}, 1.0, 0.0) AS score FROM ${name}
        WHERE ${name} MATCH ? ORDER BY score, rowid DESC LIMIT ${boundLimit}`,
    );
  }

  static create(database: Database, number: number): void {
    const name = tableName(number);
    database.execute(`
      CREATE VIRTUAL TABLE ${name} USING fts5 (
        terms, filters, content = '', tokenize = 'ascii'
      );
      CREATE VIRTUAL TABLE ${name}_terms USING fts5vocab (${name}, row);
    `);
  }

  static drop(database: Database, number: number): void {
    const name = tableName(number);
    database.execute(`DROP TABLE ${name}_terms; DROP TABLE ${name};`);
  }

  /** Whether any search can tell the two versions of a document apart. null: there is none. */
  write(row: number, before: Doc | null, after: Doc | null): boolean {
    const old = this.#entry(before);
    const next = this.#entry(after);
    if (old?.text === next?.text && old?.filters === next?.filters) return false;
    // The very terms that were put in must be taken out: FTS5 keeps no list of a row's terms.
    if (old !== null) this.#remove.run(row, indexedText(old.text), old.filters);
    if (next !== null) this.#insert.run(row, indexedText(next.text), next.filters);
    return true;
  }

  /** The best `mostCandidates`, best first. */
  search(query: TextQuery): TextMatch[] {
    if (query.terms.length === 0) return [];
    const expression = this.#expression(query);
    const found = this.#search.all(expression, mostCandidates);
    if (!this.#isUnranked) return found.map(([row, rank]) => ({ row, rank }));
    return found.map(([row]) => ({ row, rank: row })).sort((a, b) => a.row - b.row);
  }

  #entry(doc: Doc | null): { text: string; filters: string } | null {
    const text = doc === null ? null : searchedText(this.#index, doc.value);
    if (doc === null || text === null) return null;
    return { text, filters: filterTokens(this.#index.filterFields, doc.value) };
  }

  #expression({ terms, prefix, filters }: TextQuery): string {
    const room = mostTerms - terms.length - filters.length;
    const longer = prefix === null ? [] : this.#longer.all(prefix, `${prefix}\u{10FFFF}`, room);
    const more = longer.map(([term]) => term).filter((term) => !terms.includes(term));
    // What matches as a whole counts twice as much as what only begins like the last term.
    const all = more.length === 0 ? terms : [...terms, ...terms, ...more];
    const wanted = `terms : (${all.map(quoted).join(' OR ')})`;
    if (filters.length === 0) return wanted;
    return `${wanted} AND filters : (${filters.map(quoted).join(' AND ')})`;
  }
}

/** Documents; upstream's limit. */
export const mostCandidates = 1024;
/** Different terms, filters among them, that one search looks up; upstream's limit. */
const mostTerms = 64;

function tableName(number: number): string {
  return `text_index_${number}`;
}

/** A term is made of letters and digits, or is a filter's, so nothing in it needs escaping. */
function quoted(term: string): string {
  return `"${term}"`;
}
