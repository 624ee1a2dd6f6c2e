import { byCreationTime, byId, Catalog, emptyTable, indexInfo } from './catalog.ts';
import type { IndexInfo, TableInfo } from './catalog.ts';
import { RowQuery } from './database.ts';
import type { Database } from './database.ts';
import type { TextIndexDefinition, VectorIndexDefinition } from './search/search-definitions.ts';
import { textIndexInfo, vectorIndexInfo } from './search/search-indexes.ts';
import type { TextIndexInfo, VectorIndexInfo } from './search/search-indexes.ts';

/** Reads tables and indexes; without validators and staged indexes, those are the schema's. */
export function loadCatalog(database: Database): Catalog {
  const catalog = new Catalog();
  const tables = new RowQuery<[number, string, number]>(
    database,
    'SELECT number, name, documents FROM tables',
  );
  for (const [number, name, documents] of tables.all()) {
    catalog.add(loadTable(database, number, name, documents));
  }
  return catalog;
}

/** A new, empty table with the indexes that every table has. */
export function storeTable(database: Database, table: { number: number; name: string }): TableInfo {
  database.prepare('INSERT INTO tables VALUES (?, ?, 0)').run(table.number, table.name);
  const indexes = [
    storeIndex(database, table, byId, []),
    storeIndex(database, table, byCreationTime, []),
  ];
  return emptyTable(table.number, table.name, indexes);
}

export function storeIndex(
  database: Database,
  table: { number: number; name: string },
  name: string,
  fields: string[],
): IndexInfo {
  return indexInfo(insertIndex(database, table, name, fields), table.name, name, fields);
}

/** Its entries are kept elsewhere: see `SearchTables`. */
export function storeTextIndex(
  database: Database,
  table: { number: number; name: string },
  definition: TextIndexDefinition,
): TextIndexInfo {
  const number = insertIndex(database, table, definition.name, definition);
  return textIndexInfo(number, table.name, definition);
}

/** As above. */
export function storeVectorIndex(
  database: Database,
  table: { number: number; name: string },
  definition: VectorIndexDefinition,
): VectorIndexInfo {
  const number = insertIndex(database, table, definition.name, definition);
  return vectorIndexInfo(number, table.name, definition);
}

/** What an index is over, as the table `indexes` holds it: fields mean an index of keys. */
type StoredDefinition = string[] | TextIndexDefinition | VectorIndexDefinition;

function insertIndex(
  database: Database,
  table: { number: number },
  name: string,
  definition: StoredDefinition,
): number {
  const { lastInsertRowid } = database
    .prepare('INSERT INTO indexes (table_number, name, fields) VALUES (?, ?, ?)')
    .run(table.number, name, JSON.stringify(definition));
  return Number(lastInsertRowid);
}

function loadTable(
  database: Database,
  tableNumber: number,
  tableName: string,
  documents: number,
): TableInfo {
  const table = emptyTable(tableNumber, tableName, []);
  const textIndexes: TextIndexInfo[] = [];
  const vectorIndexes: VectorIndexInfo[] = [];
  // Numbers grow, so the two implied ones, made with the table, come first.
  const stored = new RowQuery<[number, string, string]>(
    database,
    'SELECT number, name, fields FROM indexes WHERE table_number = ? ORDER BY number',
  );
  for (const [number, name, text] of stored.all(tableNumber)) {
    // `insertIndex` wrote it.
    const definition = JSON.parse(text) as StoredDefinition;
    if (Array.isArray(definition)) {
      table.indexes.push(indexInfo(number, tableName, name, definition));
    } else if ('searchField' in definition) {
      textIndexes.push(textIndexInfo(number, tableName, definition));
    } else {
      vectorIndexes.push(vectorIndexInfo(number, tableName, definition));
    }
  }
  return { ...table, documents, textIndexes, vectorIndexes };
}
