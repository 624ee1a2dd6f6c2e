import type { TableInfo } from './catalog.ts';
import { FunctionError } from './function-error.ts';
import { publicIndexes } from './system-tables.ts';

/** Of Convex: what a query wants the index to be. */
type IndexKind = 'database' | 'search' | 'vector';

/** Why the table has no such index of this kind, in Convex's words. */
export function indexUnusable(table: TableInfo, name: string, wanted: IndexKind): FunctionError {
  const indexName = `${table.name}.${name}`;
  if (table.stagedIndexes.includes(name)) {
    return new FunctionError(
      'IndexStagedError',
      `Index ${indexName} is currently staged and not available to query until it is enabled.`,
    );
  }
  const all = [...publicIndexes(table), ...table.textIndexes, ...table.vectorIndexes];
  if (!all.some((index) => index.qualifiedName === indexName)) return indexNotFound(indexName);
  const { code, words } = kinds[wanted];
  return new FunctionError(code, `Index ${indexName} is not a ${words}`);
}

export function indexNotFound(indexName: string): FunctionError {
  return new FunctionError('IndexNotFoundError', `Index ${indexName} not found.`);
}

const kinds = {
  database: { code: 'IndexNotADatabaseIndex', words: 'database index' },
  search: { code: 'IndexNotASearchIndexError', words: 'search index' },
  vector: { code: 'IndexNotAVectorIndexError', words: 'vector index' },
} as const;
