import { applySchema } from './apply-schema.ts';
import { byCreationTime, byId, emptyTable, firstTableNumber, indexInfo } from './catalog.ts';
import type { Catalog, TableInfo } from './catalog.ts';
import { loadCatalog } from './catalog-table.ts';
import { writeCommit } from './commit.ts';
import { Database, RowQuery } from './database.ts';
import { DocumentTable } from './document-table.ts';
import type { Commit } from './executor.ts';
import { defaultLimits, noLimits } from './limits.ts';
import type { TransactionLimits } from './limits.ts';
import { nextDouble } from './next-double.ts';
import { parseSchema } from './schema.ts';
import type { SchemaJson } from './schema.ts';
import { searchVectors } from './search/search-vectors.ts';
import type { VectorMatch } from './search/vector-index-table.ts';
import type { VectorSearchJson } from './search/vector-query.ts';
import type { SearchOptions } from './search/search-tables.ts';
import { SessionRequests } from './session-requests.ts';
import type { RecordedRequest } from './session-requests.ts';
import { StoreError, translatingErrors } from './store-error.ts';
import { createSystemTables, isSystemTable } from './system-tables.ts';
import { Transaction } from './transaction.ts';
import type { RequestRecord, TransactionHost, WrittenTransaction } from './transaction.ts';

export interface StoreOptions {
  limits?: Partial<TransactionLimits>;
  /** Milliseconds since 1970. */
  now?: () => number;
  /** For another process, that is perhaps just ending, to let go of the file. Milliseconds. */
  lockWaitMs?: number;
  /** What the timestamp of the newest commit is raised to when it is lower. Nanoseconds. */
  minimumTs?: bigint;
  search?: SearchOptions;
}

/**
 * The database: a file that belongs to this process alone, its tables and indexes, and the
 * clock of its commits. One writing transaction at a time; a transaction is valid until the
 * next commit. Throws `StoreError` when the file cannot be used.
 */
export class Store {
  readonly #database: Database;
  readonly #documents: DocumentTable;
  readonly #requests: SessionRequests;
  readonly #limits: TransactionLimits;
  readonly #now: () => number;
  readonly #host: TransactionHost;
  #catalog: Catalog;
  #lastTs: bigint;
  #lastCreationTime: number;
  #nextTableNumber: number;
  #writer: Transaction | null = null;

  private constructor(database: Database, options: StoreOptions) {
    this.#database = database;
    createSystemTables(database);
    this.#documents = new DocumentTable(database, options.search);
    this.#requests = new SessionRequests(database);
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#now = options.now ?? Date.now;
    const meta = readMeta(database);
    this.#lastTs = meta.lastTs;
    this.#lastCreationTime = meta.lastCreationTime;
    this.#catalog = loadCatalog(database);
    this.#restoreValidators(meta.schema);
    this.#nextTableNumber = highestNumber(this.#catalog) + 1;
    this.#host = this.#transactionHost();
  }

  /** `path` may be `:memory:`. Creates the file when there is none. */
  static open(path: string, options: StoreOptions = {}): Store {
    const database = Database.open(path, options.lockWaitMs ?? defaultLockWaitMs);
    try {
      const store = translatingErrors(path, () => new Store(database, options));
      store.#raiseTs(options.minimumTs ?? 0n);
      store.#requests.prune(store.#now());
      return store;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Of the newest commit, also after a restart. Nanoseconds; never goes back. */
  get lastTs(): bigint {
    return this.#lastTs;
  }

  /** `isSystem`: the engine's own, for system tables, which no function runs in. */
  begin(
    options: { readOnly?: boolean; isSystem?: boolean; limits?: Partial<TransactionLimits> } = {},
  ): Transaction {
    const { readOnly = false, isSystem = false } = options;
    if (!readOnly && this.#writer !== null) throw new StoreError('WriteInProgress', '');
    const now = this.#now();
    const transaction = new Transaction(this.#host, {
      readOnly,
      limits: isSystem ? noLimits : { ...this.#limits, ...options.limits },
      commitTs: this.#nextTs(),
      now,
      creationTime: Math.max(now, nextDouble(this.#lastCreationTime)),
      isSystem,
    });
    if (!readOnly) this.#writer = transaction;
    return transaction;
  }

  /**
   * Brings tables and indexes in line with a schema; null: no schema. Throws a `SchemaError`
   * when it is not valid or a row does not fit, and then everything stays as it was.
   */
  applySchema(json: SchemaJson | null): void {
    this.#applySchema(json, this.#lastTs);
  }

  /** The same while functions are served: what was read before is out of date. Returns the new timestamp. */
  replaceSchema(json: SchemaJson | null): bigint {
    return this.#applySchema(json, this.#nextTs());
  }

  #applySchema(json: SchemaJson | null, ts: bigint): bigint {
    if (this.#writer !== null) throw new StoreError('WriteInProgress', '');
    const schema = parseSchema(json ?? noSchema);
    this.#catalog = this.#database.transaction(() => {
      const next = applySchema(this.#database, this.#documents, this.#catalog, schema);
      const text = json === null ? null : JSON.stringify(json);
      this.#database.prepare('UPDATE deployed_schema SET json = ?').run(text);
      this.#database.prepare('UPDATE meta SET last_ts = ?').run(ts);
      return next;
    });
    this.#lastTs = ts;
    this.#nextTableNumber = Math.max(this.#nextTableNumber, highestNumber(this.#catalog) + 1);
    return ts;
  }

  /** Nanoseconds: the clock's, or just after the newest commit when the clock lags behind. */
  #nextTs(): bigint {
    const wallClock = BigInt(Math.floor(this.#now())) * 1_000_000n;
    const following = this.#lastTs + 1n;
    return wallClock > following ? wallClock : following;
  }

  /** Rows per table; system tables left out. */
  tableCounts(): Record<string, number> {
    const tables = [...this.#catalog].filter((table) => !isSystemTable(table));
    return Object.fromEntries(tables.map((table) => [table.name, table.documents]));
  }

  /** What a mutation answered that was sent before; null: it has not run. */
  findRequest(sessionId: string, requestId: number): RecordedRequest | null {
    return this.#requests.find(sessionId, requestId);
  }

  /** For `v.id()` outside of a transaction: the table with this number in its ids, or null. */
  tableName(number: number): string | null {
    return this.#catalog.numbered(number)?.name ?? null;
  }

  /** Of the committed documents, as they are now. Throws a `FunctionError`. */
  searchVectors(search: VectorSearchJson): VectorMatch[] {
    return searchVectors(this.#catalog, this.#documents.search, search);
  }

  /** All that is committed, at one moment, into a new file; others go on reading and writing. */
  async copyTo(path: string): Promise<void> {
    await this.#database.copyTo(path);
  }

  close(): void {
    this.#database.close();
  }

  #raiseTs(minimum: bigint): void {
    if (this.#lastTs >= minimum) return;
    this.#database.prepare('UPDATE meta SET last_ts = ?').run(minimum);
    this.#lastTs = minimum;
  }

  #transactionHost(): TransactionHost {
    const lastTs = (): bigint => this.#lastTs;
    return {
      documents: this.#documents,
      get lastTs() {
        return lastTs();
      },
      tableNamed: (name) => this.#catalog.named(name),
      tableNumbered: (number) => this.#catalog.numbered(number),
      tables: () => this.#catalog,
      draftTable: (name) => this.#draftTable(name),
      commit: (transaction, request) => this.#commit(transaction, request),
      ended: (transaction) => {
        if (this.#writer === transaction) this.#writer = null;
      },
    };
  }

  /** Its number is spent even if the transaction fails: an id never names two tables. */
  #draftTable(name: string): TableInfo {
    const number = this.#nextTableNumber++;
    const indexes = [indexInfo(0, name, byId, []), indexInfo(0, name, byCreationTime, [])];
    return emptyTable(number, name, indexes);
  }

  #commit(transaction: WrittenTransaction, request: RequestRecord | null): Commit {
    const creationTime = transaction.lastCreationTime ?? this.#lastCreationTime;
    const commit = this.#database.transaction(() => {
      const written = writeCommit(this.#database, this.#documents, transaction);
      if (request !== null) this.#requests.record(request, transaction.ts);
      this.#database
        .prepare('UPDATE meta SET last_ts = ?, last_creation_time = ?')
        .run(transaction.ts, creationTime);
      return written;
    });
    // On disk: only now may the memory follow.
    this.#lastTs = transaction.ts;
    this.#lastCreationTime = creationTime;
    for (const table of transaction.writes.createdTables) this.#catalog.add(table);
    for (const [table, change] of transaction.writes.counts) table.documents += change;
    if (request !== null) this.#requests.pruneSometimes(this.#now());
    return commit;
  }

  /** The schema that the rows were checked against goes on being enforced after a restart. */
  #restoreValidators(text: string | null): void {
    if (text === null) return;
    // `applySchema` stored it after parsing it.
    const { tables } = parseSchema(JSON.parse(text) as SchemaJson);
    for (const { name, validator, stagedIndexes } of tables) {
      const table = this.#catalog.named(name);
      if (table === null) continue;
      table.validator = validator;
      table.stagedIndexes = stagedIndexes;
    }
  }
}

const defaultLockWaitMs = 2000;

const noSchema: SchemaJson = { tables: [], schemaValidation: false };

function highestNumber(catalog: Catalog): number {
  return Math.max(firstTableNumber - 1, ...[...catalog].map((table) => table.number));
}

function readMeta(database: Database): {
  lastTs: bigint;
  lastCreationTime: number;
  schema: string | null;
} {
  const row = new RowQuery<[string, number, string | null]>(
    database,
    'SELECT CAST(last_ts AS TEXT), last_creation_time, json FROM meta, deployed_schema',
  ).first();
  if (row === null) throw new StoreError('DatabaseCorrupt', 'the table meta is empty');
  const [lastTs, lastCreationTime, schema] = row;
  return { lastTs: BigInt(lastTs), lastCreationTime, schema };
}
