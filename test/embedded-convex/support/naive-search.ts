import { compareValues } from 'convex/values';
import type { Value } from 'convex/values';
import type { DocValue } from '../../../src/embedded-convex/doc.ts';
import { idOf } from './naive-database.ts';

export interface NaiveQuery {
  text: string;
  equal: Record<string, Value | undefined>;
}

/** What a text search should find, in the plainest way: words compared with words. */
export function naiveMatches(documents: readonly DocValue[], query: NaiveQuery): DocValue[] {
  const terms = wordsOf(query.text).slice(0, 16);
  const last = terms.at(-1);
  if (last === undefined) return [];
  return documents.filter((document) => {
    const words = wordsOf(document['text']);
    const matches = words.some((word) => terms.includes(word) || word.startsWith(last));
    const passes = Object.entries(query.equal).every(
      ([field, value]) => compareValues(document[field], value) === 0,
    );
    return matches && passes;
  });
}

/** BM25 of the matches, by id, as SQLite's documentation defines it; a whole match counts twice. */
export function naiveScores(
  documents: readonly DocValue[],
  query: NaiveQuery,
): Map<string, number> {
  const searched = documents.filter((document) => typeof document['text'] === 'string');
  const lengths = searched.map((document) => wordsOf(document['text']).length + filterFields);
  const average = lengths.reduce((sum, length) => sum + length, 0) / searched.length;
  const terms = [...new Set(wordsOf(query.text).slice(0, 16))];
  const last = wordsOf(query.text).slice(0, 16).at(-1) ?? '';
  const vocabulary = new Set(searched.flatMap((document) => wordsOf(document['text'])));
  const longer = [...vocabulary].filter((word) => word.startsWith(last) && !terms.includes(word));
  const phrases = [...terms, ...longer];
  return new Map(
    searched.map((document) => {
      const words = wordsOf(document['text']);
      const length = words.length + filterFields;
      const score = phrases.reduce((sum, phrase) => {
        const holding = searched.filter((other) => wordsOf(other['text']).includes(phrase)).length;
        const rarity = Math.log((searched.length - holding + 0.5) / (holding + 0.5));
        const count = words.filter((word) => word === phrase).length;
        const weight = longer.length > 0 && terms.includes(phrase) ? 2 : 1;
        const norm = k1 * (1 - b + (b * length) / average);
        return sum + (weight * Math.max(rarity, 1e-6) * (count * (k1 + 1))) / (count + norm);
      }, 0);
      return [idOf(document), score];
    }),
  );
}

/** A document's length counts its filter fields too; all have the same number of them. */
const filterFields = 2;
const k1 = 1.2;
const b = 0.75;

function wordsOf(text: Value | undefined): string[] {
  if (typeof text !== 'string') return [];
  return text
    .toLowerCase()
    .split(/[^a-z0-9é]+/)
    .filter((word) => word !== '' && Buffer.byteLength(word) < 32);
}
