import type { Value } from 'convex/values';
import { indexField, valueAt } from '../index-field.ts';
import type { IndexField } from '../index-field.ts';
import type { DocValue } from '../doc.ts';
import type { TextIndexDefinition, VectorIndexDefinition } from './search-definitions.ts';

/** The indexes of one table that are no key order: over its texts and over its vectors. */
export interface SearchIndexes {
  textIndexes: readonly TextIndexInfo[];
  vectorIndexes: readonly VectorIndexInfo[];
}

export interface TextIndexInfo {
  kind: 'text';
  number: number;
  /** `table.index`, as read sets and commits name it. */
  qualifiedName: string;
  definition: TextIndexDefinition;
  searchField: IndexField;
  /** A field's place here is part of what is stored for it. */
  filterFields: readonly IndexField[];
}

export interface VectorIndexInfo {
  kind: 'vector';
  number: number;
  qualifiedName: string;
  definition: VectorIndexDefinition;
  vectorField: IndexField;
  /** null: any number of them. */
  dimensions: number | null;
  filterFields: readonly IndexField[];
}

export function textIndexInfo(
  number: number,
  tableName: string,
  definition: TextIndexDefinition,
): TextIndexInfo {
  return {
    kind: 'text',
    number,
    qualifiedName: `${tableName}.${definition.name}`,
    definition,
    searchField: indexField(definition.searchField),
    filterFields: definition.filterFields.map(indexField),
  };
}

export function vectorIndexInfo(
  number: number,
  tableName: string,
  definition: VectorIndexDefinition,
): VectorIndexInfo {
  return {
    kind: 'vector',
    number,
    qualifiedName: `${tableName}.${definition.name}`,
    definition,
    vectorField: indexField(definition.vectorField),
    dimensions: definition.dimensions,
    filterFields: definition.filterFields.map(indexField),
  };
}

/** null: the document has no text there, and no search finds it. */
export function searchedText(index: TextIndexInfo, document: DocValue): string | null {
  const value = valueAt(document, index.searchField.path);
  return typeof value === 'string' ? value : null;
}

/** null: not a vector of this many finite numbers, and no search finds the document. */
export function searchedVector(index: VectorIndexInfo, document: DocValue): Float32Array | null {
  const value = valueAt(document, index.vectorField.path);
  if (!Array.isArray(value) || value.length !== (index.dimensions ?? value.length)) return null;
  return value.every(isFiniteNumber) ? Float32Array.from(value) : null;
}

function isFiniteNumber(value: Value): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
