import * as fc from 'fast-check';
import { convexToJson } from 'convex/values';
import { describe, expect, test } from 'vitest';
import type { DocValue } from '../../src/embedded-convex/doc.ts';
import type { Commit, ReadSet } from '../../src/embedded-convex/executor.ts';
import { Store } from '../../src/embedded-convex/store.ts';
import type { OpenQuery, Transaction } from '../../src/embedded-convex/transaction.ts';
import { compareKeys } from '../../src/embedded-convex/values/keys.ts';
import { idOf, NaiveDatabase, toQuery } from './support/naive-database.ts';
import type { Scan } from './support/naive-database.ts';
import { program, programSchema, scan, step } from './support/programs.ts';
import type { Step } from './support/programs.ts';

describe('random programs', () => {
  test('read what a plain list of documents would give, inside and after transactions', () => {
    fc.assert(
      fc.property(program, fc.array(scan, { maxLength: 4 }), (transactions, checks) => {
        using database = openStore();
        let committed = new NaiveDatabase();
        for (const { steps, commit } of transactions) {
          const run = new ProgramRun(database.store.begin(), committed.copy());
          for (const next of steps) run.perform(next);
          if (commit) {
            run.transaction.commit();
            committed = run.model;
          } else {
            run.transaction.close();
          }
          expectSame(database.store, committed, checks);
        }
      }),
      { seed: 4, numRuns: 400 },
    );
  });
});

describe('read sets', () => {
  test('a scan whose read set a commit does not touch has the same result after it', () => {
    const steps = fc.array(step, { maxLength: 12 });
    fc.assert(
      fc.property(steps, steps, scan, fc.nat(4), (before, change, query, take) => {
        using database = openStore();
        const setUp = new ProgramRun(database.store.begin(), new NaiveDatabase());
        for (const next of before) setUp.perform(next);
        setUp.transaction.commit();

        const first = takeRows(database.store, query, take);
        const run = new ProgramRun(database.store.begin(), setUp.model);
        for (const next of change) run.perform(next);
        const commit = run.transaction.commit();
        const second = takeRows(database.store, query, take);

        const changed = JSON.stringify(first.rows) !== JSON.stringify(second.rows);
        expect(touches(commit, first.readSet) || !changed).toBe(true);
      }),
      { seed: 5, numRuns: 1000 },
    );
  });
});

/** Performs steps on a transaction and on the model, and compares what both answer. */
class ProgramRun {
  readonly transaction: Transaction;
  model: NaiveDatabase;
  readonly #open: { scan: Scan; query: OpenQuery; last: DocValue | null; done: boolean }[] = [];
  readonly #savepoints: { savepoint: number; model: NaiveDatabase }[] = [];

  constructor(transaction: Transaction, model: NaiveDatabase) {
    this.transaction = transaction;
    this.model = model;
  }

  perform(step: Step): void {
    switch (step.do) {
      case 'insert':
        return this.#insert(step.fields);
      case 'scan':
        return expectRows(rowsOf(this.transaction, step.scan), this.model.scan(step.scan));
      case 'open': {
        const query = this.transaction.openQuery(toQuery(step.scan));
        this.#open.push({ scan: step.scan, query, last: null, done: false });
        return;
      }
      case 'advance':
        return this.#advance(step.pick);
      case 'savepoint': {
        const savepoint = this.transaction.savepoint();
        this.#savepoints.push({ savepoint, model: this.model.copy() });
        return;
      }
      case 'rollback': {
        const last = this.#savepoints.at(-1);
        if (last === undefined) return;
        this.transaction.rollbackTo(last.savepoint);
        this.model = last.model.copy();
        return;
      }
      case 'release': {
        const last = this.#savepoints.pop();
        if (last !== undefined) this.transaction.release(last.savepoint);
        return;
      }
      default:
        return this.#onDocument(step);
    }
  }

  #insert(given: DocValue): void {
    const id = this.transaction.insert('t', given);
    const stored = this.transaction.get(id)?.value ?? {};
    this.model.put({ ...given, _id: id, _creationTime: stored['_creationTime'] });
  }

  #onDocument(step: Extract<Step, { pick: number }>): void {
    const { documents } = this.model;
    const document = documents[step.pick % Math.max(documents.length, 1)];
    if (document === undefined) return;
    const id = idOf(document);
    const { _creationTime } = document;
    switch (step.do) {
      case 'patch':
        this.transaction.patch(id, step.fields);
        return this.model.put({ ...document, ...step.fields });
      case 'replace':
        this.transaction.replace(id, step.fields);
        return this.model.put({ ...step.fields, _id: id, _creationTime });
      case 'remove':
        expectRows([this.transaction.remove(id).value], [document]);
        return this.model.remove(id);
      default:
        return expectRows([this.transaction.get(id)?.value ?? {}], [document]);
    }
  }

  #advance(pick: number): void {
    const open = this.#open[pick % Math.max(this.#open.length, 1)];
    if (open === undefined || open.done) return;
    const expected = this.model.following(open.scan, open.last);
    const found = open.query.next();
    expectRows(found === null ? [] : [found.value], expected === null ? [] : [expected]);
    open.last = expected;
    open.done = expected === null;
  }
}

function openStore(): { store: Store; [Symbol.dispose](): void } {
  const store = Store.open(':memory:');
  store.applySchema(programSchema);
  return { store, [Symbol.dispose]: () => store.close() };
}

function rowsOf(transaction: Transaction, query: Scan): DocValue[] {
  const open = transaction.openQuery(toQuery(query));
  const rows: DocValue[] = [];
  for (let doc = open.next(); doc !== null; doc = open.next()) rows.push(doc.value);
  open.close();
  return rows;
}

function takeRows(store: Store, query: Scan, take: number): { rows: string[]; readSet: ReadSet } {
  const transaction = store.begin({ readOnly: true });
  const open = transaction.openQuery({ ...toQuery(query), operators: [{ limit: take }] });
  const rows: string[] = [];
  for (let doc = open.next(); doc !== null; doc = open.next()) rows.push(doc.json);
  open.close();
  transaction.close();
  return { rows, readSet: transaction.readSet() };
}

function touches(commit: Commit | null, readSet: ReadSet): boolean {
  const writes = commit?.writes ?? [];
  return writes.some(({ index, key }) =>
    readSet.some(
      (read) =>
        read.index === index &&
        compareKeys(read.from, key) <= 0 &&
        (read.to === null || compareKeys(key, read.to) < 0),
    ),
  );
}

function expectSame(store: Store, model: NaiveDatabase, checks: Scan[]): void {
  const transaction = store.begin({ readOnly: true });
  const everything: Scan = { index: 'by_a', equal: [], lower: null, upper: null, order: 'asc' };
  for (const check of [everything, ...checks]) {
    expectRows(rowsOf(transaction, check), model.scan(check));
  }
  expect(transaction.count('t')).toBe(model.documents.length);
  expect(store.tableCounts()['t']).toBe(model.documents.length);
  transaction.close();
}

/** Compared as canonical text: -0 is not 0, and a field that is undefined is not there. */
function expectRows(found: DocValue[], expected: DocValue[]): void {
  expect(found.map(canonical)).toEqual(expected.map(canonical));
}

function canonical(document: DocValue): string {
  const present = Object.entries(document).filter(([, field]) => field !== undefined);
  return JSON.stringify(convexToJson(Object.fromEntries(present)));
}
