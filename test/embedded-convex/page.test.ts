import { describe, expect, test } from 'vitest';
import type { Page, PageRequest } from '../../src/embedded-convex/page.ts';
import type { Order, QueryJson } from '../../src/embedded-convex/query.ts';
import type { Store } from '../../src/embedded-convex/store.ts';
import { afterKey, encodeKey } from '../../src/embedded-convex/values/keys.ts';
import { memoryStore, read, scanOf, write } from './support/memory-store.ts';

const fromStart = { cursor: null, pageSize: 3 };

describe('pages', () => {
  test.each<Order>(['asc', 'desc'])('%s, follow each other without gap or repeat', (order) => {
    using database = filled(10);
    const seen: number[] = [];
    let cursor: string | null = null;
    let isDone = false;
    while (!isDone) {
      const page: Page = pageOf(database.store, scanOf('t', order), { cursor, pageSize: 3 });
      seen.push(...page.page.map((doc) => Number(doc.value['n'])));
      cursor = page.continueCursor;
      ({ isDone } = page);
    }
    const expected = Array.from({ length: 10 }, (_, n) => n);
    expect(seen).toEqual(order === 'asc' ? expected : expected.reverse());
  });

  test('of nothing are done at once', () => {
    using database = memoryStore();
    const page = pageOf(database.store, scanOf('t'), fromStart);
    expect(page).toMatchObject({ page: [], isDone: true });
    const next = { cursor: page.continueCursor, pageSize: 3 };
    expect(pageOf(database.store, scanOf('t'), next)).toMatchObject({ page: [], isDone: true });
  });

  test('skip what a filter drops, and go on behind it', () => {
    using database = filled(10);
    const filter = { $gte: [{ $field: 'n' }, { $literal: 5 }] };
    const query = { ...scanOf('t'), operators: [{ filter }] };
    const first = pageOf(database.store, query, fromStart);
    expect(numbersOf(first)).toEqual([5, 6, 7]);
    const rest = pageOf(database.store, query, { cursor: first.continueCursor, pageSize: 3 });
    expect(numbersOf(rest)).toEqual([8, 9]);
    expect(rest.isDone).toBe(true);
  });

  test('keep their place when the document at the cursor is removed', () => {
    using database = filled(6);
    const first = pageOf(database.store, scanOf('t'), fromStart);
    const last = first.page.at(-1)?.id ?? '';
    write(database.store, (transaction) => transaction.remove(last));
    const second = pageOf(database.store, scanOf('t'), {
      cursor: first.continueCursor,
      pageSize: 3,
    });
    expect(numbersOf(second)).toEqual([3, 4, 5]);
  });

  test('that were read before end where they ended, however many rows there are now', () => {
    using database = filled(6);
    const first = pageOf(database.store, scanOf('t', 'desc'), fromStart);
    expect(numbersOf(first)).toEqual([5, 4, 3]);
    write(database.store, (transaction) => transaction.insert('t', { n: 6 }));
    const again = { ...fromStart, endCursor: first.continueCursor };
    const page = pageOf(database.store, scanOf('t', 'desc'), again);
    expect(numbersOf(page)).toEqual([6, 5, 4, 3]);
    expect(page.continueCursor).toBe(first.continueCursor);
    expect(page.isDone).toBe(false);
  });

  test('that reached the end go on reaching it', () => {
    using database = filled(2);
    const first = pageOf(database.store, scanOf('t'), fromStart);
    expect(first.isDone).toBe(true);
    write(database.store, (transaction) => [2, 3].map((n) => transaction.insert('t', { n })));
    const again = { ...fromStart, endCursor: first.continueCursor };
    const page = pageOf(database.store, scanOf('t'), again);
    expect(numbersOf(page)).toEqual([0, 1, 2, 3]);
    expect(page.isDone).toBe(true);
  });

  test('between two cursors hold exactly what lies between, of any size', () => {
    using database = filled(9);
    const first = pageOf(database.store, scanOf('t'), fromStart);
    const second = pageOf(database.store, scanOf('t'), {
      cursor: first.continueCursor,
      pageSize: 4,
    });
    const { splitCursor } = second;
    expect(splitCursor).not.toBe(null);
    const left = { cursor: first.continueCursor, endCursor: splitCursor, pageSize: 1 };
    const right = { cursor: splitCursor, endCursor: second.continueCursor, pageSize: 1 };
    const halves = [left, right].map((half) =>
      numbersOf(pageOf(database.store, scanOf('t'), half)),
    );
    expect(halves.flat()).toEqual(numbersOf(second));
    expect(halves.map((half) => half.length)).toEqual([3, 1]);
  });

  test('read no further than they need', () => {
    using database = filled(10);
    const reader = database.store.begin({ readOnly: true });
    const page = reader.queryPage(scanOf('t'), fromStart);
    const last = encodeKey([page.page.at(-1)?.value['_creationTime']]);
    expect(reader.readSet().map((interval) => interval.to)).toEqual([afterKey(last)]);
  });
});

describe('limits', () => {
  test('of rows cut a page short and say so', () => {
    using database = filled(10);
    const filter = { $eq: [{ $field: 'n' }, { $literal: 9 }] };
    const query = { ...scanOf('t'), operators: [{ filter }] };
    const page = pageOf(database.store, query, { ...fromStart, maximumRowsRead: 4 });
    expect(page).toMatchObject({ page: [], isDone: false, pageStatus: 'SplitRequired' });
    const rest = { cursor: page.continueCursor, pageSize: 3, maximumRowsRead: 7 };
    expect(numbersOf(pageOf(database.store, query, rest))).toEqual([9]);
  });

  test('of bytes let at least one document through', () => {
    using database = filled(3);
    const page = pageOf(database.store, scanOf('t'), { ...fromStart, maximumBytesRead: 1 });
    expect(numbersOf(page)).toEqual([0]);
    expect(page.pageStatus).toBe('SplitRequired');
  });

  test('do not count between two cursors', () => {
    using database = filled(5);
    const first = pageOf(database.store, scanOf('t'), fromStart);
    const request = { ...fromStart, endCursor: first.continueCursor, maximumRowsRead: 1 };
    expect(numbersOf(pageOf(database.store, scanOf('t'), request))).toEqual([0, 1, 2]);
  });

  test('of the transaction end the page instead of failing the function', () => {
    using database = filled(10, { documentsRead: 4 });
    const page = pageOf(database.store, scanOf('t'), { cursor: null, pageSize: 100 });
    expect(numbersOf(page)).toEqual([0, 1, 2, 3]);
    expect(page).toMatchObject({ isDone: false, pageStatus: 'SplitRequired' });
  });

  test('recommend a split from three quarters on', () => {
    using database = filled(10);
    const page = pageOf(database.store, scanOf('t'), {
      cursor: null,
      pageSize: 8,
      maximumRowsRead: 10,
    });
    expect(page.pageStatus).toBe('SplitRecommended');
  });

  test.each<[string, Partial<PageRequest>]>([
    ['Must request at least 1 document while paginating', { pageSize: 0 }],
    ['Requested too many items: 32001', { pageSize: 32_001 }],
    ['maximumRowsRead and maximumBytesRead must be greater than 0', { maximumRowsRead: 0 }],
  ])('%s', (message, bad) => {
    using database = filled(1);
    expect(() => pageOf(database.store, scanOf('t'), { ...fromStart, ...bad })).toThrow(message);
  });
});

describe('a cursor', () => {
  const restart = expect.objectContaining({
    code: 'InvalidCursor',
    data: { isConvexSystemError: true, paginationError: 'InvalidCursor' },
  });

  test('of another query makes the client start again', () => {
    using database = filled(5);
    const { continueCursor } = pageOf(database.store, scanOf('t'), fromStart);
    const request = { cursor: continueCursor, pageSize: 3 };
    const attempt = (): unknown => pageOf(database.store, scanOf('t', 'desc'), request);
    expect(attempt).toThrow(restart);
    expect(attempt).toThrow('InvalidCursor: Tried to run a query starting from a cursor');
  });

  test.each(['', 'nonsense', 'AQ', 'A'.repeat(100)])('%j is no cursor', (cursor) => {
    using database = filled(1);
    expect(() => pageOf(database.store, scanOf('t'), { cursor, pageSize: 1 })).toThrow(restart);
  });
});

function filled(count: number, limits = {}): ReturnType<typeof memoryStore> {
  const database = memoryStore({ limits });
  write(database.store, (transaction) => {
    for (let n = 0; n < count; n += 1) transaction.insert('t', { n });
  });
  return database;
}

function pageOf(store: Store, query: QueryJson, request: PageRequest): Page {
  return read(store, (transaction) => transaction.queryPage(query, request));
}

function numbersOf(page: Page): number[] {
  return page.page.map((doc) => Number(doc.value['n']));
}
