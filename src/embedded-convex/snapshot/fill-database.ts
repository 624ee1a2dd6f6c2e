import { byCreationTime, byId, firstTableNumber, indexKey } from '../catalog.ts';
import type { TableInfo } from '../catalog.ts';
import { storeTable } from '../catalog-table.ts';
import { RowQuery } from '../database.ts';
import type { Database } from '../database.ts';
import { Doc } from '../doc.ts';
import type { DocValue } from '../doc.ts';
import { checkTableName, withSystemFields } from '../document-rules.ts';
import { nextDouble } from '../next-double.ts';
import { decodeId, newId } from '../values/ids.ts';
import { fromPlainLine, fromSnapshotLine } from './document-line.ts';
import type { Archive, ArchivedTable } from './read-archive.ts';
import { SnapshotError } from './snapshot-error.ts';

/** Documents of one SQLite transaction. */
const batchRows = 500;

/**
 * Writes every table of an archive into a database that has none of its own yet, with the ids
 * and creation times that the documents have. Other indexes are the schema's matter. Rejects
 * with a `SnapshotError` that names the table and the line; the database is then of no use.
 */
export async function fillDatabase(database: Database, archive: Archive): Promise<void> {
  const taken = new Set(archive.numbers.values());
  // Also tables that hold nothing: their numbers are in ids elsewhere.
  const names = new Set([...archive.numbers.keys(), ...archive.tables.map(({ name }) => name)]);
  const tables = new Map<string, TableInfo>();
  for (const name of names) {
    if (name.startsWith('_')) continue;
    checkTableName(name);
    const number = archive.numbers.get(name) ?? freeNumber(taken);
    if (number < firstTableNumber) throw invalid(`table ${name} has the reserved number ${number}`);
    taken.add(number);
    tables.set(
      name,
      database.transaction(() => storeTable(database, { number, name })),
    );
  }
  const filler = new Filler(database);
  for (const archived of archive.tables) {
    const table = tables.get(archived.name);
    if (table !== undefined) await filler.fill(table, archived);
  }
}

function freeNumber(taken: ReadonlySet<number>): number {
  let number = firstTableNumber;
  while (taken.has(number)) number += 1;
  return number;
}

class Filler {
  readonly #database: Database;
  readonly #isTaken: RowQuery<[number]>;
  #row = 0;
  #lastCreationTime = 0;

  constructor(database: Database) {
    this.#database = database;
    this.#isTaken = new RowQuery(
      database,
      'SELECT 1 FROM index_entries WHERE index_number = ? AND key = ?',
    );
  }

  async fill(table: TableInfo, archived: ArchivedTable): Promise<void> {
    let line = 0;
    let batch: string[] = [];
    const write = () => {
      this.#write(table, archived, batch, line - batch.length);
      batch = [];
    };
    for await (const text of archived.lines()) {
      line += 1;
      batch.push(text);
      if (batch.length === batchRows) write();
    }
    write();
  }

  #write(table: TableInfo, { isUniform }: ArchivedTable, batch: string[], before: number): void {
    this.#database.transaction(() => {
      for (const [position, text] of batch.entries()) {
        try {
          this.#insert(table, isUniform ? fromSnapshotLine(text) : fromPlainLine(text));
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          throw invalid(`${table.name}, line ${before + position + 1}: ${reason}`, error);
        }
      }
      this.#database
        .prepare('UPDATE tables SET documents = documents + ? WHERE number = ?')
        .run(batch.length, table.number);
      this.#database.prepare('UPDATE meta SET last_creation_time = ?').run(this.#lastCreationTime);
    });
  }

  #insert(table: TableInfo, value: DocValue): void {
    const [idIndex, timeIndex] = [byId, byCreationTime].map((name) =>
      table.indexes.find(({ qualifiedName }) => qualifiedName === `${table.name}.${name}`),
    );
    if (idIndex === undefined || timeIndex === undefined) throw new Error('no implied indexes');
    const { _creationTime: given } = value;
    let time = typeof given === 'number' ? given : Date.now();
    // Convex tells documents of one time apart by their ids; here no two have the same.
    while (this.#isTaken.first(timeIndex.number, indexKey(timeIndex, { _creationTime: time }))) {
      time = nextDouble(time);
    }
    const id = idOf(table, value, time);
    const document = withSystemFields(value, id, time);
    const doc = Doc.encode(id, document);
    const idKey = indexKey(idIndex, document);
    if (this.#isTaken.first(idIndex.number, idKey)) throw new Error(`the id ${id} is there twice`);
    this.#row += 1;
    this.#lastCreationTime = Math.max(this.#lastCreationTime, time);
    const insertEntry = this.#database.prepare('INSERT INTO index_entries VALUES (?, ?, ?)');
    this.#database
      .prepare('INSERT INTO documents VALUES (?, ?, ?, ?)')
      .run(this.#row, doc.id, doc.size, doc.json);
    insertEntry.run(idIndex.number, idKey, this.#row);
    insertEntry.run(timeIndex.number, indexKey(timeIndex, document), this.#row);
  }
}

function idOf(table: TableInfo, { _id: id }: DocValue, time: number): string {
  if (id === undefined) return newId(table.number, time);
  if (typeof id !== 'string') throw new Error('the id is no text');
  const decoded = decodeId(id);
  if ('error' in decoded) throw new Error(decoded.error);
  if (decoded.tableNumber === table.number) return id;
  throw new Error(`the id is of table ${decoded.tableNumber}, not of ${table.number}`);
}

function invalid(reason: string, cause?: unknown): SnapshotError {
  return new SnapshotError('SnapshotInvalid', `The file cannot be imported: ${reason}`, { cause });
}
