import { byCreationTime, firstTableNumber, indexInfo, indexKey } from './catalog.ts';
import type { Catalog, IndexInfo, TableInfo } from './catalog.ts';
import type { Database } from './database.ts';
import { toStored } from './document-table.ts';
import type { DocumentTable, StoredDocument } from './document-table.ts';
import { everything } from './index-range.ts';
import { loadCatalog, storeIndex, storeTable } from './catalog-table.ts';
import { SchemaError } from './schema-error.ts';
import { changeSearchIndexes } from './search/change-search-indexes.ts';
import type { SearchIndexes } from './search/search-indexes.ts';
import type { Schema, SchemaTable } from './schema.ts';
import { validationProblem } from './validate.ts';
import { isSystemTable } from './system-tables.ts';
import { isSubset } from './validator.ts';
import type { Validator } from './validator.ts';
import { withoutSystemFields } from './document-rules.ts';
import { afterKey } from './values/keys.ts';

/**
 * Brings the database in line with a schema: creates its tables, removes the indexes that are
 * gone, builds the new ones, and checks the rows of tables whose validator became narrower.
 * All in one SQLite transaction of the caller; the new catalog is returned, the old one is
 * left alone. Throws a `SchemaError` for the first row that does not fit.
 */
export function applySchema(
  database: Database,
  documents: DocumentTable,
  current: Catalog,
  schema: Schema,
): Catalog {
  const wanted = new Map(schema.tables.map((table) => [table.name, table]));
  let nextNumber = Math.max(firstTableNumber - 1, ...[...current].map((table) => table.number)) + 1;
  for (const name of wanted.keys()) {
    if (current.named(name) === null) storeTable(database, { number: nextNumber++, name });
  }
  const next = loadCatalog(database);
  for (const table of next) {
    if (isSystemTable(table)) continue;
    const target = wanted.get(table.name) ?? null;
    table.validator = target?.validator ?? null;
    table.stagedIndexes = target?.stagedIndexes ?? [];
    const added = {
      indexes: changeIndexes(database, table, target),
      ...changeSearchIndexes(database, documents.search, table, target),
    };
    const before = current.named(table.name)?.validator ?? { type: 'any' };
    const check = mustCheck(before, table.validator) ? table.validator : null;
    if (hasAny(added) || check !== null) scanTable(documents, next, table, added, check);
  }
  return next;
}

/** Those of a table that are still empty. */
interface AddedIndexes extends SearchIndexes {
  indexes: IndexInfo[];
}

function hasAny({ indexes, textIndexes, vectorIndexes }: AddedIndexes): boolean {
  return indexes.length + textIndexes.length + vectorIndexes.length > 0;
}

function mustCheck(before: Validator, after: Validator | null): boolean {
  return after !== null && !isSubset(before, after);
}

/** Returns the indexes that are still empty. */
function changeIndexes(
  database: Database,
  table: TableInfo,
  target: SchemaTable | null,
): IndexInfo[] {
  const added: IndexInfo[] = [];
  const kept = table.indexes.slice(0, impliedIndexes);
  const existing = new Map(
    table.indexes.slice(impliedIndexes).map((index) => [identity(index), index]),
  );
  const planned = target?.indexes ?? [];
  const identities = planned.map(({ name, fields }) =>
    identity(indexInfo(0, table.name, name, fields)),
  );
  for (const [known, index] of existing) {
    if (!identities.includes(known)) dropIndex(database, index);
  }
  for (const [at, { name, fields }] of planned.entries()) {
    const known = existing.get(identities[at] ?? '');
    if (known !== undefined) {
      kept.push(known);
      continue;
    }
    const index = storeIndex(database, table, name, fields);
    kept.push(index);
    added.push(index);
  }
  table.indexes = kept;
  return added;
}

/** `by_id` and `by_creation_time`. */
const impliedIndexes = 2;

function identity(index: IndexInfo): string {
  return JSON.stringify([index.qualifiedName, index.fields.map((field) => field.name)]);
}

function dropIndex(database: Database, index: IndexInfo): void {
  database.prepare('DELETE FROM index_entries WHERE index_number = ?').run(index.number);
  database.prepare('DELETE FROM indexes WHERE number = ?').run(index.number);
}

function scanTable(
  documents: DocumentTable,
  catalog: Catalog,
  table: TableInfo,
  added: AddedIndexes,
  validator: Validator | null,
): void {
  for (const { row, doc } of allDocuments(documents, table)) {
    const problem =
      validator === null
        ? null
        : validationProblem(
            validator,
            withoutSystemFields(doc.value),
            (number) => catalog.numbered(number)?.name ?? null,
          );
    if (problem !== null) {
      throw new SchemaError(
        'SchemaValidationFailed',
        `Document with ID "${doc.id}" in table "${table.name}" does not match the schema: ${problem}`,
      );
    }
    for (const index of added.indexes) {
      documents.insertEntry(index, indexKey(index, doc.value), row);
    }
    documents.search.write(added, row, null, doc);
  }
}

/** In the order of their creation. */
function* allDocuments(documents: DocumentTable, table: TableInfo): Generator<StoredDocument> {
  const [, index] = table.indexes;
  if (index === undefined) throw new Error(`${table.name} has no index ${byCreationTime}`);
  let interval = everything;
  for (;;) {
    const page = documents.page(index, interval, 'asc', scanPage);
    for (const row of page) yield toStored(row);
    const last = page.at(-1);
    if (last === undefined) return;
    interval = { ...interval, from: afterKey(last.key) };
  }
}

/** Rows: with documents of the largest size still only 64 MiB. */
const scanPage = 64;
