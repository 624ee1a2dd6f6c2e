/**
 * The items that the session files of one thread hold, until they are compared with its
 * rows. In a temporary database, which SQLite keeps in memory while it is small and in an
 * unnamed file when it is not: a file of gigabytes must not become an array.
 */
import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import type { ThreadItem } from '../../codex/thread-item.ts';
import type { FiledItem } from './compare-row.ts';
import { nextWord } from './next-word.ts';
import { isReverted, type Revert } from './reverts.ts';

export interface StoredItem extends FiledItem {
  key: string;
  /** Which of the thread's files. */
  file: number;
  /** Where the line stands that told it last. */
  offset: number;
  /** Part of it, or all, stands where the tail has not read yet. */
  isBehind: boolean;
  /** All of it does. */
  isAllBehind: boolean;
  /** A row was found for it. */
  isMatched: boolean;
}

/** The line of an item, and which file it is of. */
export interface ItemPlace {
  file: number;
  offset: number;
  lineLength: number;
  isBehind: boolean;
}

interface MatchedRow {
  key: string;
  runId?: string;
  createdAt: number;
}

/** KiB. */
const CACHE = 16 * 1024;

export class ItemStore {
  readonly #database = new DatabaseSync('');
  readonly #insert;
  readonly #update;
  readonly #select;
  readonly #mark;

  constructor() {
    this.#database.exec(`
      PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -${CACHE};
      CREATE TABLE items (
        key TEXT, file INTEGER, item TEXT, offset INTEGER, lineLength INTEGER,
        isBehind INTEGER, isAllBehind INTEGER, isMatched INTEGER DEFAULT 0, kind TEXT, role TEXT,
        runId TEXT, createdAt INTEGER,
        PRIMARY KEY (key, file)
      );
      CREATE INDEX unmatched ON items (isMatched, key);
      CREATE TABLE forms (form TEXT PRIMARY KEY);
      BEGIN`);
    this.#insert = this.#database.prepare(`
      INSERT INTO items (key, file, item, offset, lineLength, isBehind, isAllBehind, kind, role)
      VALUES (:key, :file, :item, :offset, :lineLength, :isBehind, :isBehind, :kind, :role)
      ON CONFLICT DO NOTHING`);
    this.#update = this.#database.prepare(`
      UPDATE items SET item = :item, offset = :offset, lineLength = max(lineLength, :lineLength),
        isBehind = max(isBehind, :isBehind)
      WHERE key = :key AND file = :file`);
    this.#select = this.#database.prepare('SELECT * FROM items WHERE key = ?');
    this.#mark = this.#database.prepare(
      'UPDATE items SET isMatched = 1, runId = :runId, createdAt = :createdAt WHERE key = :key',
    );
  }

  put(item: ThreadItem, place: ItemPlace): void {
    const { key, kind, role = null } = item;
    const { file, offset, lineLength, isBehind } = place;
    const at = { key, file, offset, lineLength, isBehind: Number(isBehind) };
    const { changes } = this.#insert.run({ ...at, item: JSON.stringify(item), kind, role });
    if (changes > 0) return;
    const known = this.get(key).find((stored) => stored.file === file);
    const next = known && nextWord(known.item, item);
    if (next != null) this.#update.run({ ...at, item: JSON.stringify(next) });
  }

  /** As each file of the thread has it. */
  get(key: string): StoredItem[] {
    return this.#select.all(key).map(storedItem);
  }

  /** As `get`, and notes that there is a row for it. */
  match({ key, runId, createdAt }: MatchedRow): StoredItem[] {
    const found = this.get(key);
    if (found.length > 0) this.#mark.run({ key, runId: runId ?? null, createdAt });
    return found;
  }

  /** Those with a row, and what that row says besides. */
  *matched(): Generator<{ item: ThreadItem; runId: string | undefined; createdAt: number }> {
    const rows = this.#database
      .prepare('SELECT item, runId, createdAt FROM items WHERE isMatched = 1')
      .iterate();
    for (const { item, runId, createdAt } of rows) {
      yield {
        item: parsedItem(item),
        runId: runId === null ? undefined : String(runId),
        createdAt: Number(createdAt),
      };
    }
  }

  /** Those without a row. */
  *unmatched(): Generator<StoredItem> {
    const rows = this.#database
      .prepare('SELECT * FROM items WHERE isMatched = 0 ORDER BY file, offset')
      .iterate();
    for (const row of rows) yield storedItem(row);
  }

  get size(): number {
    return this.#count('SELECT count(DISTINCT key) AS n FROM items');
  }

  /** Without those that `reverts` take back. */
  countMessages(file: number, reverts: readonly Revert[]): { user: number; assistant: number } {
    const counts = { user: 0, assistant: 0 };
    const messages = this.#database
      .prepare(
        `SELECT role, json_extract(item, '$.ordinal') AS ordinal,
           json_extract(item, '$.line') AS line, json_extract(item, '$.ts') AS ts
         FROM items WHERE file = ? AND kind = 'message'`,
      )
      .iterate(file);
    for (const { role, ordinal, line, ts } of messages) {
      const item = {
        ts: Number(ts),
        ...(ordinal === null ? {} : { ordinal: Number(ordinal) }),
        ...(line === null ? {} : { line: Number(line) }),
      };
      if ((role === 'user' || role === 'assistant') && !isReverted(item, reverts)) {
        counts[role] += 1;
      }
    }
    return counts;
  }

  /** A row of a thread that was migrated, under either name that it may have had. */
  noteForm({ key, kind, role, ts, text }: Form): void {
    const note = this.#database.prepare('INSERT OR IGNORE INTO forms VALUES (?)');
    note.run(key);
    note.run(contentForm({ kind, role, ts, text }));
  }

  /** Whether there is a row of the item in its other form. */
  hasOtherForm({ kind, role, ts, text, turnId, itemId }: ThreadItem): boolean {
    const ids = itemId === undefined ? [] : [itemId, `${turnId}/${itemId}`];
    const find = this.#database.prepare('SELECT 1 FROM forms WHERE form = ?');
    return [...ids, contentForm({ kind, role, ts, text })].some((form) => find.get(form));
  }

  clear(): void {
    this.#database.exec('DELETE FROM items; DELETE FROM forms');
  }

  close(): void {
    this.#database.close();
  }

  #count(sql: string, ...parameters: (string | number)[]): number {
    return Number(this.#database.prepare(sql).get(...parameters)?.['n']);
  }
}

interface Form extends Content {
  key: string;
}

interface Content {
  kind: string;
  role: string | undefined;
  ts: number;
  text: string | undefined;
}

/** As `messages:ingest` knows an item again that has no id in one of the forms. */
function contentForm({ kind, role = '', ts, text = '' }: Content): string {
  const hash = createHash('sha256').update(text).digest('hex');
  return JSON.stringify([kind, role, ts, hash]);
}

function parsedItem(json: unknown): ThreadItem {
  // What `put` wrote.
  return JSON.parse(String(json)) as ThreadItem;
}

function storedItem(row: Record<string, unknown>): StoredItem {
  return {
    key: String(row['key']),
    file: Number(row['file']),
    item: parsedItem(row['item']),
    offset: Number(row['offset']),
    lineLength: Number(row['lineLength']),
    isBehind: row['isBehind'] === 1,
    isAllBehind: row['isAllBehind'] === 1,
    isMatched: row['isMatched'] === 1,
  };
}
