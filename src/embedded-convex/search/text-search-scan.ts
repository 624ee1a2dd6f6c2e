import type { TableInfo } from '../catalog.ts';
import type { Doc } from '../doc.ts';
import type { DocumentTable } from '../document-table.ts';
import { FunctionError } from '../function-error.ts';
import type { KeyInterval } from '../index-range.ts';
import type { ScannedDocument } from '../index-scan.ts';
import type { Overlay } from '../overlay.ts';
import { compareKeys, encodeKey } from '../values/keys.ts';
import type { TextIndexInfo } from './search-indexes.ts';
import { mostCandidates } from './text-index-table.ts';
import type { TextMatch } from './text-index-table.ts';
import type { TextQuery } from './text-query.ts';

export interface TextSearch {
  table: TableInfo;
  index: TextIndexInfo;
  query: TextQuery;
}

/**
 * What a text search finds, best first. Searches when it is first asked, and sees what the
 * transaction has written until then.
 */
export class TextSearchScan {
  readonly #documents: DocumentTable;
  readonly #overlay: Overlay;
  readonly #search: TextSearch;
  readonly #interval: KeyInterval;
  #own = new Map<number, OwnWrite>();
  #matches: TextMatch[] | null = null;
  #at = 0;

  /** `interval` of keys, which are the ranks. */
  constructor(
    documents: DocumentTable,
    overlay: Overlay,
    search: TextSearch,
    interval: KeyInterval,
  ) {
    this.#documents = documents;
    this.#overlay = overlay;
    this.#search = search;
    this.#interval = interval;
  }

  next(): ScannedDocument | null {
    this.#matches ??= this.#run().filter((match) => isWithin(keyOf(match), this.#interval));
    for (;;) {
      if (this.#at === mostCandidates) throw tooManyScanned();
      const match = this.#matches[this.#at];
      if (match === undefined) return null;
      this.#at += 1;
      const doc = this.#doc(match.row);
      if (doc !== null) return { key: keyOf(match), doc };
    }
  }

  /**
   * A transaction's own writes are put into the index as its commit would do it, searched with
   * everything else, so that all ranks agree, and taken out again.
   */
  #run(): TextMatch[] {
    const { index, query } = this.#search;
    const { search } = this.#documents;
    this.#own = this.#ownRows();
    if (this.#own.size === 0) return search.texts(index).search(query);
    return this.#documents.rehearse(() => {
      for (const [row, { before, after }] of this.#own) {
        search.texts(index).write(row, before, after);
      }
      return search.texts(index).search(query);
    });
  }

  /** New documents under the rows that they would get if the transaction committed now. */
  #ownRows(): Map<number, OwnWrite> {
    const own = new Map<number, OwnWrite>();
    let { nextRow } = this.#documents;
    for (const document of this.#overlay.documents()) {
      const { stored, current, table } = document;
      const before = stored?.doc ?? null;
      const after = current?.doc ?? null;
      const id = (after ?? before)?.id;
      if (id === undefined) continue;
      const row = stored?.row ?? nextRow++;
      if (table.number === this.#search.table.number) own.set(row, { id, before, after });
    }
    return own;
  }

  /** As it is now; null: it was removed since the search. */
  #doc(row: number): Doc | null {
    const own = this.#own.get(row);
    const stored = own === undefined ? this.#documents.at(row) : own.before;
    const id = own?.id ?? stored?.id;
    const touched = id === undefined ? null : this.#overlay.document(id);
    return touched === null ? stored : (touched.current?.doc ?? null);
  }
}

interface OwnWrite {
  id: string;
  before: Doc | null;
  after: Doc | null;
}

/** Best first, then newest first, as rows are numbered when they are created. */
function keyOf({ rank, row }: TextMatch): Uint8Array {
  return encodeKey([rank, -row]);
}

function isWithin(key: Uint8Array, { from, to }: KeyInterval): boolean {
  return compareKeys(from, key) <= 0 && (to === null || compareKeys(key, to) < 0);
}

function tooManyScanned(): FunctionError {
  return new FunctionError(
    'SearchQueryScannedTooManyDocumentsError',
    `Search query scanned too many documents (fetched ${mostCandidates}). Consider using a smaller limit, paginating the query, or using a filter field to limit the number of documents pulled from the search index.`,
  );
}
