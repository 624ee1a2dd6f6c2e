/**
 * Turns one session file into batches for the writer, from where its cursor stands.
 * A batch is given again until it is settled; only then is more of the file read.
 *
 * What a line means depends on the lines before it, so a file that changes again
 * after a restart is first parsed up to its cursor, without giving anything out.
 */
import type { RolloutReader } from '../../codex/rollout/rollout-reader.ts';
import type { ThreadItem } from '../../codex/thread-item.ts';
import { BridgeError, toBridgeError } from '../../errors.ts';
import type {
  FileCursor,
  QuarantinedLine,
  WriteJob,
  WriteResult,
} from '../../machines/protocol.ts';
import { fingerprint, isFingerprintFinal, tailHash } from './file-identity.ts';
import { LineSplitter, type SplitLine } from './line-splitter.ts';
import { LongLine, type LongPart } from './long-line.ts';
import { readLine } from './read-line.ts';
import type { RecentlySetAside } from './recently-set-aside.ts';
import { refusedLines, rejectBatch, setAside, type Place, type Proposal } from './refused.ts';
import { isArchived } from './archive.ts';
import { SessionFile } from './session-file.ts';
import { wantsReparse, type SessionFiles } from './session-files.ts';

/** A batch is full at any of these: quick to commit, and little to hold for each file read at once. */
const BATCH_ITEMS = 500;
/** Bytes of items. */
const BATCH_BYTES = 1_024 * 1_024;
/** Bytes of the file: where no line gives an item, the cursor moves all the same. */
const BATCH_FILE_BYTES = 4 * 1_024 * 1_024;
/** Bytes. With more than this to read, a live file is history too until its end is near. */
const LIVE_BACKLOG = 1_024 * 1_024;
/** Bytes. Longer lines are condensed: to parse one would cost several times as much memory. */
const MAX_LINE_LENGTH = 512 * 1_024;
/** Bytes that are left of a condensed line, at most. */
const MAX_CONDENSED_LENGTH = 2 * MAX_LINE_LENGTH;
/** Bytes. A shorter torn line is read anew each time, in case it was taken back and written differently. */
const MAX_TORN_REREAD = 64 * 1_024;
/** Bytes that an item costs besides what its line holds. */
const ITEM_OVERHEAD = 200;

export interface SessionReaderOptions {
  path: string;
  files: SessionFiles;
  setAside: RecentlySetAside;
  createReader: (file: { path: string }) => RolloutReader;
  parserVersion: number;
  nextJobId: () => string;
}

/** What there is to do next. `gone`: it is deleted, and was read to its end. */
export type NextBatch = { type: 'batch'; job: WriteJob } | { type: 'caughtUp' } | { type: 'gone' };

interface Batch {
  items: ThreadItem[];
  bytes: number;
  /** Where its items come from. */
  places: Place[];
  quarantine: QuarantinedLine[];
  /** Nothing more is in the file now. */
  isLast: boolean;
}

export class SessionReader {
  readonly #options: SessionReaderOptions;
  #file: SessionFile | null = null;
  #lines: RolloutReader;
  #splitter = splitterFrom(0);
  /** Split, but not parsed yet. */
  #split: SplitLine<LongPart[]>[] = [];
  /** The lines before this offset were parsed. */
  #parsedTo = 0;
  /** What is committed; `#proposal` is what will be. */
  #cursor: FileCursor;
  #proposal: Proposal | null = null;
  /** The cursor has news that no batch has carried yet. */
  #owesCursor = false;
  /** The session was read elsewhere before: it was archived, restored, compressed or unpacked. */
  #hasMoved = false;
  #stopped = false;

  constructor(options: SessionReaderOptions) {
    const { path, files, createReader, parserVersion } = options;
    this.#options = options;
    const own = files.cursor(path);
    const latest = files.latest(path) ?? own;
    const generation = Math.max(own?.generation ?? 0, latest?.generation ?? 0);
    this.#cursor =
      latest === undefined || wantsReparse(latest, parserVersion)
        ? freshCursor(path, parserVersion, generation)
        : { ...latest, path, generation };
    this.#hasMoved = this.#owesCursor = latest !== undefined && latest.path !== path;
    this.#lines = createReader({ path });
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
        if (this.#file === null) return { type: 'gone' };
        const presence = await this.#file.presence();
        const facts = await this.#file.facts();
        const length = await this.#file.length(facts);
        await this.#checkUnchanged(this.#file, length);
        const batch = await this.#readBatch(this.#file, length);
        if (this.#parsedTo > this.#cursor.offset || this.#owesCursor) {
          return { type: 'batch', job: await this.#propose(this.#file, batch, length, live) };
        }
        // The watcher that this reader belonged to is gone, and what it knew with it.
        if (this.#stopped) throw new BridgeError('shutdown', '');
        if (presence === 'same') {
          files.finished(path, facts, notices);
          return { type: 'caughtUp' };
        }
        // Deleted or replaced, and what was left in it is read: the path decides what comes.
        await this.close();
      }
    } catch (thrown) {
      this.#rewind();
      await this.close();
      throw toBridgeError(thrown, 'session_unreadable');
    }
  }

  /** Makes what is going on end soon, with an error. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * The batch is in Convex, but for single items that it refused: their lines are set
   * aside with the cursor's next move.
   */
  async committed(refused: WriteResult['rejected']): Promise<void> {
    if (this.#proposal === null) return;
    const { files, path, parserVersion } = this.#options;
    const { cursor, bytes, rejected, places } = this.#proposal;
    files.committed(path, cursor, bytes);
    this.#options.setAside.moved(cursor);
    if (rejected + refused.length > 0) files.countRejected(rejected + refused.length);
    this.#proposal = null;
    this.#cursor = cursor;
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

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close();
  }

  async #open(): Promise<SessionFile | null> {
    const file = await SessionFile.open(this.#options.path);
    if (file === null) return null;
    try {
      const { offset } = this.#cursor;
      if ((await fingerprint(file.handle, offset)) !== this.#cursor.fingerprint && offset > 0) {
        this.#startOver();
      }
      this.#resplit();
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
    const torn = this.#splitter.position - this.#parsedTo;
    if (size < this.#splitter.position || torn <= MAX_TORN_REREAD) this.#resplit();
  }

  /** What was parsed for a batch that never came to be must be parsed again. */
  #rewind(): void {
    if (this.#proposal !== null || this.#parsedTo <= this.#cursor.offset) return;
    this.#forgetLines();
  }

  #startOver(): void {
    const { path, parserVersion } = this.#options;
    this.#cursor = freshCursor(path, parserVersion, this.#cursor.generation + 1);
    this.#forgetLines();
  }

  #forgetLines(): void {
    this.#lines = this.#options.createReader(this.#options);
    this.#parsedTo = 0;
    this.#resplit();
  }

  #resplit(): void {
    this.#split = [];
    this.#splitter = splitterFrom(this.#parsedTo);
  }

  async #readBatch(file: SessionFile, end: number): Promise<Batch> {
    const batch: Batch = { items: [], bytes: 0, places: [], quarantine: [], isLast: false };
    const isFull = () =>
      batch.items.length >= BATCH_ITEMS ||
      batch.bytes >= BATCH_BYTES ||
      this.#parsedTo - this.#cursor.offset >= BATCH_FILE_BYTES;
    while (!isFull()) {
      const line = this.#split.shift();
      if (line !== undefined) {
        this.#parse(line, batch);
        continue;
      }
      if (this.#stopped) throw new BridgeError('shutdown', '');
      const chunk = await file.read(this.#splitter.position, end);
      if (chunk.length === 0) {
        batch.isLast = true;
        break;
      }
      this.#split = this.#splitter.push(chunk);
    }
    return batch;
  }

  #parse(line: SplitLine<LongPart[]>, batch: Batch): void {
    const { items, quarantine } = readLine(this.#lines, line, this.#options.parserVersion);
    this.#parsedTo = line.offset + line.length;
    if (line.offset < this.#cursor.offset) return;
    batch.quarantine.push(...quarantine);
    if (items.length === 0) return;
    batch.items.push(...items);
    for (const { key } of items)
      batch.places.push({ key, offset: line.offset, length: line.length });
    batch.bytes += Math.min(line.length, MAX_CONDENSED_LENGTH) + items.length * ITEM_OVERHEAD;
  }

  async #propose(
    file: SessionFile,
    { items, bytes, places, quarantine, isLast }: Batch,
    length: number,
    live: boolean,
  ): Promise<WriteJob> {
    const { path, parserVersion, nextJobId } = this.#options;
    const archived = isArchived(path);
    const thread = {
      ...this.#lines.thread,
      rolloutPath: path,
      // A thread that was archived elsewhere than in this folder stays so.
      ...(archived || this.#hasMoved ? { archived } : {}),
    };
    const { resumeId } = thread;
    if (resumeId === undefined) {
      throw new BridgeError(
        'session_unreadable',
        `neither name nor content of ${path} names a thread`,
      );
    }
    const before = this.#cursor;
    const offset = this.#parsedTo;
    const cursor: FileCursor = {
      ...before,
      offset,
      fingerprint: isFingerprintFinal(before.offset)
        ? before.fingerprint
        : await fingerprint(file.handle, offset),
      tailHash: await tailHash(file.handle, offset),
      device: file.device,
      // Of a compressed file the offset alone does not tell whether it was read to its end.
      inode: file.isCompressed && !isLast ? '' : file.inode,
      resumeId,
      quarantine: setAside(before.quarantine, quarantine),
      parserVersion,
    };
    const isNearEnd = length - offset <= LIVE_BACKLOG;
    const job: WriteJob = {
      id: nextJobId(),
      origin: 'file',
      priority: live && isNearEnd ? 'live' : 'history',
      thread,
      items,
      cursor,
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
    this.#owesCursor = false;
    return job;
  }
}

function splitterFrom(offset: number): LineSplitter<LongPart[]> {
  return new LineSplitter(offset, MAX_LINE_LENGTH, (start) => new LongLine(start));
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
