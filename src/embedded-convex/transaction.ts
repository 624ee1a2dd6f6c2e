import { byId, indexKeys } from './catalog.ts';
import type { IndexInfo, TableInfo } from './catalog.ts';
import { Doc } from './doc.ts';
import type { DocValue } from './doc.ts';
import {
  checkSystemFields,
  checkTableName,
  withCommitTs,
  withoutSystemFields,
  withSystemFields,
} from './document-rules.ts';
import type { DocumentTable } from './document-table.ts';
import type { Commit, ReadSet } from './executor.ts';
import { FunctionError } from './function-error.ts';
import { checkTable, checkTableKind, invalidId } from './id-rules.ts';
import { everything } from './index-range.ts';
import type { KeyInterval } from './index-range.ts';
import { IndexScan } from './index-scan.ts';
import type { ScannedDocument } from './index-scan.ts';
import { Usage } from './limits.ts';
import type { TransactionLimits } from './limits.ts';
import type { Version } from './overlay.ts';
import { readPage } from './page.ts';
import type { Page, PageRequest } from './page.ts';
import { compileOperators, compileSource, expectedRows, QueryStream } from './query.ts';
import type { CompiledSource, QueryJson } from './query.ts';
import { nextDouble } from './next-double.ts';
import { ReadRecorder } from './read-set.ts';
import { openTextSearch } from './search/open-text-search.ts';
import { StoreError } from './store-error.ts';
import { isSystemTable, publicIndexes } from './system-tables.ts';
import { systemVersion } from './system-version.ts';
import { validationProblem } from './validate.ts';
import { decodeId, newId } from './values/ids.ts';
import { encodeKey } from './values/keys.ts';
import { WriteBuffer } from './write-buffer.ts';
import type { WriteTarget } from './write-buffer.ts';

/** What a transaction needs of the store that began it. */
export interface TransactionHost {
  readonly documents: DocumentTable;
  readonly lastTs: bigint;
  tableNamed(name: string): TableInfo | null;
  tableNumbered(number: number): TableInfo | null;
  tables(): Iterable<TableInfo>;
  /** A table that exists for this transaction alone until it commits. */
  draftTable(name: string): TableInfo;
  commit(transaction: WrittenTransaction, request: RequestRecord | null): Commit;
  /** Once, however the transaction ends. */
  ended(transaction: Transaction): void;
}

export interface WrittenTransaction {
  /** Of the commit. Nanoseconds. */
  readonly ts: bigint;
  readonly writes: WriteBuffer;
  readonly lastCreationTime: number | null;
}

/** A mutation's answer, kept so that a resent request gets it again instead of a second run. */
export interface RequestRecord {
  sessionId: string;
  requestId: number;
  /** Convex JSON text of the returned value. */
  result: string;
  logLines: string[];
}

export interface OpenQuery {
  /** null: no more. */
  next(): Doc | null;
  close(): void;
}

export interface TransactionOptions {
  readOnly: boolean;
  limits: TransactionLimits;
  /** Nanoseconds: what a commit will have. */
  commitTs: bigint;
  /** Milliseconds since 1970. */
  now: number;
  /** Milliseconds with a fraction: the `_creationTime` of the first insert. */
  creationTime: number;
  /** The engine's own, for system tables: sees all of their indexes. */
  isSystem: boolean;
}

/**
 * One run's view of the database: the snapshot it began at plus its own writes, which stay
 * in memory until `commit`. Everything is synchronous. A function's mistake (wrong id,
 * schema mismatch, limit) is a `FunctionError` with Convex's own text; a failing disk, or use
 * after the end, a `StoreError`.
 */
export class Transaction {
  /** Of the snapshot. Nanoseconds. */
  readonly ts: bigint;
  /**
   * Milliseconds since 1970: what time it is for the function that runs. Of the first insert's
   * `_creationTime` the whole part, unless the clock was set back: then that is behind it, or
   * time would stand still until the clock is there again.
   */
  readonly now: number;
  readonly #host: TransactionHost;
  readonly #options: TransactionOptions;
  /** What it has used of its limits. */
  readonly usage: Usage;
  readonly #reads: ReadRecorder;
  readonly #writes: WriteBuffer;
  #lastCreationTime: number | null = null;
  #ended = false;

  constructor(host: TransactionHost, options: TransactionOptions) {
    this.#host = host;
    this.#options = options;
    this.ts = host.lastTs;
    this.now = options.now;
    this.usage = new Usage(options.limits);
    this.#reads = new ReadRecorder(this.usage);
    this.#writes = new WriteBuffer(this.usage);
  }

  /** `isSystem`: asked through `db.system`, which has the system tables and no others. */
  get(id: string, table?: string, isSystem = false): Doc | null {
    this.#checkLive();
    this.usage.call();
    const method = isSystem ? 'db.system.get' : 'db.get';
    const found = this.#resolve(id, method);
    if (found === null) return null;
    checkTableKind(found, isSystem);
    checkTable(method, table, found.name);
    return this.#read(found, id)?.doc ?? null;
  }

  /** Returns the new id. */
  insert(table: string, value: DocValue): string {
    this.#checkWritable();
    const info = this.#tableForInsert(table);
    const creationTime = this.#takeCreationTime();
    const id = newId(info.number, creationTime);
    this.#writes.insert(info, this.#version(info, id, creationTime, value));
    return id;
  }

  /** A top-level field that is present and undefined is removed. */
  patch(id: string, fields: DocValue, table?: string): Doc {
    const target = this.#target(id, table, 'db.patch', 'Update');
    const value: DocValue = { ...target.doc.value };
    for (const [name, field] of Object.entries(fields)) {
      if (field === undefined) delete value[name];
      else value[name] = field;
    }
    return this.#replaceWith(target, value);
  }

  replace(id: string, value: DocValue, table?: string): Doc {
    return this.#replaceWith(this.#target(id, table, 'db.replace', 'Replace'), value);
  }

  /** Returns the document that was removed. */
  remove(id: string, table?: string): Doc {
    const target = this.#target(id, table, 'db.delete', 'Delete');
    this.#writes.write(target, null);
    return target.doc;
  }

  /** A row of a system table, whatever its size; what functions may use counts none of this. */
  insertSystem(table: string, value: DocValue): string {
    this.#checkWritable();
    const info = this.#table(table);
    if (info === null) throw new Error(`there is no system table ${table}`);
    const creationTime = this.#takeCreationTime();
    const id = newId(info.number, creationTime);
    this.#writes.insert(info, systemVersion(info, id, creationTime, value));
    return id;
  }

  getSystem(id: string): Doc | null {
    this.#checkLive();
    return this.#systemTarget(id)?.doc ?? null;
  }

  /** null removes the row. Nothing happens when it is not there. */
  writeSystem(id: string, value: DocValue | null): void {
    this.#checkWritable();
    const target = this.#systemTarget(id);
    if (target === null) return;
    const { table, doc } = target;
    const creationTime = Number(doc.value['_creationTime']);
    const next = value === null ? null : systemVersion(table, id, creationTime, value);
    this.#writes.write(target, next);
  }

  /** Throws the `FunctionError` of a transaction that schedules too much. */
  countScheduled(bytes: number): void {
    this.usage.schedule(bytes);
  }

  openQuery(query: QueryJson): OpenQuery {
    this.#checkLive();
    this.usage.call();
    const source = this.#compile(query);
    const operators = [...source.operators, ...compileOperators(query.operators)];
    const scan = this.#openScan(source, source.interval, expectedRows(operators));
    const stream = new QueryStream(() => scan.next(), operators);
    return {
      next: () => {
        this.#checkLive();
        return stream.next();
      },
      close: () => scan.close(),
    };
  }

  queryPage(query: QueryJson, request: PageRequest): Page {
    this.#checkLive();
    this.usage.call();
    const source = this.#compile(query);
    const operators = [...source.operators, ...compileOperators(query.operators)];
    const opened: { close(): void }[] = [];
    try {
      return readPage(query, source, operators, request, (interval, expected) => {
        const scan = this.#openScan(source, interval, operators.length === 0 ? expected : null);
        opened.push(scan);
        return () => scan.next();
      });
    } finally {
      for (const scan of opened) scan.close();
    }
  }

  count(table: string): number {
    this.#checkLive();
    this.#reads.interval(`${table}.${byId}`, everything);
    const info = this.#table(table);
    return info === null ? 0 : info.documents + (this.#writes.counts.get(info) ?? 0);
  }

  /** Of the tables that are not the system's, in alphabetical order. */
  tableNames(): string[] {
    this.#checkLive();
    this.#reads.interval(tableNamesIndex, everything);
    return Array.from(this.#host.tables())
      .filter((table) => !isSystemTable(table))
      .map(({ name }) => name)
      .toSorted();
  }

  /** The id itself if it is one of the table's, whether its document exists or not; else null. */
  normalizeId(table: string, id: string): string | null {
    this.#checkLive();
    const decoded = decodeId(id);
    if ('error' in decoded) return null;
    const info = this.#table(table);
    if (info === null) this.#readTableNames();
    return info?.number === decoded.tableNumber ? id : null;
  }

  /** For validators: the table with this number in its ids, or null. */
  tableName(number: number): string | null {
    return this.#numbered(number)?.name ?? null;
  }

  /** Savepoints nest: rolling back to or releasing one ends those opened after it. */
  savepoint(): number {
    this.#checkLive();
    return this.#writes.savepoint();
  }

  /** Undoes what was written since; what was read stays read. The savepoint remains. */
  rollbackTo(savepoint: number): void {
    this.#writes.rollbackTo(savepoint);
  }

  release(savepoint: number): void {
    this.#writes.release(savepoint);
  }

  /** Of everything read until now; also after a failure, and after the end. */
  readSet(): ReadSet {
    return this.#reads.readSet();
  }

  /** null: nothing was written and there was nothing to record. Ends the transaction. */
  commit(options: { request?: RequestRecord } = {}): Commit | null {
    this.#checkLive();
    const request = options.request ?? null;
    if (this.#writes.isEmpty && request === null) {
      this.close();
      return null;
    }
    this.#checkWritable();
    const lastCreationTime = this.#lastCreationTime;
    const written = { ts: this.#options.commitTs, writes: this.#writes, lastCreationTime };
    const commit = this.#host.commit(written, request);
    this.close();
    return commit;
  }

  /** Ends the transaction without a trace; harmless after `commit`. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#host.ended(this);
  }

  #checkLive(): void {
    if (this.#ended || this.#host.lastTs !== this.ts) throw new StoreError('TransactionEnded', '');
  }

  #checkWritable(): void {
    this.#checkLive();
    if (this.#options.readOnly) {
      throw new FunctionError('OperationNotAllowed', 'Queries cannot write to the database.');
    }
  }

  #table(name: string): TableInfo | null {
    return this.#writes.createdTable(name) ?? this.#host.tableNamed(name);
  }

  #numbered(number: number): TableInfo | null {
    const stored = this.#host.tableNumbered(number);
    if (stored !== null) return stored;
    return this.#writes.createdTables.find((table) => table.number === number) ?? null;
  }

  #tableForInsert(name: string): TableInfo {
    const existing = this.#table(name);
    if (existing !== null && isSystemTable(existing)) {
      throw new FunctionError('ReadonlyTable', `${name} is a read-only table`);
    }
    if (existing !== null) return existing;
    checkTableName(name);
    const created = this.#host.draftTable(name);
    this.#writes.createTable(created);
    return created;
  }

  /** The table of an id; null when no table has its number. */
  #resolve(id: string, method: string): TableInfo | null {
    const decoded = decodeId(id);
    if ('error' in decoded) throw invalidId(method, decoded.error);
    const info = this.#numbered(decoded.tableNumber);
    if (info === null) this.#readTableNames();
    return info;
  }

  /** What depends on a table not existing depends on every creation of a table. */
  #readTableNames(): void {
    this.#reads.interval(tableNamesIndex, everything);
  }

  #read(table: TableInfo, id: string): WriteTarget | null {
    const found = this.#find(table, id);
    if (found !== null) this.usage.read(found.doc.size);
    return found;
  }

  #systemTarget(id: string): WriteTarget | null {
    const info = this.#resolve(id, 'db.system.get');
    return info === null || !isSystemTable(info) ? null : this.#find(info, id);
  }

  #find(table: TableInfo, id: string): WriteTarget | null {
    const [byIdIndex] = table.indexes;
    if (byIdIndex === undefined) throw new Error(`${table.name} has no indexes`);
    const key = encodeKey([id]);
    this.#reads.point(byIdIndex.qualifiedName, key);
    const touched = this.#writes.overlay.document(id);
    if (touched !== null) {
      const doc = touched.current?.doc;
      return doc === undefined ? null : { table, doc, place: touched };
    }
    if (this.#writes.createdTable(table.name) !== null) return null;
    const stored = this.#host.documents.find(byIdIndex, key);
    return stored === null ? null : { table, doc: stored.doc, place: stored.row };
  }

  #target(id: string, table: string | undefined, method: string, verb: string): WriteTarget {
    this.#checkWritable();
    const info = this.#resolve(id, method);
    if (info === null) throw invalidId(method, `Table for ID "${id}" not found`);
    checkTableKind(info, false);
    checkTable(method, table, info.name);
    const target = this.#read(info, id);
    if (target !== null) return target;
    throw new FunctionError('NonexistentDocument', `${verb} on nonexistent document ID ${id}`);
  }

  #replaceWith(target: WriteTarget, value: DocValue): Doc {
    const { table, doc } = target;
    const creationTime = doc.value['_creationTime'];
    if (typeof creationTime !== 'number') throw new Error(`${doc.id} has no _creationTime`);
    const next = this.#version(table, doc.id, creationTime, value);
    // Writing the same again is no write: it wakes no subscriber.
    if (next.doc.json === doc.json) return doc;
    this.#writes.write(target, next);
    return next.doc;
  }

  #version(table: TableInfo, id: string, creationTime: number, value: DocValue): Version {
    checkSystemFields(id, creationTime, value);
    // A single writer knows its timestamp beforehand.
    const resolved = withCommitTs(value, this.#options.commitTs);
    const doc = Doc.encode(id, withSystemFields(resolved, id, creationTime));
    if (table.validator !== null) this.#validate(table, table.validator, resolved);
    return { doc, keys: indexKeys(table, doc.value) };
  }

  #validate(table: TableInfo, validator: NonNullable<TableInfo['validator']>, value: DocValue) {
    const problem = validationProblem(validator, withoutSystemFields(value), (number) =>
      this.tableName(number),
    );
    if (problem === null) return;
    throw new FunctionError(
      'SchemaEnforcementError',
      `Failed to insert or update a document in table "${table.name}" because it does not match the schema: ${problem}`,
    );
  }

  #takeCreationTime(): number {
    const last = this.#lastCreationTime;
    const time = last === null ? this.#options.creationTime : nextDouble(last);
    this.#lastCreationTime = time;
    return time;
  }

  #compile(query: QueryJson): CompiledSource {
    const source = compileSource(query.source, {
      table: (name) => this.#table(name),
      indexesOf: (name) => this.#indexesOf(name),
      commitTs: this.#options.commitTs,
    });
    // A search of a table that does not exist yet has no keys to wait for.
    if (query.source.type === 'Search' && source.search === null) this.#readTableNames();
    return source;
  }

  #indexesOf(name: string): readonly IndexInfo[] | null {
    const table = this.#table(name);
    if (table === null || this.#options.isSystem) return table?.indexes ?? null;
    return publicIndexes(table);
  }

  #openScan(
    source: CompiledSource,
    interval: KeyInterval,
    expected: number | null,
  ): { next(): ScannedDocument | null; close(): void } {
    const { search, index, indexName, order } = source;
    if (search !== null) {
      const [documents, overlay] = [this.#host.documents, this.#writes.overlay];
      const [reads, usage] = [this.#reads, this.usage];
      return openTextSearch(search, interval, { documents, overlay, reads, usage });
    }
    const record = this.#reads.scan(indexName, interval, order);
    const scan = index === null ? null : this.#indexScan(index, interval, order, expected);
    return {
      next: () => {
        const found = scan?.next() ?? null;
        if (found === null) {
          record.exhausted = true;
          record.closed = true;
          return null;
        }
        record.last = found.key;
        this.usage.read(found.doc.size);
        return found;
      },
      close: () => {
        record.closed = true;
      },
    };
  }

  #indexScan(
    index: IndexInfo,
    interval: KeyInterval,
    order: CompiledSource['order'],
    expected: number | null,
  ): IndexScan {
    const [tableName = ''] = index.qualifiedName.split('.');
    const stored = this.#writes.createdTable(tableName) === null ? this.#host.documents : null;
    return new IndexScan(
      { stored, overlay: this.#writes.overlay },
      index,
      interval,
      order,
      expected,
    );
  }
}

/** Commits that create a table name it here; never a table of its own. */
export const tableNamesIndex = '_tables.by_name';
