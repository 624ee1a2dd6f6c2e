import { Store } from '../../../src/embedded-convex/store.ts';
import type { StoreOptions } from '../../../src/embedded-convex/store.ts';
import type { Doc } from '../../../src/embedded-convex/doc.ts';
import type { QueryJson } from '../../../src/embedded-convex/query.ts';
import type { SchemaJson, TableJson } from '../../../src/embedded-convex/schema.ts';
import type { Transaction } from '../../../src/embedded-convex/transaction.ts';

/** A store without a file, closed when the test is over. */
export function memoryStore(options: StoreOptions & { tables?: TableJson[] } = {}): {
  store: Store;
  [Symbol.dispose](): void;
} {
  const { tables, ...rest } = options;
  const store = Store.open(':memory:', rest);
  if (tables !== undefined) store.applySchema(schemaOf(tables));
  return { store, [Symbol.dispose]: () => store.close() };
}

export function schemaOf(tables: TableJson[]): SchemaJson {
  return { tables, schemaValidation: true };
}

export function scanOf(tableName: string, order: 'asc' | 'desc' = 'asc'): QueryJson {
  return { source: { type: 'FullTableScan', tableName, order }, operators: [] };
}

/** All documents of a query. */
export function collect(transaction: Transaction, query: QueryJson): Doc[] {
  const open = transaction.openQuery(query);
  const docs: Doc[] = [];
  for (let doc = open.next(); doc !== null; doc = open.next()) docs.push(doc);
  open.close();
  return docs;
}

/** Runs and commits one transaction. */
export function write<Result>(store: Store, run: (transaction: Transaction) => Result): Result {
  const transaction = store.begin();
  try {
    const result = run(transaction);
    transaction.commit();
    return result;
  } finally {
    transaction.close();
  }
}

/** Runs one transaction that only reads. */
export function read<Result>(store: Store, run: (transaction: Transaction) => Result): Result {
  const transaction = store.begin({ readOnly: true });
  try {
    return run(transaction);
  } finally {
    transaction.close();
  }
}
