import * as fc from 'fast-check';
import { convexToJson } from 'convex/values';
import type { Value } from 'convex/values';
import { describe, expect, test } from 'vitest';
import type { Doc, DocValue } from '../../../src/embedded-convex/doc.ts';
import type { QueryJson } from '../../../src/embedded-convex/query.ts';
import type { Transaction } from '../../../src/embedded-convex/transaction.ts';
import { collect, memoryStore } from '../support/memory-store.ts';
import { idOf } from '../support/naive-database.ts';
import { naiveMatches, naiveScores } from '../support/naive-search.ts';
import type { NaiveQuery } from '../support/naive-search.ts';

const table = {
  tableName: 't',
  indexes: [],
  searchIndexes: [
    { indexDescriptor: 'by_text', searchField: 'text', filterFields: ['kind', 'owner'] },
  ],
  documentType: { type: 'any' as const },
};

/** Few words, so that documents share them, and some begin like others. */
const word = fc.constantFrom('a', 'ab', 'Abc', 'b', 'été', 'x'.repeat(40), 'foo', 'foobar', '42');
const separator = fc.constantFrom(' ', '. ', '/', '_', '\n');
const text = fc
  .array(fc.tuple(word, separator), { maxLength: 12 })
  .map((parts) => parts.flat().join(''));
const kind = fc.constantFrom<Value | undefined>(undefined, null, 'm', 1, 1n, 'long '.repeat(20));
const fields = fc.record(
  { text: fc.oneof({ weight: 8, arbitrary: text }, fc.constant(7)), kind, owner: kind },
  { requiredKeys: [] },
);
const query: fc.Arbitrary<NaiveQuery> = fc.record({
  text,
  equal: fc.record({ kind, owner: kind }, { requiredKeys: [] }),
});

const pick = fc.nat(50);
type Step =
  | { do: 'insert' | 'patch' | 'replace'; pick: number; fields: DocValue }
  | { do: 'remove'; pick: number }
  | { do: 'search'; query: NaiveQuery }
  | { do: 'savepoint' | 'rollback' };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('insert' as const), pick, fields }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('patch' as const), pick, fields }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('replace' as const), pick, fields }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), pick }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('search' as const), query }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('savepoint' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rollback' as const) }) },
);
const program = fc.array(
  fc.record({ steps: fc.array(step, { maxLength: 15, size: 'max' }), commit: fc.boolean() }),
  { minLength: 1, maxLength: 4 },
);

describe('random programs', () => {
  test('find what comparing words finds, best first, inside and after transactions', () => {
    fc.assert(
      fc.property(program, fc.array(query, { maxLength: 3 }), (transactions, checks) => {
        using database = memoryStore({ tables: [table] });
        let committed: DocValue[] = [];
        for (const { steps, commit } of transactions) {
          const transaction = database.store.begin();
          const documents = perform(transaction, committed, steps);
          if (commit) {
            transaction.commit();
            committed = documents;
          } else {
            transaction.close();
          }
          const reading = database.store.begin({ readOnly: true });
          for (const check of checks) expectFound(reading, committed, check);
          reading.close();
        }
      }),
      { seed: 6, numRuns: 300 },
    );
  });

  test('find the same page by page as at once', () => {
    const documents = fc.array(fields, { maxLength: 30, size: 'max' });
    fc.assert(
      fc.property(documents, query, fc.integer({ min: 1, max: 7 }), (inserts, wanted, pageSize) => {
        using database = memoryStore({ tables: [table] });
        const transaction = database.store.begin();
        for (const given of inserts) transaction.insert('t', given);
        // Some pages see the writes of their own transaction.
        if (pageSize % 2 === 0) transaction.commit();
        const reading = pageSize % 2 === 0 ? database.store.begin({ readOnly: true }) : transaction;
        const paged: string[] = [];
        let cursor: string | null = null;
        for (let isDone = false; !isDone;) {
          const page = reading.queryPage(toQuery(wanted), { cursor, pageSize });
          paged.push(...page.page.map((doc) => doc.id));
          ({ isDone, continueCursor: cursor } = page);
        }
        expect(paged).toEqual(collect(reading, toQuery(wanted)).map((doc) => doc.id));
        reading.close();
      }),
      { seed: 7, numRuns: 200 },
    );
  });
});

/** Performs the steps on the transaction and on a copy of the documents, which it returns. */
function perform(transaction: Transaction, before: DocValue[], steps: Step[]): DocValue[] {
  let documents = [...before];
  const savepoints: { savepoint: number; documents: DocValue[] }[] = [];
  for (const next of steps) {
    switch (next.do) {
      case 'search':
        expectFound(transaction, documents, next.query);
        break;
      case 'savepoint':
        savepoints.push({ savepoint: transaction.savepoint(), documents });
        break;
      case 'rollback': {
        const last = savepoints.at(-1);
        if (last === undefined) break;
        transaction.rollbackTo(last.savepoint);
        documents = last.documents;
        break;
      }
      case 'insert': {
        const id = transaction.insert('t', next.fields);
        documents = [...documents, transaction.get(id)?.value ?? {}];
        break;
      }
      default:
        documents = change(transaction, documents, next);
    }
  }
  return documents;
}

function change(
  transaction: Transaction,
  documents: DocValue[],
  step: Extract<Step, { pick: number }>,
): DocValue[] {
  const at = step.pick % Math.max(documents.length, 1);
  const id = documents[at]?.['_id'];
  if (typeof id !== 'string') return documents;
  if (step.do === 'remove') {
    transaction.remove(id);
    return documents.toSpliced(at, 1);
  }
  const doc =
    step.do === 'patch'
      ? transaction.patch(id, step.fields)
      : transaction.replace(id, step.do === 'replace' ? step.fields : {});
  return documents.with(at, doc.value);
}

function expectFound(transaction: Transaction, documents: DocValue[], wanted: NaiveQuery): void {
  const found = collect(transaction, toQuery(wanted));
  const expected = naiveMatches(documents, wanted);
  expect(idsOf(found)).toEqual(expected.map(idOf).sort());
  const scores = naiveScores(documents, wanted);
  for (const [at, doc] of found.entries()) {
    const previous = found[at - 1];
    if (previous === undefined) continue;
    const [better, worse] = [scores.get(previous.id) ?? NaN, scores.get(doc.id) ?? NaN];
    // Sums of the same numbers in another order differ in their last digits.
    expect(better).toBeGreaterThanOrEqual(worse - 1e-9);
  }
}

function idsOf(docs: Doc[]): string[] {
  return docs.map((doc) => doc.id).sort();
}

function toQuery({ text, equal }: NaiveQuery): QueryJson {
  const filters = Object.entries(equal).map(([fieldPath, value]) => ({
    type: 'Eq',
    fieldPath,
    value: value === undefined ? { $undefined: null } : convexToJson(value),
  }));
  const search = { type: 'Search', fieldPath: 'text', value: text };
  return {
    source: { type: 'Search', indexName: 't.by_text', filters: [search, ...filters] },
    operators: [],
  };
}
