import { storeTextIndex, storeVectorIndex } from '../catalog-table.ts';
import type { TableInfo } from '../catalog.ts';
import type { Database } from '../database.ts';
import type { SchemaTable } from '../schema.ts';
import type { SearchIndexes, TextIndexInfo, VectorIndexInfo } from './search-indexes.ts';
import type { SearchTables } from './search-tables.ts';

/**
 * Gives a table the text and vector indexes of the schema: removes those that are gone or are
 * defined differently, and returns the new ones, which are still empty.
 */
export function changeSearchIndexes(
  database: Database,
  tables: SearchTables,
  table: TableInfo,
  target: SchemaTable | null,
): SearchIndexes {
  const texts = split(table.textIndexes, target?.textIndexes ?? []);
  const vectors = split(table.vectorIndexes, target?.vectorIndexes ?? []);
  for (const index of [...texts.gone, ...vectors.gone]) dropIndex(database, tables, index);
  const textIndexes = texts.missing.map((missing) => storeTextIndex(database, table, missing));
  const vectorIndexes = vectors.missing.map((missing) =>
    storeVectorIndex(database, table, missing),
  );
  for (const index of [...textIndexes, ...vectorIndexes]) tables.create(index);
  table.textIndexes = [...texts.kept, ...textIndexes];
  table.vectorIndexes = [...vectors.kept, ...vectorIndexes];
  return { textIndexes, vectorIndexes };
}

function split<Definition, Index extends { definition: Definition }>(
  existing: readonly Index[],
  wanted: readonly Definition[],
): { kept: Index[]; gone: Index[]; missing: Definition[] } {
  const texts = new Set(wanted.map((definition) => JSON.stringify(definition)));
  const kept = existing.filter(({ definition }) => texts.has(JSON.stringify(definition)));
  const known = new Set(kept.map(({ definition }) => JSON.stringify(definition)));
  return {
    kept,
    gone: existing.filter((index) => !kept.includes(index)),
    missing: wanted.filter((definition) => !known.has(JSON.stringify(definition))),
  };
}

function dropIndex(
  database: Database,
  tables: SearchTables,
  index: TextIndexInfo | VectorIndexInfo,
): void {
  tables.drop(index);
  database.prepare('DELETE FROM indexes WHERE number = ?').run(index.number);
}
