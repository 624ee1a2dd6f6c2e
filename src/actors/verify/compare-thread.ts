/** The items of a thread's session files against its rows in Convex, once. */
import type { SessionsDifference } from '../../control/verify-frames.ts';
import type { QuarantinedLine } from '../../machines/protocol.ts';
import type { Redaction } from '../convex/redaction.ts';
import { compareRow, type Row } from './compare-row.ts';
import type { ItemStore, StoredItem } from './item-store.ts';
import type { Mirror, Repair, StoredCursor, ThreadRow } from './mirror.ts';
import { isEnded } from './next-word.ts';
import { ShownRows } from './shown-rows.ts';
import { isReverted, type Revert } from './reverts.ts';
import { readSessionFile, type SessionFileRead } from './read-session-file.ts';

/** A thread, and where its rows come from. */
export interface VerifiedThread {
  threadId: string;
  files: { path: string; cursor: StoredCursor | null }[];
  /** A file that it was read from is not on this machine any more: nobody can say what it held. */
  hasGone: boolean;
}

export interface Comparison {
  thread: VerifiedThread;
  row: ThreadRow | null;
  reads: SessionFileRead[];
  unreadable: { path: string; reason: string }[];
  rows: number;
  items: number;
  /** Bytes of files that the tail has not read yet. */
  behind: Map<string, number>;
  /** Rows are being marked as taken back at this moment: the thread says so, and they do not yet. */
  isReverting: boolean;
  /** Rows that only runs account for: what Codex printed, and never wrote. */
  ofRuns: number;
  /** Rows that a file may have held that is not there any more. */
  ofGoneFiles: number;
  differences: Found[];
  /** How many there are of each kind; the list may hold fewer. */
  counts: Record<SessionsDifference['kind'], number>;
}

/** A difference, and what a repair of it needs. */
export interface Found extends SessionsDifference {
  missing?: { key: string };
  replace?: { id: Row['_id']; seen: number };
  remove?: Repair['remove'][number];
  recount?: NonNullable<Repair['recount']>;
}

export interface CompareOptions {
  mirror: Mirror;
  store: ItemStore;
  machineId: string;
  redaction: Redaction;
  onBytes: (bytes: number) => void;
}

/** Differences that are held at once; a repair comes again for what is beyond. */
const MAX_HELD = 5_000;
/** Lines that a cursor keeps; with as many it may have forgotten older ones. */
const MAX_QUARANTINE = 1_000;

export async function compareThread(
  thread: VerifiedThread,
  { mirror, store, machineId, redaction, onBytes }: CompareOptions,
): Promise<Comparison> {
  store.clear();
  const comparison = emptyComparison(thread);
  for (const [file, { path, cursor }] of thread.files.entries()) {
    try {
      const options = { path, cursor, file, store, redaction, onBytes };
      comparison.reads.push(await readSessionFile(options));
    } catch (error) {
      comparison.unreadable.push({ path, reason: String(error) });
    }
  }
  comparison.items = store.size;
  comparison.row = await mirror.thread(thread.threadId);
  const isOpen =
    comparison.row !== null && (await mirror.threadsWithRuns()).has(comparison.row._id);
  const rules = new Rules(comparison, { store, machineId, redaction, isOpen });
  rules.checkFiles();
  for await (const row of mirror.rows(thread.threadId)) rules.checkRow(row, store.match(row));
  let last = '';
  for (const item of store.unmatched()) {
    // Two files of a thread may both hold it.
    if (item.key !== last) rules.checkMissing(item);
    last = item.key;
  }
  rules.checkShown();
  rules.checkCounters();
  return comparison;
}

interface RulesOptions extends Pick<CompareOptions, 'store' | 'machineId' | 'redaction'> {
  isOpen: boolean;
}

/** What counts as a difference, and what does not. */
class Rules {
  readonly #comparison: Comparison;
  readonly #store: ItemStore;
  readonly #redaction: Redaction;
  /** A run goes on in the thread, which writes what the file begins only with its end. */
  readonly #isOpen: boolean;
  readonly #isMigrated: boolean;
  readonly #reverts: readonly Revert[];
  /** Rows of another machine's file, or of one that is gone, are nobody's to judge here. */
  readonly #judgesExtra: boolean;
  readonly #stale: ReadonlySet<string>;
  /** What the thread's counters would be by its rows as they are, and by the files. */
  readonly #byRows = { messageCount: 0, lastMessageAt: 0 };
  readonly #shown = new ShownRows();
  readonly #byFiles = { messageCount: 0, lastMessageAt: 0 };

  constructor(comparison: Comparison, { store, machineId, redaction, isOpen }: RulesOptions) {
    this.#comparison = comparison;
    this.#store = store;
    this.#redaction = redaction;
    this.#isOpen = isOpen;
    this.#isMigrated = comparison.row?.historyMode === 'migrated';
    this.#reverts = comparison.reads.flatMap(({ thread }) => thread.reverts ?? []);
    const { thread, row, reads, unreadable } = comparison;
    this.#stale = new Set(reads.filter(({ isAsRead }) => !isAsRead).map(({ path }) => path));
    const isOurs = row === null || row.machineId === machineId;
    this.#judgesExtra =
      isOurs && !thread.hasGone && unreadable.length === 0 && this.#stale.size === 0;
  }

  checkFiles(): void {
    const { thread, reads, behind } = this.#comparison;
    for (const read of reads) {
      const { path, length, counted, found, notUnderstood } = read;
      const cursor = this.#cursorOf(path);
      const done = this.#stale.has(path) ? 0 : (cursor?.offset ?? 0);
      if (length > done) behind.set(path, length - done);
      if (counted.user !== found.user || counted.assistant !== found.assistant) {
        const shown = ({ user, assistant }: typeof counted) =>
          `${user} user, ${assistant} assistant`;
        const [file, row] = [shown(counted), shown(found)];
        this.#add({ kind: 'messages', threadId: thread.threadId, path, file, row });
      }
      if (this.#stale.has(path)) continue;
      for (const line of notUnderstood) this.#checkSetAside(path, line, cursor);
    }
  }

  /** `items`: what the files have under its key. */
  checkRow(row: Row, items: StoredItem[]): void {
    const comparison = this.#comparison;
    comparison.rows += 1;
    countMessage(this.#byRows, row, row.reverted === true);
    if (this.#isMigrated) this.#store.noteForm({ role: undefined, text: undefined, ...row });
    const isDoubled = items.some(({ isMatched }) => isMatched);
    if (items.length === 0 || isDoubled) return this.#checkExtra(row, isDoubled);
    const [filed] = items;
    const said = filed === undefined || filed.isBehind ? row : filed.item;
    countMessage(this.#byFiles, said, isReverted(said, this.#reverts));
    if (items.some((item) => item.isBehind || this.#isStale(item))) return;
    const [first, ...others] = items.map((stored) =>
      compareRow(stored, row, {
        isReverted: isReverted(stored.item, this.#reverts),
        isMigrated: this.#isMigrated,
      }),
    );
    if (first == null || others.includes(null)) return;
    if (first.field === 'reverted' && row.reverted !== true) {
      comparison.isReverting ||= isReverted(row, comparison.row?.reverts ?? []);
    }
    this.#add({
      ...this.#about(row, 'differs'),
      ...first,
      path: this.#pathOf(items[0]),
      replace: seenRow(row),
    });
  }

  checkMissing(item: StoredItem): void {
    if (item.isAllBehind || this.#isStale(item)) return;
    const path = this.#pathOf(item);
    const { kind, text } = item.item;
    if (this.#isMigrated && this.#store.hasOtherForm(item.item)) return;
    countMessage(this.#byFiles, item.item, isReverted(item.item, this.#reverts));
    if (this.#isOpen && !isEnded(item.item)) return;
    if (this.#cursorOf(path)?.quarantine.some((line) => covers(line, item.offset)) === true) return;
    this.#add({
      kind: 'missing',
      threadId: this.#comparison.thread.threadId,
      path,
      key: item.key,
      itemKind: kind,
      file: excerptOf(text),
      missing: { key: item.key },
    });
  }

  checkCounters(): void {
    const { row, thread } = this.#comparison;
    const { threadId } = thread;
    const hasRows = this.#comparison.rows > 0 || this.#comparison.counts.missing > 0;
    if (row === null) {
      if (hasRows)
        this.#add({ kind: 'counter', threadId, field: 'thread', file: 'there', row: '' });
      return;
    }
    const is = { ...this.#byRows };
    const was = { messageCount: row.messageCount, lastMessageAt: row.lastMessageAt };
    for (const field of ['messageCount', 'lastMessageAt'] as const) {
      // A row that was deleted is one difference, whether or not it was counted off.
      if (was[field] === is[field] || was[field] === this.#byFiles[field]) continue;
      const [file, shown] = [String(is[field]), String(was[field])];
      this.#add({ kind: 'counter', threadId, field, file, row: shown, recount: { was, is } });
    }
  }

  /** What runs showed, now that it is known what the files have of it. */
  checkShown(): void {
    const rows = this.#shown.all();
    const isAllRead = this.#stale.size === 0 && this.#comparison.behind.size === 0;
    const filed = rows.length > 0 && isAllRead ? this.#store.matched() : [];
    const doubled = this.#shown.alsoFiled(filed);
    for (const row of rows) {
      if (!doubled.has(row)) countMessage(this.#byFiles, row, row.reverted === true);
      else {
        this.#comparison.ofRuns -= 1;
        this.#addExtra(row);
      }
    }
  }

  #checkExtra(row: Row, isDoubled: boolean): void {
    const isOfRun = row.provisional === true || row.runId !== undefined;
    // `messages:create` names a row by its own id.
    const isKnown = !isDoubled && (isOfRun || row.key === `row/${row._id}`);
    if (isKnown) {
      this.#comparison.ofRuns += 1;
      if (this.#shown.add(row)) return;
    } else if (!isDoubled && !this.#judges(row)) this.#comparison.ofGoneFiles += 1;
    else {
      this.#addExtra(row);
      return;
    }
    countMessage(this.#byFiles, row, row.reverted === true);
  }

  #addExtra(row: Row): void {
    const { id, seen } = seenRow(row);
    this.#add({ ...this.#about(row, 'extra'), row: excerptOf(row.text), remove: { id, seen } });
  }

  /** Of what a migration left out only the row is there, under a key of the older form. */
  #judges({ key, turnId, itemId }: Row): boolean {
    const isOfOlderForm = itemId === undefined || key !== `${turnId}/${itemId}`;
    return this.#judgesExtra && !(this.#isMigrated && isOfOlderForm);
  }

  /** A line that nobody understands must be known as such. */
  #checkSetAside(path: string, line: QuarantinedLine, cursor: StoredCursor | null): void {
    if (cursor === null || line.offset >= cursor.offset) return;
    if (cursor.quarantine.length >= MAX_QUARANTINE) return;
    if (cursor.quarantine.some((known) => overlaps(known, line))) return;
    const { threadId } = this.#comparison.thread;
    const reason = this.#redaction.text(line.reason);
    const file = `byte ${line.offset}, ${line.length} bytes: ${reason}`;
    this.#add({ kind: 'lost', threadId, path, file });
  }

  #add(difference: Found): void {
    const { counts, differences } = this.#comparison;
    counts[difference.kind] += 1;
    if (differences.length < MAX_HELD) differences.push(difference);
  }

  #about({ key, kind, threadId }: Row, difference: Found['kind']): Found {
    return { kind: difference, threadId, key, itemKind: kind };
  }

  #isStale(item: StoredItem): boolean {
    return this.#stale.has(this.#pathOf(item));
  }

  #pathOf(item: StoredItem | undefined): string {
    return this.#comparison.thread.files[item?.file ?? 0]?.path ?? '';
  }

  #cursorOf(path: string): StoredCursor | null {
    return this.#comparison.thread.files.find((file) => file.path === path)?.cursor ?? null;
  }
}

function countMessage(
  counters: { messageCount: number; lastMessageAt: number },
  { kind, ts }: Pick<Row, 'kind' | 'ts'>,
  isTakenBack: boolean,
): void {
  if (kind !== 'message') return;
  if (!isTakenBack) counters.messageCount += 1;
  counters.lastMessageAt = Math.max(counters.lastMessageAt, ts);
}

function emptyComparison(thread: VerifiedThread): Comparison {
  return {
    thread,
    row: null,
    reads: [],
    unreadable: [],
    rows: 0,
    items: 0,
    behind: new Map(),
    isReverting: false,
    ofRuns: 0,
    ofGoneFiles: 0,
    differences: [],
    counts: { missing: 0, extra: 0, differs: 0, counter: 0, messages: 0, lost: 0 },
  };
}

function seenRow(row: Row): NonNullable<Found['replace']> {
  return { id: row._id, seen: row.updatedAt ?? row.createdAt };
}

function covers({ offset, length }: QuarantinedLine, position: number): boolean {
  return position >= offset && position < offset + length;
}

function overlaps(one: QuarantinedLine, other: QuarantinedLine): boolean {
  return covers(one, other.offset) || covers(other, one.offset);
}

/** Characters. */
const EXCERPT = 80;

function excerptOf(text: string | undefined): string {
  const shown = text ?? '';
  return shown.length > EXCERPT ? `${shown.slice(0, EXCERPT).toWellFormed()}…` : shown;
}
