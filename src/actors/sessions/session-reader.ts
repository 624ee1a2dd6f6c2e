/**
 * Turns one session file into batches for the writer, from where its cursor stands.
 * A batch is given again until it is settled; only then is more of the file read.
 *
 * What a line means depends on the lines before it, so a file that changes again
 * after a restart is first parsed up to its cursor, without giving anything out.
 */
import { BridgeError, toBridgeError } from '../../errors.ts';
import type { CursorPlace, FileCursor, WriteJob } from '../../machines/protocol.ts';
import type { CommitResult } from '../../machines/sessions-events.ts';
import { giveBackChunk } from './chunk-memory.ts';
import { fingerprint, isFingerprintFinal, tailHash } from './file-identity.ts';
import type { LineParser, ParsedLines, ParserState } from './line-parser.ts';
import { ReadBytes } from './read-bytes.ts';
import type { RecentlySetAside } from './recently-set-aside.ts';
import { refusedLines, rejectBatch, setAside, type Proposal } from './refused.ts';
import { isArchived } from './archive.ts';
import { isSuperseded } from './list-directory.ts';
import { SessionFile } from './session-file.ts';
import { wantsReparse, type FileFacts, type SessionFiles } from './session-files.ts';

/**
 * A batch is full after the chunk with which it reaches any of these: quick to commit,
 * and little to hold for each file read at once.
 */
const BATCH_ITEMS = 500;
/** Bytes of items. */
const BATCH_BYTES = 1_024 * 1_024;
/** Bytes of the file: where no line gives an item, the cursor moves all the same. */
const BATCH_FILE_BYTES = 4 * 1_024 * 1_024;
/** Bytes. With more than this to read, a live file is history too until its end is near. */
const LIVE_BACKLOG = 1_024 * 1_024;
/** Bytes. A shorter torn line is read anew each time, in case it was taken back and written differently. */
const MAX_TORN_REREAD = 64 * 1_024;
export interface SessionReaderOptions {
  path: string;
  files: SessionFiles;
  setAside: RecentlySetAside;
  /** History is parsed where it is in nobody's way. */
  openParser: (file: { path: string; isHistory: boolean }) => LineParser;
  parserVersion: number;
  nextJobId: () => string;
}

/** What there is to do next. `gone`: it is deleted, and was read to its end. */
export type NextBatch = { type: 'batch'; job: WriteJob } | { type: 'caughtUp' } | { type: 'gone' };

interface Batch extends Omit<ParsedLines, 'chunk'> {
  /** Nothing more is in the file now. */
  isLast: boolean;
}

export class SessionReader {
  readonly #options: SessionReaderOptions;
  #file: SessionFile | null = null;
  /** Null until there is something to parse, for it depends on how much that is. */
  #parser: LineParser | null = null;
  /** What is committed; `#proposal` is what will be. */
  #cursor: FileCursor;
  /** What is stored: of this file, or of the place where its session was before. */
  #stored: FileCursor | undefined;
  #proposal: Proposal | null = null;
  readonly #unsent = new ReadBytes();
  /** The cursor has news that no batch has carried yet. */
  #owesCursor = false;
  #stopped = false;

  constructor(options: SessionReaderOptions) {
    const { path, files, parserVersion } = options;
    this.#options = options;
    const stored = files.cursor(path) ?? files.cursorElsewhere(path);
    this.#cursor =
      stored === undefined || wantsReparse(stored, parserVersion)
        ? freshCursor(path, parserVersion, stored?.generation ?? 0)
        : { ...stored, path };
    this.#stored = stored;
  }

  /** Rejects with `session_unreadable`; the same call may succeed later. */
  async next(live: boolean): Promise<NextBatch> {
    if (this.#proposal !== null) return { type: 'batch', job: this.#proposal.job };
    const { files, path } = this.#options;
    try {
      for (;;) {
        // Taken first: a change that is noticed from here on makes another reading due.
        const notices = files.notices(path);
        this.#file ??= await this.#open();
        if (this.#file === null) return this.#afterDeletion(live);
        const presence = isSuperseded(path) ? 'deleted' : await this.#file.presence();
        // Also when it is back before Convex was told that it had gone.
        if (!files.isHeldPresent(path) && files.isKnownThread(path)) this.#owesCursor = true;
        const facts = await this.#file.facts();
        const length = await this.#file.length(facts);
        await this.#checkUnchanged(this.#file, length);
        const parser = (this.#parser ??= this.#openParser(live, length));
        const batch = await this.#readBatch(this.#file, parser, facts, length);
        if (parser.state.parsedTo < this.#cursor.offset) {
          // It was cut since its length was looked at.
          this.#startOver();
          continue;
        }
        const isThere = presence !== 'deleted';
        if (parser.state.parsedTo > this.#cursor.offset || (isThere && this.#owesCursor)) {
          const about = { length, live, isThere };
          const job = await this.#propose(this.#file, parser.state, batch, about);
          return { type: 'batch', job };
        }
        // The watcher that this reader belonged to is gone, and what it knew with it.
        if (this.#stopped) throw new BridgeError('shutdown', '');
        if (presence === 'same') {
          files.finished(path, facts, notices);
          return { type: 'caughtUp' };
        }
        // Deleted or replaced, and what was left in it is read: the path decides what comes.
        await this.#closeFile();
      }
    } catch (thrown) {
      // What was parsed for a batch that never came to be must be parsed again.
      this.#forgetLines();
      await this.#closeFile();
      throw toBridgeError(thrown, 'session_unreadable');
    }
  }

  /** Makes what is going on end soon, with an error. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * The batch is in Convex, but for single items that it refused: their lines are set
   * aside with the cursor's next move. If this one did not move, the file is read again
   * from where another one stands.
   */
  async committed({ rejected: refused, stored }: CommitResult): Promise<void> {
    if (this.#proposal === null) return;
    if (stored !== undefined) return await this.#goOnFrom(stored, this.#proposal);
    const { files, path, parserVersion } = this.#options;
    const { job, cursor, bytes, rejected, places } = this.#proposal;
    files.committed(path, job.cursor, bytes);
    this.#options.setAside.moved(cursor);
    if (rejected + refused.length > 0) files.countRejected(rejected + refused.length);
    this.#proposal = null;
    this.#cursor = cursor;
    if (job.cursor !== undefined) this.#stored = cursor;
    if (refused.length === 0) return;
    const lines = await refusedLines(refused, places, this.#file, parserVersion);
    this.#cursor = { ...cursor, quarantine: setAside(cursor.quarantine, lines) };
    this.#owesCursor = true;
  }

  /**
   * Convex will never take the batch: its lines are set aside, and the batch that says
   * so is next. Rejects when that, too, was refused.
   */
  async rejected(error: BridgeError): Promise<void> {
    if (this.#proposal === null) return;
    if (this.#proposal.job.items.length === 0) throw error;
    const { nextJobId, parserVersion, path } = this.#options;
    this.#file ??= await SessionFile.open(path);
    this.#proposal = await rejectBatch(this.#proposal, error, {
      file: this.#file,
      id: nextJobId(),
      parserVersion,
    });
  }

  /** The last that is asked of it. */
  async close(): Promise<void> {
    this.#forgetLines();
    await this.#closeFile();
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close();
  }

  async #open(): Promise<SessionFile | null> {
    const { path } = this.#options;
    const file = isSuperseded(path) ? null : await SessionFile.open(path);
    if (file === null) return null;
    try {
      const { offset } = this.#cursor;
      if ((await fingerprint(file.handle, offset)) !== this.#cursor.fingerprint && offset > 0) {
        this.#startOver();
      }
      this.#dropTorn();
      return file;
    } catch (thrown) {
      await file.close();
      throw thrown;
    }
  }

  /** A file that was truncated or rewritten is read from its start; keys keep it from doubling rows. */
  async #checkUnchanged(file: SessionFile, size: number): Promise<void> {
    const { offset } = this.#cursor;
    if (
      size < offset ||
      (offset > 0 && (await tailHash(file.handle, offset)) !== this.#cursor.tailHash)
    ) {
      this.#startOver();
    }
    if (this.#parser === null) return;
    const { position, parsedTo } = this.#parser.state;
    if (position === parsedTo) return;
    if (size < position || position - parsedTo <= MAX_TORN_REREAD) this.#dropTorn();
  }

  #dropTorn(): void {
    this.#parser?.dropTorn();
    this.#unsent.forgetAll();
  }

  #startOver(): void {
    const { path, parserVersion } = this.#options;
    const { generation, resumeId } = this.#cursor;
    this.#cursor = freshCursor(path, parserVersion, generation + 1);
    this.#forgetLines();
    if (resumeId === undefined) return;
    // Even if no line is left: what was set aside of those that are gone goes with them.
    this.#cursor.resumeId = resumeId;
    this.#owesCursor = true;
  }

  /** Convex has another cursor of the file than was known here, or none: that one counts. */
  async #goOnFrom(stored: FileCursor | null, { cursor }: Proposal): Promise<void> {
    const { files, path, setAside: aside } = this.#options;
    this.#proposal = null;
    this.#cursor = stored ?? cursor;
    this.#stored = stored ?? undefined;
    if (stored === null) this.#startOver();
    files.committed(path, this.#cursor, 0);
    aside.moved(this.#cursor);
    // What the batch said beside its lines is owed again.
    this.#owesCursor = true;
    this.#forgetLines();
    await this.#closeFile();
  }

  #forgetLines(): void {
    this.#parser?.close();
    this.#parser = null;
    this.#unsent.forgetAll();
  }

  #openParser(live: boolean, length: number): LineParser {
    const { path, openParser } = this.#options;
    return openParser({ path, isHistory: !live || length > LIVE_BACKLOG });
  }

  /** Convex is told, once, and not before it knows where else the session is. */
  #afterDeletion(live: boolean): NextBatch {
    const { path, files, nextJobId } = this.#options;
    const before = this.#cursor;
    const { resumeId } = before;
    if (resumeId === undefined || !files.untold(path).includes(path)) return { type: 'gone' };
    const cursor: FileCursor = { ...before, deleted: true };
    const job: WriteJob = {
      id: nextJobId(),
      origin: 'file',
      priority: live ? 'live' : 'history',
      thread: {
        resumeId,
        source: 'external',
        rolloutPath: path,
        rolloutDeletedAt: Date.now(),
      },
      items: [],
      cursor,
      ...(this.#stored && { after: placeOf(this.#stored) }),
      bytes: 0,
    };
    const { offset: start } = before;
    this.#proposal = { job, cursor, start, bytes: 0, rejected: 0, places: [] };
    return { type: 'batch', job };
  }

  async #readBatch(
    file: SessionFile,
    parser: LineParser,
    facts: FileFacts,
    end: number,
  ): Promise<Batch> {
    const { offset } = this.#cursor;
    const batch: Batch = {
      items: [],
      bytes: 0,
      places: [],
      quarantine: [],
      withoutDirectory: 0,
      isLast: false,
    };
    while (
      batch.items.length < BATCH_ITEMS &&
      batch.bytes < BATCH_BYTES &&
      parser.state.parsedTo - offset < BATCH_FILE_BYTES
    ) {
      if (this.#stopped) throw new BridgeError('shutdown', '');
      const { position } = parser.state;
      const chunk = await file.read(position, end);
      if (chunk.length === 0) {
        giveBackChunk(chunk);
        batch.isLast = true;
        break;
      }
      this.#unsent.add(position, chunk, facts);
      const parsed = await parser.push(chunk, offset);
      const { items, places, quarantine, bytes, withoutDirectory } = parsed;
      giveBackChunk(parsed.chunk);
      batch.items.push(...items);
      batch.places.push(...places);
      batch.quarantine.push(...quarantine);
      batch.bytes += bytes;
      batch.withoutDirectory += withoutDirectory;
    }
    return batch;
  }

  async #propose(
    file: SessionFile,
    { thread: described, parsedTo: offset }: ParserState,
    { items, bytes, places, quarantine, withoutDirectory, isLast }: Batch,
    { length, live, isThere }: { length: number; live: boolean; isThere: boolean },
  ): Promise<WriteJob> {
    const { files, path, parserVersion, nextJobId } = this.#options;
    const { deleted: _, ...before } = this.#cursor;
    const resumeId = described.resumeId ?? before.resumeId;
    if (resumeId === undefined) {
      throw new BridgeError(
        'session_unreadable',
        `neither name nor content of ${path} names a thread`,
      );
    }
    // The end of a file that is deleted is read all the same; but it may be elsewhere by now.
    const speaks = isThere && !files.isCopy(path);
    const thread = {
      ...described,
      resumeId,
      ...(speaks && { rolloutPath: path, archived: isArchived(path) }),
    };
    const tail = await tailHash(file.handle, offset);
    const cursor: FileCursor = {
      ...before,
      offset,
      fingerprint: isFingerprintFinal(before.offset)
        ? before.fingerprint
        : await fingerprint(file.handle, offset),
      tailHash: tail,
      device: file.device,
      // Of a compressed file the offset alone does not tell whether it was read to its end.
      inode: file.isCompressed && !isLast ? '' : file.inode,
      resumeId,
      quarantine: setAside(before.quarantine, quarantine),
      parserVersion,
    };
    // Else the hashes would vouch for bytes that nobody read.
    const isOther = offset > 0 && offset === before.offset && tail !== before.tailHash;
    if (isOther || !(await this.#unsent.areThere(file))) {
      throw new BridgeError('session_unreadable', `${path} was rewritten while it was read`);
    }
    this.#unsent.forgetBefore(offset);
    const isNearEnd = length - offset <= LIVE_BACKLOG;
    const job: WriteJob = {
      id: nextJobId(),
      origin: 'file',
      priority: live && isNearEnd ? 'live' : 'history',
      thread,
      items,
      withoutDirectory,
      // A cursor of a place that the session has left would say that it was read there last.
      ...(isThere && { cursor }),
      ...(isThere && this.#stored && { after: placeOf(this.#stored) }),
      bytes,
    };
    this.#proposal = {
      job,
      cursor,
      start: before.offset,
      bytes: offset - before.offset,
      rejected: quarantine.length,
      places,
    };
    this.#owesCursor = !isThere;
    return job;
  }
}

function placeOf({ path, generation, offset, tailHash }: FileCursor): CursorPlace {
  return { path, generation, offset, tailHash };
}

function freshCursor(path: string, parserVersion: number, generation: number): FileCursor {
  return {
    path,
    fingerprint: '',
    device: '',
    inode: '',
    offset: 0,
    tailHash: '',
    generation,
    quarantine: [],
    parserVersion,
  };
}
