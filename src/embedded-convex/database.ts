import { chmodSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import { StoreError, translateError, translatingErrors } from './store-error.ts';
import { walDamage } from './wal-damage.ts';

/**
 * The SQLite file: opens it for this process alone, checks that it is ours and whole, and
 * keeps every statement prepared. Nothing here ever deletes or rebuilds a file.
 */
export class Database {
  readonly path: string;
  readonly #sqlite: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(path: string, sqlite: DatabaseSync) {
    this.path = path;
    this.#sqlite = sqlite;
  }

  /**
   * `path` may be `:memory:`. Creates the file (0600) and its folder. Waits `lockWaitMs` for
   * another process to end. Throws `StoreError`.
   */
  static open(path: string, lockWaitMs: number): Database {
    return translatingErrors(path, () => {
      if (path !== ':memory:') {
        checkBeforeOpening(path, lockWaitMs);
        prepareFile(path);
      }
      const sqlite = new DatabaseSync(path, { timeout: lockWaitMs });
      try {
        return initialise(new Database(path, sqlite));
      } catch (error) {
        sqlite.close();
        throw error;
      }
    });
  }

  /** The same statement object for the same text. */
  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#sqlite.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  execute(sql: string): void {
    this.#sqlite.exec(sql);
  }

  /** All or nothing, on disk before it returns. Throws `StoreError` for what SQLite throws. */
  transaction<Result>(run: () => Result): Result {
    return translatingErrors(this.path, () => {
      this.prepare('BEGIN IMMEDIATE').run();
      try {
        const result = run();
        this.prepare('COMMIT').run();
        return result;
      } catch (error) {
        // Some failures (a full disk) have already rolled back.
        if (this.#sqlite.isTransaction) this.prepare('ROLLBACK').run();
        throw error;
      }
    });
  }

  /** Returns what `run` returns, after undoing all that it wrote. Nothing reaches the file. */
  rehearse<Result>(run: () => Result): Result {
    return translatingErrors('reading', () => {
      this.prepare('BEGIN IMMEDIATE').run();
      try {
        return run();
      } finally {
        if (this.#sqlite.isTransaction) this.prepare('ROLLBACK').run();
      }
    });
  }

  /**
   * Copies all that is committed into a new file, in small steps, while everything else goes on.
   * What is committed meanwhile is in the copy as well; the copy is one state, the last.
   */
  async copyTo(path: string): Promise<void> {
    await backup(this.#sqlite, path, { rate: copiedPages });
  }

  /** Once is enough. */
  close(): void {
    this.#statements.clear();
    if (this.#sqlite.isOpen) this.#sqlite.close();
  }
}

/** A prepared SELECT whose rows are arrays; `Columns` are the types of its column list. */
export class RowQuery<Columns extends unknown[]> {
  readonly #statement: StatementSync;
  readonly #path: string;

  constructor(database: Database, sql: string) {
    this.#path = database.path;
    this.#statement = database.prepare(sql);
    this.#statement.setReturnArrays(true);
  }

  first(...parameters: SQLInputValue[]): Columns | null {
    try {
      const row: unknown = this.#statement.get(...parameters);
      // The statement's text names the columns; SQLite checks nothing.
      return row === undefined ? null : (row as Columns);
    } catch (error) {
      throw translateError(this.#path, error);
    }
  }

  all(...parameters: SQLInputValue[]): Columns[] {
    try {
      const rows: unknown = this.#statement.all(...parameters);
      // As above.
      return rows as Columns[];
    } catch (error) {
      throw translateError(this.#path, error);
    }
  }
}

/**
 * A parameter for a LIMIT. A bare `?` there has SQLite compile the statement anew whenever it is
 * bound, to plan for its value: that is three quarters of what reading a few rows takes.
 */
export const boundLimit = '+?';

/** "oaCX": marks the file as ours, for `file` and for us. */
const applicationId = 0x6f614358;
const formatVersion = 1;
/** The inner pages of the indexes of some gigabytes; taken up only as the file grows. */
const cacheKibibytes = 16 * 1024;
/** 16 MiB: pages that many commits touch are then copied back once for all of them. */
const checkpointPages = 4096;
/** 4 MiB: what others wait for at most while a copy is made. */
const copiedPages = 1024;
/** Reading this much takes well under a second; above it only the structure is looked at. */
const fullCheckBytes = 256 * 1024 * 1024;

/** For what SQLite would take as harmless: a log that is cut off, a file that holds nothing. */
function checkBeforeOpening(path: string, lockWaitMs: number): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) return;
  if (size === 0) throw new StoreError('DatabaseCorrupt', `${path} (it is empty)`);
  if (walDamage(`${path}-wal`) === null) return;
  // Another process may be writing it just now. Read-only, because SQLite would tidy up the log
  // when it closes a database that it can write to.
  const sqlite = new DatabaseSync(path, { timeout: lockWaitMs, readOnly: true });
  try {
    sqlite.exec('SELECT 1 FROM sqlite_schema');
  } finally {
    sqlite.close();
  }
  const damage = walDamage(`${path}-wal`);
  if (damage !== null) throw new StoreError('DatabaseCorrupt', `${path}-wal (${damage})`);
}

function prepareFile(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(path, 'a', 0o600));
    // SQLite gives its -wal file the mode of the database.
    chmodSync(path, 0o600);
  } catch (error) {
    throw new StoreError('DatabaseUnreadable', path, { cause: error });
  }
}

function initialise(database: Database): Database {
  const { path } = database;
  // The lock is held for the life of the process and ends with it, also by kill -9. It also
  // spares every statement the shared-memory locks (a point read: 0.7 instead of 2.4 µs).
  database.execute('PRAGMA locking_mode = EXCLUSIVE');
  const isNew = readPragma(database, 'schema_version') === 0;
  if (!isNew) checkOurs(database, path);
  // FULL: an acknowledged commit survives a power cut, and timestamps never go back.
  database.execute('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  database.execute(`PRAGMA cache_size = ${-cacheKibibytes}`);
  database.execute(`PRAGMA wal_autocheckpoint = ${checkpointPages}`);
  database.execute('BEGIN EXCLUSIVE; COMMIT');
  if (isNew) create(database);
  else checkWhole(database, path);
  return database;
}

function checkOurs(database: Database, path: string): void {
  if (readPragma(database, 'application_id') !== applicationId) {
    throw new StoreError('DatabaseForeign', path);
  }
  const version = readPragma(database, 'user_version');
  if (version > formatVersion) {
    throw new StoreError(
      'DatabaseTooNew',
      `${path} has format ${version}, known: ${formatVersion}`,
    );
  }
}

function checkWhole(database: Database, path: string): void {
  if (path === ':memory:' || statSync(path).size > fullCheckBytes) return;
  for (const [name] of new RowQuery<[string]>(database, storedTables).all()) {
    const [text] = new RowQuery<[string]>(database, `PRAGMA quick_check("${name}")`).first() ?? [
      '',
    ];
    if (text !== 'ok') throw new StoreError('DatabaseCorrupt', `${path} (${text})`);
  }
}

/**
 * Virtual tables left out: checking a full-text index reads every word of it, which takes
 * longer than all the rest. What it is made of is in tables of its own, and they are checked.
 */
const storedTables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0";

function readPragma(database: Database, name: string): number {
  return new RowQuery<[number]>(database, `PRAGMA ${name}`).first()?.[0] ?? 0;
}

function create(database: Database): void {
  database.transaction(() => {
    database.execute(tables);
    database.execute(
      `PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${formatVersion}`,
    );
  });
}

const tables = `
  -- One row: what must never go back. Nanoseconds; milliseconds with a fraction.
  CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    last_ts INTEGER NOT NULL,
    last_creation_time REAL NOT NULL
  );
  INSERT INTO meta VALUES (1, 0, 0);
  -- One row. Apart from meta: that is written with every commit, and this may be many pages.
  CREATE TABLE deployed_schema (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    json TEXT
  );
  INSERT INTO deployed_schema VALUES (1, NULL);
  -- Numbers are part of document ids: never reused, never deleted.
  CREATE TABLE tables (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    documents INTEGER NOT NULL
  );
  CREATE TABLE indexes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    table_number INTEGER NOT NULL REFERENCES tables (number),
    name TEXT NOT NULL,
    fields TEXT NOT NULL,
    UNIQUE (table_number, name)
  );
  CREATE TABLE documents (
    document INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    size INTEGER NOT NULL,
    json TEXT NOT NULL
  );
  -- Every index of every table, by_id and by_creation_time among them.
  CREATE TABLE index_entries (
    index_number INTEGER NOT NULL,
    key BLOB NOT NULL,
    document INTEGER NOT NULL,
    PRIMARY KEY (index_number, key)
  ) WITHOUT ROWID;
  -- Answers of mutations, so that a resent request does not run twice. WITHOUT ROWID, because
  -- node:sqlite reports the newest row id after every statement and fails above 2^53.
  CREATE TABLE session_requests (
    ts INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL,
    request_id INTEGER NOT NULL,
    result TEXT NOT NULL,
    log_lines TEXT NOT NULL,
    UNIQUE (session_id, request_id)
  ) WITHOUT ROWID;
`;
