import type { ValidatorJSON } from 'convex/values';
import { byCreationTime, byId } from './catalog.ts';
import { SchemaError } from './schema-error.ts';
import {
  checkDistinctSearches,
  textIndexDefinition,
  vectorIndexDefinition,
} from './search/search-definitions.ts';
import type {
  TextIndexDefinition,
  TextIndexJson,
  VectorIndexDefinition,
  VectorIndexJson,
} from './search/search-definitions.ts';
import { displayValidator, parseValidator } from './validator.ts';
import type { ObjectValidator, Validator } from './validator.ts';

/** `JSON.parse(schema.export())`. */
export interface SchemaJson {
  tables: TableJson[];
  schemaValidation: boolean;
}

export interface TableJson {
  tableName: string;
  indexes: IndexJson[];
  stagedDbIndexes?: IndexJson[];
  searchIndexes?: TextIndexJson[];
  stagedSearchIndexes?: TextIndexJson[];
  vectorIndexes?: VectorIndexJson[];
  stagedVectorIndexes?: VectorIndexJson[];
  documentType?: ValidatorJSON | null;
}

export interface IndexJson {
  indexDescriptor: string;
  fields: string[];
}

export interface Schema {
  tables: SchemaTable[];
}

export interface SchemaTable {
  name: string;
  indexes: { name: string; fields: string[] }[];
  textIndexes: TextIndexDefinition[];
  vectorIndexes: VectorIndexDefinition[];
  /** Names of those that cannot be queried yet, so need not exist. */
  stagedIndexes: string[];
  /** null: documents are not checked. */
  validator: Validator | null;
}

/** Checks names, index definitions and validators. Throws a `SchemaError` with Convex's text. */
export function parseSchema(json: SchemaJson): Schema {
  return { tables: json.tables.map((table) => parseTable(table, json.schemaValidation)) };
}

/** Convex's limits. */
const maximumIndexesPerTable = 64;
const maximumIndexFields = 16;

function parseTable(json: TableJson, isValidated: boolean): SchemaTable {
  checkTableName(json.tableName);
  const { searchIndexes = [], vectorIndexes = [] } = json;
  const staged = json.stagedDbIndexes ?? [];
  const stagedTexts = json.stagedSearchIndexes ?? [];
  const stagedVectors = json.stagedVectorIndexes ?? [];
  const stagedIndexes = [...staged, ...stagedTexts, ...stagedVectors].map(nameOf);
  const names = [...json.indexes, ...searchIndexes, ...vectorIndexes].map(nameOf);
  checkIndexNames(json.tableName, [...names, ...stagedIndexes]);
  for (const index of [...json.indexes, ...staged]) checkFields(json.tableName, index);
  checkDistinct(json.tableName, [...json.indexes, ...staged]);
  const texts = [...searchIndexes, ...stagedTexts].map(textIndexDefinition);
  const vectors = [...vectorIndexes, ...stagedVectors].map(vectorIndexDefinition);
  checkDistinctSearches(json.tableName, texts, vectors);
  const validator = documentValidator(json.tableName, json.documentType ?? { type: 'any' });
  if (isValidated) checkReferences(json, validator);
  return {
    name: json.tableName,
    indexes: json.indexes.map((index) => ({ name: index.indexDescriptor, fields: index.fields })),
    textIndexes: texts.slice(0, searchIndexes.length),
    vectorIndexes: vectors.slice(0, vectorIndexes.length),
    stagedIndexes,
    validator: isValidated && validator.type !== 'any' ? validator : null,
  };
}

function nameOf(index: { indexDescriptor: string }): string {
  return index.indexDescriptor;
}

function checkTableName(name: string): void {
  if (name.startsWith('_')) {
    throw new SchemaError('TableNameReserved', `${name} is a reserved table name.`);
  }
  if (!identifier.test(name)) {
    throw new SchemaError(
      'InvalidTableName',
      `Invalid table name: "${name}". Identifiers must start with a letter and can only contain letters, digits, and underscores.`,
    );
  }
}

function checkIndexNames(table: string, names: string[]): void {
  if (names.length > maximumIndexesPerTable) {
    throw new SchemaError(
      'TooManyIndexes',
      `Table "${table}" cannot have more than ${maximumIndexesPerTable} indexes.`,
    );
  }
  const seen = new Set<string>();
  for (const name of names) {
    if (name === byId || name === byCreationTime || name.startsWith('_')) {
      throw new SchemaError(
        'IndexNameReserved',
        `In table "${table}" cannot name an index "${name}" because the name is reserved. Indexes may not start with an underscore or be named "by_id" or "by_creation_time".`,
      );
    }
    if (!identifier.test(name)) {
      throw new SchemaError(
        'InvalidIndexName',
        `In table "${table}": Invalid index name: "${name}". Identifiers must be 64 characters or less, start with a letter, and only contain letters, digits, underscores.`,
      );
    }
    if (seen.has(name)) {
      throw new SchemaError(
        'IndexNamesNotUnique',
        `Table "${table}" has two or more definitions of index "${name}".`,
      );
    }
    seen.add(name);
  }
}

function checkFields(table: string, index: IndexJson): void {
  const { indexDescriptor: name, fields } = index;
  const fail = (code: string, problem: string): never => {
    throw new SchemaError(code, `In table "${table}": In index "${name}": ${problem}`);
  };
  if (fields.length === 0) {
    throw new SchemaError(
      'EmptyIndex',
      `In table "${table}" index "${name}" must have at least one field.`,
    );
  }
  if (fields.length > maximumIndexFields) {
    fail('IndexTooManyFields', `Indexes may have up to ${maximumIndexFields} fields.`);
  }
  for (const [at, field] of fields.entries()) {
    if (field === '_id') {
      fail(
        'IndexFieldsContainId',
        '`_id` is not a valid index field. To load documents by ID, use `db.get(id)`.',
      );
    }
    if (field === '_creationTime') {
      fail(
        'IndexFieldsContainCreationTime',
        '`_creationTime` is automatically added to the end of each index. It should not be added explicitly in the index definition. See https://docs.convex.dev/using/indexes for more details.',
      );
    }
    if (field.startsWith('_')) {
      fail(
        'IndexFieldNameReserved',
        'Reserved fields (starting with `_`) are not allowed in indexes.',
      );
    }
    if (!field.split('.').every((part) => fieldName.test(part))) {
      fail('InvalidIndexField', `Invalid index field: "${field}"`);
    }
    if (fields.indexOf(field) !== at) {
      fail(
        'FieldsNotUniqueWithinIndex',
        `Duplicate field "${field}". Index fields must be unique within an index.`,
      );
    }
  }
}

function checkDistinct(table: string, indexes: IndexJson[]): void {
  const seen = new Map<string, string>();
  for (const { indexDescriptor: name, fields } of indexes) {
    const other = seen.get(fields.join());
    if (other !== undefined) {
      throw new SchemaError(
        'IndexNotUnique',
        `In table "${table}" index "${name}" and index "${other}" have the same fields. Indexes must be unique within a table.`,
      );
    }
    seen.set(fields.join(), name);
  }
}

function documentValidator(table: string, json: ValidatorJSON): Validator {
  const validator = parsed(table, json);
  if (validator.type === 'any') return validator;
  const members = validator.type === 'union' ? validator.members : [validator];
  const objects = members.map((member) => {
    if (member.type === 'object') return withoutSystemFields(member);
    throw new SchemaError(
      'InvalidTopLevelTypeInSchemaError',
      `The document validator in a schema must be an object, a union of objects, or \`v.any()\`. Found ${displayValidator(member)}. To learn more, see the schema documentation at https://docs.convex.dev/database/schemas.`,
    );
  });
  return { type: 'union', members: objects };
}

function parsed(table: string, json: ValidatorJSON): Validator {
  try {
    return parseValidator(json);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new SchemaError('InvalidSchema', `In table "${table}": ${problem}`, { cause: error });
  }
}

function withoutSystemFields(object: ObjectValidator): ObjectValidator {
  const fields = [...object.fields].filter(([name]) => !name.startsWith('_'));
  return { type: 'object', fields: new Map(fields) };
}

function checkReferences(json: TableJson, validator: Validator): void {
  const searches = [...(json.searchIndexes ?? []), ...(json.stagedSearchIndexes ?? [])];
  const vectors = [...(json.vectorIndexes ?? []), ...(json.stagedVectorIndexes ?? [])];
  const references = [
    ...json.indexes,
    ...(json.stagedDbIndexes ?? []),
    ...searches.map((index) => ({ ...index, fields: [index.searchField, ...index.filterFields] })),
    ...vectors.map((index) => ({ ...index, fields: [index.vectorField, ...index.filterFields] })),
  ];
  const fail = (problem: string): never => {
    throw new SchemaError('SchemaDefinitionError', `In table "${json.tableName}" the ${problem}`);
  };
  for (const { indexDescriptor: name, fields } of references) {
    const missing = fields.find((field) => !systemFields.has(field) && !exists(validator, field));
    if (missing === undefined) continue;
    fail(
      `index "${name}" is invalid because it references the field "${missing}" that does not exist.`,
    );
  }
  for (const { indexDescriptor, vectorField } of vectors) {
    if (canContain(validator, vectorField.split('.'), isNumbers)) continue;
    fail(
      `vector index "${indexDescriptor}" is invalid because it references the field "${vectorField}" that is neither an array of float64 or optional array of float64.`,
    );
  }
}

const systemFields = new Set(['_id', '_creationTime']);

function exists(validator: Validator, field: string): boolean {
  return canContain(validator, field.split('.'), () => true);
}

/** Whether some document that the validator accepts has such a value at this path. */
function canContain(
  validator: Validator,
  path: string[],
  wanted: (found: Validator) => boolean,
): boolean {
  const [first, ...rest] = path;
  if (validator.type === 'any') return true;
  if (first === undefined) return wanted(validator);
  if (validator.type === 'union') {
    return validator.members.some((member) => canContain(member, path, wanted));
  }
  if (validator.type !== 'object') return false;
  const field = validator.fields.get(first);
  return field !== undefined && canContain(field.validator, rest, wanted);
}

function isNumbers(validator: Validator): boolean {
  if (validator.type === 'union') return validator.members.some(isNumbers);
  return validator.type === 'any' || (validator.type === 'array' && isNumber(validator.element));
}

function isNumber(validator: Validator): boolean {
  if (validator.type === 'union') return validator.members.some(isNumber);
  return validator.type === 'any' || validator.type === 'number';
}

const identifier = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;
const fieldName = /^(?=.*[A-Za-z0-9])[A-Za-z_][A-Za-z0-9_]{0,63}$/;
