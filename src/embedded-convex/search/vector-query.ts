import type { JSONValue } from 'convex/values';
import { FunctionError } from '../function-error.ts';
import { rangeValue } from '../index-range.ts';
import { filterToken } from './filter-token.ts';
import type { VectorIndexInfo } from './search-indexes.ts';

/** What `ctx.vectorSearch()` serialises to. */
export interface VectorSearchJson {
  /** `table.index`. */
  indexName: string;
  limit: number | null;
  vector: number[];
  /** `q.eq()` and `q.or()`; null: no filter. */
  expressions: JSONValue;
}

export interface VectorQuery {
  vector: number[];
  limit: number;
  /** A document passes that has one of these values; null: every one does. */
  filters: ReadonlySet<string> | null;
}

/** Throws a `FunctionError` with Convex's text for what the index does not serve. */
export function compileVectorQuery(index: VectorIndexInfo, search: VectorSearchJson): VectorQuery {
  const { vector, limit } = search;
  if (limit !== null && limit > mostResults) {
    throw new FunctionError(
      'VectorLimitTooLargeError',
      `Vector queries can fetch at most ${mostResults} results, requested ${limit}.`,
    );
  }
  const filters = search.expressions === null ? null : compileFilter(index, search.expressions);
  if (index.dimensions !== null && vector.length !== index.dimensions) {
    throw new FunctionError(
      'VectorDimensionsMismatch',
      `Expected a vector with dimensions ${index.dimensions}, received ${vector.length}.`,
    );
  }
  return { vector, limit: limit ?? usualResults, filters };
}

/** Checks the arguments that `1.0/actions/vectorSearch` carries. */
export function vectorSearch(json: JSONValue): VectorSearchJson {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw invalid('it is not an object');
  }
  const { indexName, limit = null, vector, expressions = null } = json;
  if (typeof indexName !== 'string') throw invalid('`indexName` is not a string');
  if (limit !== null && !isCount(limit)) throw invalid('`limit` is not a whole number above 0');
  if (!Array.isArray(vector) || !vector.every(isNumber)) {
    throw invalid('`vector` is not an array of numbers');
  }
  return { indexName, limit, vector, expressions };
}

/** Convex's limits and default. */
const mostResults = 256;
const usualResults = 10;
const mostConditions = 64;

function compileFilter(index: VectorIndexInfo, json: JSONValue): ReadonlySet<string> | null {
  const wanted = new Set(conditions(json).map((condition) => conditionToken(index, condition)));
  if (wanted.size > mostConditions) {
    throw new FunctionError(
      'TooManyElementsInVectorQueryError',
      `Vector query against ${index.qualifiedName} has too many conditions. Max: ${mostConditions} Actual: ${wanted.size}`,
    );
  }
  // As upstream, which has nothing to test then.
  return wanted.size === 0 ? null : wanted;
}

interface Condition {
  field: string;
  value: JSONValue;
}

function conditions(json: JSONValue): Condition[] {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) {
    if (Array.isArray(json['$or'])) return json['$or'].flatMap(conditions);
    if (Array.isArray(json['$eq'])) return [condition(json['$eq'])];
  }
  throw new FunctionError(
    'InvalidVectorSearchFilter',
    'Filters should be a combination of `q.eq` and `q.or`.',
  );
}

function condition([left = null, right = null]: JSONValue[]): Condition {
  const field = entry(left, '$field');
  const value = entry(right, '$literal');
  if (typeof field === 'string' && value !== undefined) return { field, value };
  throw new FunctionError(
    'InvalidVectorSearchFilter',
    '`q.eq` must take a field path as its first argument and a value as its second',
  );
}

function entry(json: JSONValue, name: string): JSONValue | undefined {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
  return json[name];
}

function conditionToken(index: VectorIndexInfo, { field, value }: Condition): string {
  const position = index.filterFields.findIndex(({ name }) => name === field);
  if (position >= 0) return filterToken(position, rangeValue(value));
  throw new FunctionError(
    'IncorrectVectorFilterField',
    `Vector query against ${index.qualifiedName} contains a filter on "${field}" but that field isn't indexed for filtering in \`filterFields\`.`,
  );
}

function isCount(json: JSONValue): json is number {
  return typeof json === 'number' && Number.isInteger(json) && json > 0;
}

/** JSON has no others, but a number may be too large for the 32 bits that a vector has. */
function isNumber(json: JSONValue): json is number {
  return typeof json === 'number' && Number.isFinite(Math.fround(json));
}

function invalid(problem: string): FunctionError {
  return new FunctionError(
    'InvalidArgument',
    `Invalid argument \`query\` for \`vectorSearch\`: ${problem}`,
  );
}
