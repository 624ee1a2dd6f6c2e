import type { Catalog } from '../catalog.ts';
import { indexUnusable } from '../index-errors.ts';
import type { SearchTables } from './search-tables.ts';
import type { VectorMatch } from './vector-index-table.ts';
import { compileVectorQuery } from './vector-query.ts';
import type { VectorSearchJson } from './vector-query.ts';

/** Throws a `FunctionError` with Convex's text for what the schema does not serve. */
export function searchVectors(
  catalog: Catalog,
  tables: SearchTables,
  search: VectorSearchJson,
): VectorMatch[] {
  const [tableName = '', name = ''] = search.indexName.split('.');
  const table = catalog.named(tableName);
  // As upstream: nothing is in a table that nothing was ever put into.
  if (table === null) return [];
  const index = table.vectorIndexes.find((known) => known.qualifiedName === search.indexName);
  if (index === undefined) throw indexUnusable(table, name, 'vector');
  const vectors = tables.vectors(index);
  return vectors.search(compileVectorQuery(vectors.index, search));
}
