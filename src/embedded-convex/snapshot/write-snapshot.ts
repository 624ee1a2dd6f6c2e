import { Writable } from 'node:stream';
import { configure, ZipWriter } from '@zip.js/zip.js';
import { byCreationTime } from '../catalog.ts';
import type { TableInfo } from '../catalog.ts';
import { loadCatalog } from '../catalog-table.ts';
import { RowQuery } from '../database.ts';
import type { Database } from '../database.ts';
import { isSystemTable } from '../system-tables.ts';
import { toSnapshotLine } from './document-line.ts';

/**
 * Writes all tables of a database that nobody changes meanwhile as a ZIP in the layout of
 * Convex's own exports, which `npx convex import` takes: `_tables/documents.jsonl` with the
 * numbers in the ids, and for each table its documents. Memory stays small, however large the
 * tables are. Rejects with a `StoreError`, or as `output` fails; does not close the database.
 */
export async function writeSnapshot(database: Database, output: Writable): Promise<void> {
  // Node compresses in threads of its own.
  configure({ useWebWorkers: false });
  const tables = [...loadCatalog(database)].filter((table) => !isSystemTable(table));
  tables.sort((one, other) => one.number - other.number);
  const zip = new ZipWriter(Writable.toWeb(output));
  const add = (name: string, chunks: Iterable<string>) => zip.add(name, encoded(chunks));
  await add('README.md', [readme]);
  const numbers = tables.map(({ name, number }) => `${JSON.stringify({ name, id: number })}\n`);
  await add('_tables/documents.jsonl', numbers);
  for (const table of tables) {
    await add(`${table.name}/documents.jsonl`, documentLines(database, table));
    // The mark of the format of toSnapshotLine.
    await add(`${table.name}/generated_schema.jsonl`, ['"uniform"\n']);
  }
  await zip.close();
}

const readme = `# A snapshot of an embedded Convex database

Each folder is a table, with one document a line in documents.jsonl; _tables has the number of
each table, which is part of its documents' ids. "npx convex import <file>" takes it over into a
deployment, "oa-bridge convex import <file>" into another embedded database.
`;

/** A page at a time: documents of the largest size make up 64 MiB. */
const pageRows = 64;

function* documentLines(database: Database, table: TableInfo): Generator<string> {
  const index = table.indexes.find(({ qualifiedName }) => qualifiedName.endsWith(byCreationTime));
  if (index === undefined) throw new Error(`${table.name} has no index ${byCreationTime}`);
  const page = new RowQuery<[key: Uint8Array, json: string]>(
    database,
    `SELECT entry.key, document.json
     FROM index_entries entry CROSS JOIN documents document ON document.document = entry.document
     WHERE entry.index_number = ? AND entry.key > ? ORDER BY entry.key LIMIT ${pageRows}`,
  );
  let after: Uint8Array = new Uint8Array(0);
  for (;;) {
    const rows = page.all(index.number, after);
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows.map(([, json]) => `${toSnapshotLine(json)}\n`).join('');
    [after] = last;
  }
}

/** Asked for as the archive takes it. */
function encoded(chunks: Iterable<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const iterator = chunks[Symbol.iterator]();
  return new ReadableStream({
    pull(controller) {
      const { done, value } = iterator.next();
      if (done === true) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
  });
}
