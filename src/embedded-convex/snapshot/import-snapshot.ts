import { existsSync, renameSync, rmSync } from 'node:fs';
import { Database, RowQuery } from '../database.ts';
import type { SchemaJson } from '../schema.ts';
import { freeName, timeStamp } from '../set-aside.ts';
import { Store } from '../store.ts';
import { fillDatabase } from './fill-database.ts';
import { readArchive } from './read-archive.ts';
import { SnapshotError } from './snapshot-error.ts';

export interface Imported {
  /** Documents per table. */
  tables: Record<string, number>;
  /** The database that was there before, if it held anything. */
  replaced: string | null;
}

/**
 * Makes a database of an export of Convex, in place of one that is empty or, with `replace`, of
 * one that is then renamed. Built beside it and put in its place at the end: whatever fails, the
 * old one is as it was. The schema of the old one is enforced on what is imported. Rejects with a
 * `SnapshotError`, `SchemaError` or `StoreError`; `DatabaseInUse` while a backend serves it.
 */
export async function importSnapshot(
  file: string,
  databasePath: string,
  { replace = false }: { replace?: boolean } = {},
): Promise<Imported> {
  const building = freeName(`${databasePath}.import-${timeStamp(new Date())}`);
  const archive = await readArchive(file);
  const old = existsSync(databasePath) ? Database.open(databasePath, lockWaitMs) : null;
  try {
    const before = old === null ? nothing : lookInto(old);
    if (before.documents > 0 && !replace) {
      throw new SnapshotError(
        'DatabaseNotEmpty',
        `The database ${databasePath} is not empty; with --replace it is renamed, and replaced`,
      );
    }
    const fresh = Database.open(building, lockWaitMs);
    try {
      await fillDatabase(fresh, archive);
    } finally {
      fresh.close();
    }
    const tables = finish(building, before);
    old?.close();
    const replaced = before.documents > 0 ? freeName(replacedName(databasePath)) : null;
    if (replaced !== null) renameSync(databasePath, replaced);
    renameSync(building, databasePath);
    return { tables, replaced };
  } finally {
    await archive.close();
    old?.close();
    for (const end of ['', '-wal', '-shm']) rmSync(`${building}${end}`, { force: true });
  }
}

interface Before {
  documents: number;
  /** Nanoseconds. */
  ts: bigint;
  schema: string | null;
}

const nothing: Before = { documents: 0, ts: 0n, schema: null };
const lockWaitMs = 2000;

function lookInto(database: Database): Before {
  const meta = new RowQuery<[string, string | null]>(
    database,
    'SELECT CAST(last_ts AS TEXT), json FROM meta, deployed_schema',
  ).first();
  const counts = new RowQuery<[number | null]>(database, 'SELECT sum(documents) FROM tables');
  const [ts = '0', schema = null] = meta ?? [];
  return { documents: counts.first()?.[0] ?? 0, ts: BigInt(ts), schema };
}

/** Checks and indexes what is there by the schema, and lets time go on from where it was. */
function finish(path: string, { ts, schema }: Before): Record<string, number> {
  const now = BigInt(Date.now()) * 1_000_000n;
  const store = Store.open(path, { minimumTs: ts >= now ? ts + 1n : now });
  try {
    // The store wrote it, after checking it.
    if (schema !== null) store.applySchema(JSON.parse(schema) as SchemaJson);
    return store.tableCounts();
  } finally {
    store.close();
  }
}

function replacedName(path: string): string {
  return `${path}.replaced-${timeStamp(new Date())}`;
}
