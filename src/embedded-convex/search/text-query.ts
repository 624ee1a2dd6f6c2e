import type { JSONValue } from 'convex/values';
import { FunctionError } from '../function-error.ts';
import { rangeValue } from '../index-range.ts';
import { filterToken } from './filter-token.ts';
import type { TextIndexInfo } from './search-indexes.ts';
import { tokens } from './tokens.ts';

/** What `withSearchIndex` serialises to, after `q.search(…)` and `q.eq(…)`. */
export interface SearchFilter {
  type: 'Search' | 'Eq';
  fieldPath: string;
  value: JSONValue;
}

/** A document matches that has one of the terms, or a longer one than `prefix`, and all filters. */
export interface TextQuery {
  /** Each once; none: nothing matches. */
  terms: string[];
  /** The last term, which the user may still be typing; null: no terms. */
  prefix: string | null;
  filters: string[];
}

/** Throws a `FunctionError` with Convex's text for filters that the index does not serve. */
export function compileTextQuery(
  index: TextIndexInfo,
  filters: readonly SearchFilter[],
): TextQuery {
  if (searchTexts(index.qualifiedName, filters)[0] === '') return nothing;
  const text = checkedText(index, filters);
  const conditions = filters.filter((filter) => filter.type === 'Eq');
  const wanted = conditions.map((filter) => filterTerm(index, filter));
  if (wanted.length > mostFilters) {
    throw new FunctionError(
      'TooManyFilterConditionsInSearchQueryError',
      `Search query against ${index.qualifiedName} has too many filter conditions. Max: ${mostFilters} Actual: ${wanted.length}`,
    );
  }
  const terms = tokens(text).slice(0, mostQueryTerms);
  return {
    terms: [...new Set(terms)],
    prefix: terms.at(-1) ?? null,
    filters: [...new Set(wanted)],
  };
}

/** Checks what is asked of an index that does not exist: then nothing is found. */
export function checkSearchFilters(indexName: string, filters: readonly JSONValue[]) {
  const checked = filters.map(searchFilter);
  searchTexts(indexName, checked);
  return checked;
}

/** Terms of a query that are looked at; further ones are left out. Upstream's limit. */
const mostQueryTerms = 16;
/** Upstream's limit. */
const mostFilters = 8;

const nothing: TextQuery = { terms: [], prefix: null, filters: [] };

/** At least one. */
function searchTexts(indexName: string, filters: readonly SearchFilter[]): string[] {
  const texts = filters.filter((filter) => filter.type === 'Search').map(textOf);
  if (texts.length > 0) return texts;
  throw new FunctionError(
    'MissingSearchFilterError',
    `Search query against ${indexName} does not contain any search filters. You must include a search filter like \`q.search("field", searchText)\`.`,
  );
}

function checkedText(index: TextIndexInfo, filters: readonly SearchFilter[]): string {
  const searches = filters.filter((filter) => filter.type === 'Search');
  const field = index.searchField.name;
  const wrong = searches.find((filter) => filter.fieldPath !== field);
  if (wrong !== undefined) {
    throw new FunctionError(
      'IncorrectSearchField',
      `Search query against ${index.qualifiedName} contains a search filter against "${wrong.fieldPath}", which doesn't match the indexed \`searchField\` "${field}".`,
    );
  }
  const [first, second] = searches;
  if (first === undefined || second !== undefined) {
    throw new FunctionError(
      'DuplicateSearchFiltersError',
      `Search query against ${index.qualifiedName} contains multiple search filters against "${field}". Only one is allowed.`,
    );
  }
  return textOf(first);
}

function filterTerm(index: TextIndexInfo, { fieldPath, value }: SearchFilter): string {
  const position = index.filterFields.findIndex((field) => field.name === fieldPath);
  if (position >= 0) return filterToken(position, rangeValue(value));
  throw new FunctionError(
    'IncorrectFilterFieldError',
    `Search query against ${index.qualifiedName} contains an equality filter on "${fieldPath}" but that field isn't indexed for filtering in \`filterFields\`.`,
  );
}

function searchFilter(json: JSONValue): SearchFilter {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw malformed(json);
  const { type, fieldPath, value } = json;
  const isKnown = type === 'Search' || type === 'Eq';
  if (!isKnown || typeof fieldPath !== 'string' || value === undefined) throw malformed(json);
  return { type, fieldPath, value };
}

function textOf({ value }: SearchFilter): string {
  if (typeof value === 'string') return value;
  throw malformed(value);
}

function malformed(json: JSONValue): FunctionError {
  return new FunctionError(
    'InvalidArgument',
    `Invalid argument \`query\` for \`queryStream\`: unknown search filter ${JSON.stringify(json)}`,
  );
}
