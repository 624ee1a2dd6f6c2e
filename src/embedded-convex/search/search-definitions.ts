import { SchemaError } from '../schema-error.ts';
import { tokenizerVersion } from './tokens.ts';

/** As `.searchIndex()` and `.vectorIndex()` export them. */
export interface TextIndexJson {
  indexDescriptor: string;
  searchField: string;
  filterFields: string[];
}

export interface VectorIndexJson {
  indexDescriptor: string;
  vectorField: string;
  dimensions: number;
  filterFields: string[];
}

/** What an index is made of: while it stays the same, the index stays. */
export interface TextIndexDefinition {
  name: string;
  searchField: string;
  /** Sorted, each once. */
  filterFields: string[];
  /** How texts were cut into terms: the index is built anew when that changes. */
  tokenizer: typeof tokenizerVersion;
}

export interface VectorIndexDefinition {
  name: string;
  vectorField: string;
  dimensions: number;
  filterFields: string[];
}

/** Throws a `SchemaError` with Convex's text. */
export function textIndexDefinition(json: TextIndexJson): TextIndexDefinition {
  const { indexDescriptor: name, searchField } = json;
  checkField(name, searchField);
  const filterFields = checkedFilterFields(name, json.filterFields);
  return { name, searchField, filterFields, tokenizer: tokenizerVersion };
}

/** Throws a `SchemaError` with Convex's text. */
export function vectorIndexDefinition(json: VectorIndexJson): VectorIndexDefinition {
  const { indexDescriptor: name, vectorField, dimensions } = json;
  checkField(name, vectorField);
  if (
    !Number.isInteger(dimensions) ||
    dimensions < minimumDimensions ||
    dimensions > maximumDimensions
  ) {
    throw new SchemaError(
      'InvalidVectorDimensionError',
      `Dimensions ${dimensions} must be between ${minimumDimensions} and ${maximumDimensions}.`,
    );
  }
  const filterFields = checkedFilterFields(name, json.filterFields);
  return { name, vectorField, dimensions, filterFields };
}

/** Throws when two indexes of a table, staged ones too, are the same but for their name. */
export function checkDistinctSearches(
  table: string,
  texts: readonly TextIndexDefinition[],
  vectors: readonly VectorIndexDefinition[],
): void {
  const text = firstRepeated(texts, ({ searchField, filterFields }) => [searchField, filterFields]);
  if (text !== null) throw notUnique('search', table, text);
  const vector = firstRepeated(vectors, ({ vectorField, dimensions }) => [vectorField, dimensions]);
  if (vector !== null) throw notUnique('vector', table, vector);
}

/** Convex's limits. */
const maximumFilterFields = 16;
const minimumDimensions = 2;
const maximumDimensions = 4096;

function checkedFilterFields(name: string, fields: readonly string[]): string[] {
  for (const field of fields) checkField(name, field);
  const distinct = [...new Set(fields)].sort();
  if (distinct.length > maximumFilterFields) {
    throw new SchemaError(
      'IndexTooManyFilterFields',
      `Search indexes may have up to ${maximumFilterFields} filter fields.`,
    );
  }
  return distinct;
}

function checkField(index: string, field: string): void {
  if (field.split('.').every((part) => fieldName.test(part))) return;
  throw new SchemaError(
    'InvalidIndexField',
    `In index "${index}": Invalid index field: "${field}"`,
  );
}

/** `_id` and `_creationTime` may be filtered by. */
const fieldName = /^(?=.*[A-Za-z0-9])[A-Za-z_][A-Za-z0-9_]{0,63}$/;

function firstRepeated<Definition extends { name: string }>(
  definitions: readonly Definition[],
  partsOf: (definition: Definition) => unknown,
): [string, string] | null {
  const seen = new Map<string, string>();
  for (const definition of definitions) {
    const parts = JSON.stringify(partsOf(definition));
    const other = seen.get(parts);
    if (other !== undefined) return [other, definition.name];
    seen.set(parts, definition.name);
  }
  return null;
}

function notUnique(
  kind: 'search' | 'vector',
  table: string,
  [one, other]: [string, string],
): SchemaError {
  const title = kind === 'search' ? 'Search' : 'Vector';
  return new SchemaError(
    `${title}IndexFieldNotUnique`,
    `In table "${table}" ${kind} index "${one}" and ${kind} index "${other}" have the same \`${kind}Field\`. ${title} index fields must be unique within a table. You should combine the indexes with the same \`${kind}Field\` into one index containing all \`filterField\`s and then use different subsets of the \`filterField\`s at query time.`,
  );
}
