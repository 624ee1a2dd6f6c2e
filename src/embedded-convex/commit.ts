import { storeTable } from './catalog-table.ts';
import type { TableInfo } from './catalog.ts';
import type { Database } from './database.ts';
import type { DocumentTable } from './document-table.ts';
import type { Commit } from './executor.ts';
import type { TouchedDocument } from './overlay.ts';
import { tableNamesIndex } from './transaction.ts';
import type { WrittenTransaction } from './transaction.ts';
import { compareKeys, encodeKey } from './values/keys.ts';

/**
 * Writes what a transaction holds, inside an open SQLite transaction, and tells which index
 * keys it touched: the old and the new ones of every document.
 */
export function writeCommit(
  database: Database,
  documents: DocumentTable,
  transaction: WrittenTransaction,
): Commit {
  const { writes: buffer, ts } = transaction;
  const writes: Commit['writes'] = [];
  for (const table of buffer.createdTables) {
    createTable(database, table);
    writes.push({ index: tableNamesIndex, key: encodeKey([table.name]) });
  }
  const searches = new Set<string>();
  for (const document of buffer.overlay.documents()) {
    const row = writeDocument(documents, document);
    addKeys(writes, document);
    if (row !== null) writeSearches(documents, row, document, searches);
  }
  // Any change may change what any search finds, and in which order.
  for (const index of searches) writes.push({ index, key: new Uint8Array(0) });
  const count = database.prepare('UPDATE tables SET documents = documents + ? WHERE number = ?');
  for (const [table, change] of buffer.counts) {
    if (change !== 0) count.run(change, table.number);
  }
  return { ts, writes };
}

/** The draft's indexes get their numbers from the file. */
function createTable(database: Database, table: TableInfo): void {
  const stored = storeTable(database, table);
  for (const [position, index] of table.indexes.entries()) {
    index.number = stored.indexes[position]?.number ?? index.number;
  }
}

/** Returns the document's row; null: it came and went in this transaction. */
function writeDocument(documents: DocumentTable, document: TouchedDocument): number | null {
  const { table, stored, current } = document;
  if (stored === null) {
    if (current === null) return null;
    const row = documents.insert(current.doc);
    for (const [position, index] of table.indexes.entries()) {
      const key = current.keys[position];
      if (key !== undefined) documents.insertEntry(index, key, row);
    }
    return row;
  }
  if (current === null) documents.remove(stored.row);
  else documents.update(stored.row, current.doc);
  for (const [position, index] of table.indexes.entries()) {
    const before = stored.keys[position];
    const after = current?.keys[position];
    if (before !== undefined && after !== undefined && compareKeys(before, after) === 0) continue;
    if (before !== undefined) documents.removeEntry(index, before);
    if (after !== undefined) documents.insertEntry(index, after, stored.row);
  }
  return stored.row;
}

/** Adds the text indexes in which the document's change makes a difference. */
function writeSearches(
  documents: DocumentTable,
  row: number,
  { table, stored, current }: TouchedDocument,
  changed: Set<string>,
): void {
  if (table.textIndexes.length === 0 && table.vectorIndexes.length === 0) return;
  const names = documents.search.write(table, row, stored?.doc ?? null, current?.doc ?? null);
  for (const name of names) changed.add(name);
}

function addKeys(writes: Commit['writes'], { table, stored, current }: TouchedDocument): void {
  for (const [position, { qualifiedName }] of table.indexes.entries()) {
    const before = stored?.keys[position];
    const after = current?.keys[position];
    if (before !== undefined) writes.push({ index: qualifiedName, key: before });
    if (after === undefined) continue;
    if (before === undefined || compareKeys(before, after) !== 0) {
      writes.push({ index: qualifiedName, key: after });
    }
  }
}
