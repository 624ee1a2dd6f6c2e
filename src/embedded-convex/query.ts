import type { JSONValue } from 'convex/values';
import { byCreationTime, byId } from './catalog.ts';
import type { IndexInfo, TableInfo } from './catalog.ts';
import type { Doc } from './doc.ts';
import { compileFilter } from './filter.ts';
import type { Filter } from './filter.ts';
import { FunctionError } from './function-error.ts';
import { indexNotFound, indexUnusable } from './index-errors.ts';
import { compileRange, everything } from './index-range.ts';
import type { KeyInterval } from './index-range.ts';
import type { ScannedDocument } from './index-scan.ts';
import { checkSearchFilters, compileTextQuery } from './search/text-query.ts';
import type { TextSearch } from './search/text-search-scan.ts';

/** What `1.0/queryStream` and `1.0/queryPage` carry in `query`. */
export interface QueryJson {
  source: QuerySource;
  operators: QueryOperator[];
}

export type QuerySource =
  | { type: 'FullTableScan'; tableName: string; order: Order | null }
  | { type: 'IndexRange'; indexName: string; range: RangeExpression[]; order: Order | null }
  | { type: 'Search'; indexName: string; filters: JSONValue[] };

export type Order = 'asc' | 'desc';

export interface RangeExpression {
  type: 'Eq' | 'Gt' | 'Gte' | 'Lt' | 'Lte';
  fieldPath: string;
  value: JSONValue;
}

export type QueryOperator = { filter: JSONValue } | { limit: number };

/** Where a query gets its documents from, in which order. */
export interface CompiledSource {
  /** null: no index is walked. */
  search: TextSearch | null;
  /** null: the table does not exist yet, so nothing is found; or there is a search. */
  index: IndexInfo | null;
  /** `table.index`, also when it does not exist yet. */
  indexName: string;
  interval: KeyInterval;
  order: Order;
  /** What the interval alone does not decide. */
  operators: CompiledOperator[];
}

export interface SourceContext {
  /** null: no such table. */
  table(name: string): TableInfo | null;
  /** Those that a query may walk; null: no such table. */
  indexesOf(tableName: string): readonly IndexInfo[] | null;
  /** What this transaction writes for `db.vars.commitTs`. */
  commitTs: bigint;
}

/** Throws a `FunctionError` for a source that does not fit the database. */
export function compileSource(source: QuerySource, context: SourceContext): CompiledSource {
  switch (source.type) {
    case 'FullTableScan': {
      const indexName = `${source.tableName}.${byCreationTime}`;
      const index = findIndex(context, source.tableName, byCreationTime);
      const order = source.order ?? 'asc';
      return { search: null, index, indexName, interval: everything, order, operators: [] };
    }
    case 'IndexRange':
      return compileIndexRange(source, context);
    case 'Search':
      return compileSearch(source, context);
    default:
      throw unknownSource(source);
  }
}

function unknownSource({ type }: { type: string }): FunctionError {
  return new FunctionError(
    'InvalidArgument',
    `Invalid argument \`query\` for \`queryStream\`: unknown source type ${JSON.stringify(type)}`,
  );
}

function compileSearch(
  { indexName, filters }: Extract<QuerySource, { type: 'Search' }>,
  context: SourceContext,
): CompiledSource {
  const checked = checkSearchFilters(indexName, filters);
  const [tableName = '', name = ''] = indexName.split('.');
  const table = context.table(tableName);
  const base = { index: null, indexName, interval: everything, order: 'asc' as const };
  if (table === null) return { ...base, operators: [], search: null };
  const index = table.textIndexes.find((known) => known.qualifiedName === indexName);
  if (index === undefined) throw indexUnusable(table, name, 'search');
  const query = compileTextQuery(index, checked);
  return { ...base, operators: [], search: { table, index, query } };
}

function compileIndexRange(
  { indexName, range, order }: Extract<QuerySource, { type: 'IndexRange' }>,
  context: SourceContext,
): CompiledSource {
  const [table = '', name = ''] = indexName.split('.');
  const index = findIndex(context, table, name);
  const base = { search: null, index, indexName, order: order ?? 'asc' };
  if (index === null) {
    const isImplied = name === byId || name === byCreationTime;
    if (!isImplied) throw indexNotFound(indexName);
    return { ...base, interval: everything, operators: [] };
  }
  const { interval, acceptsId } = compileRange(index, range, context.commitTs);
  if (acceptsId === null) return { ...base, interval, operators: [] };
  return {
    ...base,
    interval,
    operators: [{ type: 'filter', accepts: (doc) => acceptsId(doc.id) }],
  };
}

/** The documents of a scan that pass the operators, in order, one at a time. */
export class QueryStream {
  readonly #next: () => ScannedDocument | null;
  readonly #operators: CompiledOperator[];

  constructor(next: () => ScannedDocument | null, operators: CompiledOperator[]) {
    this.#next = next;
    this.#operators = operators;
  }

  next(): Doc | null {
    for (;;) {
      // A spent limit, wherever it stands, ends the query before anything more is read.
      if (this.#operators.some((operator) => operator.type === 'limit' && operator.left <= 0)) {
        return null;
      }
      const found = this.#next();
      if (found === null) return null;
      if (this.#passes(found.doc)) return found.doc;
    }
  }

  #passes(doc: Doc): boolean {
    for (const operator of this.#operators) {
      if (operator.type === 'limit') operator.left -= 1;
      else if (!operator.accepts(doc)) return false;
    }
    return true;
  }
}

export type CompiledOperator =
  | { type: 'filter'; accepts: Filter }
  /** `left` counts down while the stream runs. */
  | { type: 'limit'; left: number };

export function compileOperators(operators: readonly QueryOperator[]): CompiledOperator[] {
  if (operators.length > maximumOperators) {
    throw new FunctionError(
      'InvalidArgument',
      `Invalid argument \`query\` for \`queryStream\`: Query has too many operators: ${operators.length}`,
    );
  }
  return operators.map((operator) =>
    'filter' in operator
      ? { type: 'filter', accepts: compileFilter(operator.filter) }
      : { type: 'limit', left: operator.limit },
  );
}

/** How many rows the query will surely want, when a limit comes before any filter. */
export function expectedRows(operators: readonly CompiledOperator[]): number | null {
  let expected: number | null = null;
  for (const operator of operators) {
    if (operator.type === 'filter') break;
    expected = Math.min(expected ?? operator.left, operator.left);
  }
  return expected === null ? null : Math.max(1, expected);
}

/** The client library has the same bound. */
const maximumOperators = 256;

function findIndex(context: SourceContext, table: string, name: string): IndexInfo | null {
  const indexes = context.indexesOf(table);
  if (indexes === null) return null;
  const found = indexes.find((index) => index.qualifiedName === `${table}.${name}`);
  if (found !== undefined) return found;
  const info = context.table(table);
  throw info === null ? indexNotFound(`${table}.${name}`) : indexUnusable(info, name, 'database');
}
