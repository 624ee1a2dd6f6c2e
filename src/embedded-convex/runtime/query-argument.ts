import type { JSONValue } from 'convex/values';
import { FunctionError } from '../function-error.ts';
import type { QueryJson } from '../query.ts';

/**
 * `query` of `1.0/queryStream` and `1.0/queryPage`. `convex/server` builds it, but checks neither
 * the types of what it is given nor the order, which may come from a client. Values, fields and
 * the kinds of filters are checked where they are compiled. Throws a `FunctionError`.
 */
export function queryArgument(json: JSONValue): QueryJson {
  if (!isObject(json)) throw invalid('it is not an object');
  const { source, operators } = json;
  if (!isObject(source)) throw invalid('`source` is not an object');
  if (!Array.isArray(operators)) throw invalid('`operators` is not an array');
  checkSource(source);
  for (const operator of operators) checkOperator(operator);
  // Nothing is left that the type does not describe, but for an unknown type of source.
  return json as unknown as QueryJson;
}

type JsonObject = { [name: string]: JSONValue };

function checkSource({ type, tableName, indexName, range, filters, order }: JsonObject): void {
  if (type === 'FullTableScan') checkString('tableName', tableName);
  else checkString('indexName', indexName);
  if (type === 'Search') {
    if (!Array.isArray(filters)) throw invalid('`filters` is not an array');
    return;
  }
  if (order !== undefined && order !== null && order !== 'asc' && order !== 'desc') {
    throw invalid(`unknown order ${JSON.stringify(order)}, expected "asc" or "desc"`);
  }
  if (type !== 'IndexRange') return;
  if (!Array.isArray(range)) throw invalid('`range` is not an array');
  for (const expression of range) {
    if (!isObject(expression)) throw invalid('an expression of `range` is not an object');
    checkString('fieldPath', expression['fieldPath']);
    if (!bounds.has(expression['type'] ?? null)) {
      throw invalid(`unknown type of expression ${JSON.stringify(expression['type'])}`);
    }
    if (expression['value'] === undefined) throw invalid('`value` is missing');
  }
}

const bounds: ReadonlySet<JSONValue> = new Set(['Eq', 'Gt', 'Gte', 'Lt', 'Lte']);

function checkOperator(operator: JSONValue): void {
  if (isObject(operator) && operator['filter'] !== undefined) return;
  const limit = isObject(operator) ? operator['limit'] : undefined;
  if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 0) {
    throw invalid(`unknown operator ${JSON.stringify(operator)}`);
  }
}

function checkString(name: string, value: JSONValue | undefined): void {
  if (typeof value !== 'string') throw invalid(`\`${name}\` is not a string`);
}

function isObject(json: JSONValue | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function invalid(problem: string): FunctionError {
  return new FunctionError(
    'InvalidArgument',
    `Invalid argument \`query\` for \`queryStream\`: ${problem}`,
  );
}
