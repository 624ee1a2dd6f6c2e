/** The yardstick of inserts: hand-written SQLite that writes what the backend has written. */
import { DatabaseSync } from 'node:sqlite';

/** Reads all rows and keys of `from` first; then each `write` puts one batch of them into `to`. */
export function rowWriter(
  from: string,
  to: string,
  batchSize: number,
): { write(batch: number): void } {
  const rows = readRows(from);
  const database = new DatabaseSync(to);
  database.exec(SETUP);
  const insert = database.prepare('INSERT INTO documents VALUES (?, ?, ?, ?)');
  const insertKey = database.prepare('INSERT INTO entries VALUES (?, ?, ?)');
  return {
    write(batch) {
      database.exec('BEGIN');
      for (const { values, keys } of rows.slice(batch * batchSize, (batch + 1) * batchSize)) {
        insert.run(...values);
        for (const key of keys) insertKey.run(...key, values[0] ?? null);
      }
      database.exec('COMMIT');
    },
  };
}

function readRows(path: string): Row[] {
  const source = new DatabaseSync(path, { readOnly: true });
  const keysOf = new Map<unknown, Values[]>();
  const entries = source.prepare('SELECT index_number, key, document FROM index_entries');
  for (const { index_number, key, document } of entries.iterate()) {
    const keys = keysOf.get(document) ?? [];
    keysOf.set(document, keys);
    keys.push([index_number, key] as Values);
  }
  const documents = source.prepare(
    `SELECT document, id, size, json FROM documents WHERE json LIKE '%"author"%' ORDER BY document`,
  );
  const rows = documents.all().map(({ document, id, size, json }) => ({
    values: [document, id, size, json] as Values,
    keys: keysOf.get(document) ?? [],
  }));
  source.close();
  return rows;
}

// What SQLite gives for these columns.
type Values = Array<string | number | Uint8Array>;
interface Row {
  values: Values;
  keys: Values[];
}

/** As the backend has it. */
const SETUP = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA wal_autocheckpoint = 4096;
  CREATE TABLE documents (document INTEGER PRIMARY KEY, id TEXT, size INTEGER, json TEXT);
  CREATE TABLE entries (
    index_number INTEGER, key BLOB, document INTEGER, PRIMARY KEY (index_number, key)
  ) WITHOUT ROWID;`;
