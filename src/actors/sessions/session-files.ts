/**
 * What is known of every session file: how it looked when it was last seen, and how
 * far it is read. A quiet file is nothing but one entry here. Discovery tells it what
 * it sees, readers tell it how far they are; the difference is what is left to do.
 */
import { basename } from 'node:path';
import type { FileCounts } from '../../machines/sessions-events.ts';
import type { FileCursor, QuarantinedLine } from '../../machines/protocol.ts';
import { isCompressed, parseSessionFileName, plainOf } from './session-file-name.ts';

/** What the file system says of a file; a subset of `BigIntStats`. */
export interface FileFacts {
  size: bigint;
  mtimeNs: bigint;
  ino: bigint;
  dev: bigint;
}

/** A cursor as it is stored, with the time of its last move where that is known. */
export type StoredCursor = FileCursor & { updatedAt?: number };

interface Entry {
  seen: FileFacts;
  /** How the file looked when all of it had been read; null before that. */
  read: FileFacts | null;
  /** Counts the notices of a change; `readNotices` is how many of them the last reading covered. */
  notices: number;
  readNotices: number;
  /** The pass of the last sweep that met the file. */
  pass: number;
}

export class SessionFiles {
  readonly #entries = new Map<string, Entry>();
  /** Also of files that are not there now: they may come back. */
  readonly #cursors = new Map<string, FileCursor>();
  /** By thread: where it has files, or had some. Hardly ever more than one. */
  readonly #places = new Map<string, string[]>();
  /** When those of files not met yet were moved. */
  readonly #movedAt = new Map<string, number>();
  readonly #parserVersion: number;
  #pass = 0;
  #behind = 0;
  #quarantined = 0;
  #bytesPending = 0;
  #bytesRead = 0;
  #rejected = 0;
  /** Called when a count changed, and with the file whose change did it. */
  onChange: (path?: string) => void = () => {};
  /** Whether a path lies outside of what is watched: its file was asked for once. */
  #isGuest: (path: string) => boolean = () => false;

  constructor(parserVersion: number) {
    this.#parserVersion = parserVersion;
  }

  get counts(): Pick<
    FileCounts,
    'known' | 'behind' | 'quarantined' | 'bytesRead' | 'bytesPending' | 'rejected'
  > {
    return {
      known: this.#entries.size,
      behind: this.#behind,
      quarantined: this.#quarantined,
      bytesRead: this.#bytesRead,
      bytesPending: this.#bytesPending,
      rejected: this.#rejected,
    };
  }

  /** Forgets everything but what this process has done in all; the next scan tells it anew. */
  clear(isGuest: (path: string) => boolean = () => false): void {
    this.#isGuest = isGuest;
    this.#entries.clear();
    this.#cursors.clear();
    this.#places.clear();
    this.#movedAt.clear();
    this.#behind = this.#quarantined = this.#bytesPending = 0;
    this.onChange();
  }

  /** A file was looked at. Returns whether that shows a change that has to be read. */
  see(path: string, facts: FileFacts): boolean {
    const seen = { size: facts.size, mtimeNs: facts.mtimeNs, ino: facts.ino, dev: facts.dev };
    const entry = this.#entries.get(path);
    if (entry === undefined) {
      const read = this.#readBefore(path, seen);
      const created = { seen, read, notices: 0, readNotices: 0, pass: this.#pass };
      this.#change(path, () => this.#entries.set(path, created));
      this.#addPlace(path);
      return isBehind(created);
    }
    entry.pass = this.#pass;
    if (areSame(entry.seen, seen)) return false;
    this.#change(path, () => (entry.seen = seen));
    return isBehind(entry);
  }

  /** Something says that the file changed; how, its reader will find. False when it is not known. */
  notice(path: string): boolean {
    const entry = this.#entries.get(path);
    if (entry === undefined) return false;
    this.#change(path, () => (entry.notices += 1));
    return true;
  }

  /** What to hand to `finished`, taken before a reader looks at the file. */
  notices(path: string): number {
    return this.#entries.get(path)?.notices ?? 0;
  }

  /** All of the file was read, as it looked in `facts`; what was noticed since `notices` is not covered. */
  finished(path: string, facts: FileFacts, notices: number): void {
    const entry = this.#entries.get(path);
    if (entry === undefined) return;
    this.#change(path, () => {
      entry.read = entry.seen = facts;
      entry.readNotices = notices;
    });
  }

  /** `bytes` more are in Convex, and this cursor if it moved. */
  committed(path: string, cursor: FileCursor | undefined, bytes: number): void {
    this.#bytesRead += bytes;
    if (cursor === undefined) return;
    this.#change(path, () => this.#cursors.set(path, cursor));
    this.#addPlace(path);
  }

  countRejected(lines: number): void {
    this.#rejected += lines;
    this.onChange();
  }

  /** The file is gone. */
  remove(path: string): void {
    this.#change(path, () => this.#entries.delete(path));
  }

  /** Where files stand, from Convex. Told before anything is seen. */
  restore(cursors: readonly StoredCursor[]): void {
    for (const { updatedAt, ...cursor } of cursors) {
      this.#cursors.set(cursor.path, cursor);
      this.#addPlace(cursor.path);
      if (updatedAt !== undefined) this.#movedAt.set(cursor.path, updatedAt);
    }
  }

  cursor(path: string): FileCursor | undefined {
    return this.#cursors.get(path);
  }

  /** The cursor of a file of the same name in another place, from where it may have come: the furthest. */
  cursorElsewhere(path: string): FileCursor | undefined {
    const name = nameOf(path);
    let furthest: FileCursor | undefined;
    for (const place of this.#placesOf(path)) {
      const cursor = place === path || nameOf(place) !== name ? undefined : this.cursor(place);
      if (cursor !== undefined && (furthest === undefined || isBefore(furthest, cursor))) {
        furthest = cursor;
      }
    }
    return furthest;
  }

  /** Whether anything was ever read of the file's thread. */
  isKnownThread(path: string): boolean {
    return this.#placesOf(path).some((place) => this.#cursors.has(place));
  }

  /** Whether Convex takes it that a file is there. */
  isHeldPresent(path: string): boolean {
    const cursor = this.#cursors.get(path);
    return cursor !== undefined && cursor.deleted !== true;
  }

  /**
   * Of the thread's files those of which Convex has to be told next that they are there, or, when
   * it knows of all these, that they are gone: so nobody hears that one is gone that only moved.
   */
  untold(path: string): string[] {
    if (!this.isKnownThread(path)) return [];
    const places = this.#placesOf(path).filter((place) => !this.#isGuest(place));
    const arrived = places.filter((place) => this.has(place) && !this.isHeldPresent(place));
    return arrived.length > 0 ? arrived : places.filter((place) => this.#isMissed(place));
  }

  /** All of which Convex has to be told that they are gone. */
  missed(): string[] {
    const paths = [...this.#cursors.keys()].filter((path) => this.#isMissed(path));
    return paths.filter((path) => this.untold(path).includes(path));
  }

  has(path: string): boolean {
    return this.#entries.has(path);
  }

  /** Every path, those of guests left out. */
  paths(): string[] {
    return [...this.#entries.keys()].filter((path) => !this.#isGuest(path));
  }

  /** The one that changed longest ago first. */
  byAge(paths: readonly string[]): string[] {
    const dated = paths.map((path) => ({ path, at: this.facts(path)?.mtimeNs ?? 0n }));
    dated.sort((one, other) => {
      if (one.at === other.at) return one.path < other.path ? -1 : 1;
      return one.at < other.at ? -1 : 1;
    });
    return dated.map(({ path }) => path);
  }

  isGuest(path: string): boolean {
    return this.#isGuest(path);
  }

  /** A guest whose thread has a file among the watched ones, which speaks for it. */
  isCopy(path: string): boolean {
    const isWatched = (place: string) => !this.#isGuest(place) && this.has(place);
    return this.#isGuest(path) && this.#placesOf(path).some(isWatched);
  }

  facts(path: string): FileFacts | undefined {
    return this.#entries.get(path)?.seen;
  }

  isBehind(path: string): boolean {
    const entry = this.#entries.get(path);
    return entry !== undefined && isBehind(entry);
  }

  behind(): string[] {
    return [...this.#entries].filter(([, entry]) => isBehind(entry)).map(([path]) => path);
  }

  /** From here on, `unseen` tells which files no sweep has met any more. */
  beginPass(): void {
    this.#pass += 1;
  }

  unseen(): string[] {
    const pass = this.#pass;
    return [...this.#entries]
      .filter(([path, entry]) => entry.pass !== pass && !this.#isGuest(path))
      .map(([path]) => path);
  }

  /**
   * Whether a file met for the first time is one that was read to its end in an
   * earlier life. Only what the cursor and one stat can tell: ten thousand old
   * sessions must not be opened at each start. A doubt makes its reader look.
   */
  #readBefore(path: string, seen: FileFacts): FileFacts | null {
    const cursor = this.#cursors.get(path);
    if (cursor === undefined) return seen.size === 0n && !this.isKnownThread(path) ? seen : null;
    const movedAt = this.#movedAt.get(path) ?? Number.POSITIVE_INFINITY;
    this.#movedAt.delete(path);
    const mayHaveChanged =
      cursor.deleted === true ||
      (!isCompressed(path) && cursor.offset !== Number(seen.size)) ||
      cursor.inode !== String(seen.ino) ||
      cursor.device !== String(seen.dev) ||
      Number(seen.mtimeNs / 1_000_000n) > movedAt;
    return mayHaveChanged || wantsReparse(cursor, this.#parserVersion) ? null : seen;
  }

  #isMissed(path: string): boolean {
    return !this.#entries.has(path) && this.isHeldPresent(path);
  }

  #placesOf(path: string): readonly string[] {
    return this.#places.get(threadOf(path)) ?? [];
  }

  #addPlace(path: string): void {
    const thread = threadOf(path);
    const places = this.#places.get(thread);
    if (places === undefined) this.#places.set(thread, [path]);
    else if (!places.includes(path)) places.push(path);
  }

  /** Makes a change to one file and keeps the sums right. */
  #change(path: string, change: () => void): void {
    this.#add(path, -1);
    change();
    this.#add(path, 1);
    this.onChange(path);
  }

  #add(path: string, sign: 1 | -1): void {
    const entry = this.#entries.get(path);
    if (entry === undefined) return;
    const cursor = this.#cursors.get(path);
    if (isBehind(entry)) this.#behind += sign;
    if (cursor !== undefined && cursor.quarantine.length > 0) this.#quarantined += sign;
    this.#bytesPending += sign * Math.max(0, Number(entry.seen.size) - (cursor?.offset ?? 0));
  }
}

/** A newer parser may understand what an older one set aside. */
export function wantsReparse(cursor: FileCursor, parserVersion: number): boolean {
  const isOlder = (line: QuarantinedLine) => line.parserVersion < parserVersion;
  return cursor.quarantine.some(isOlder);
}

/** Names that are not Codex's say nothing of a thread. */
function threadOf(path: string): string {
  return parseSessionFileName(basename(path))?.threadId ?? path;
}

/** Codex's name of a file stays when it is moved or compressed. */
function nameOf(path: string): string {
  return plainOf(basename(path));
}

function isBefore(one: FileCursor, other: FileCursor): boolean {
  if (one.generation !== other.generation) return one.generation < other.generation;
  return one.offset < other.offset;
}

function isBehind(entry: Entry): boolean {
  return (
    entry.read === null || entry.notices !== entry.readNotices || !areSame(entry.read, entry.seen)
  );
}

export function areSame(one: FileFacts, other: FileFacts): boolean {
  return (
    one.size === other.size &&
    one.mtimeNs === other.mtimeNs &&
    one.ino === other.ino &&
    one.dev === other.dev
  );
}
