/**
 * The lines of one session file as items: bytes in, from the file's start on, items out.
 * What a line means depends on those before it, so one parser reads one file, in order.
 */
import type { RolloutReader } from '../../codex/rollout/rollout-reader.ts';
import type { ThreadItem, ThreadPatch } from '../../codex/thread-item.ts';
import type { QuarantinedLine } from '../../machines/protocol.ts';
import { LineSplitter } from './line-splitter.ts';
import { LongLine, type LongPart } from './long-line.ts';
import { readLine } from './read-line.ts';
import type { Place } from './refused.ts';

/** Here (`FileParser`), or in a thread of its own (`ParsingThread`). */
export interface LineParser {
  readonly state: ParserState;
  /**
   * Takes the bytes at `state.position` with the memory that they are in, and gives both back
   * when it has read them; in between they may be in another thread. Lines before `from` are
   * read for what they say of later ones, and give no items.
   * Rejects with a BridgeError when the parser is lost.
   */
  push(chunk: Buffer, from: number): Promise<ParsedLines> | ParsedLines;
  /** Forgets the beginning of a line that is not whole: it is read again. */
  dropTorn(): void;
  /** Once; the parser is of no more use. */
  close(): void;
}

export interface ParserState {
  /** Where the next bytes must come from. */
  position: number;
  /** The lines before this are parsed. */
  parsedTo: number;
  /** What they said of the thread. */
  thread: ThreadPatch;
}

export interface ParsedLines {
  /** As it was pushed. */
  chunk: Buffer;
  items: ThreadItem[];
  /** Where they come from. */
  places: Place[];
  quarantine: QuarantinedLine[];
  /** Of the items, about. */
  bytes: number;
  /** How many of the items, the first ones, come before the file has said where it works. */
  withoutDirectory: number;
}

/** Bytes. Longer lines are condensed: to parse one would cost several times as much memory. */
const MAX_LINE_LENGTH = 512 * 1_024;
/** Bytes that are left of a condensed line, at most. */
const MAX_CONDENSED_LENGTH = 2 * MAX_LINE_LENGTH;
/** Bytes that an item costs besides what its line holds. */
const ITEM_OVERHEAD = 200;

export class FileParser implements LineParser {
  readonly #reader: RolloutReader;
  readonly #parserVersion: number;
  #splitter = splitterFrom(0);
  #parsedTo = 0;
  #hasDirectory = false;

  constructor(reader: RolloutReader, parserVersion: number) {
    this.#reader = reader;
    this.#parserVersion = parserVersion;
  }

  get state(): ParserState {
    const { position } = this.#splitter;
    return { position, parsedTo: this.#parsedTo, thread: this.#reader.thread };
  }

  push(chunk: Buffer, from: number): ParsedLines {
    const parsed: ParsedLines = {
      chunk,
      items: [],
      places: [],
      quarantine: [],
      bytes: 0,
      withoutDirectory: 0,
    };
    for (const line of this.#splitter.push(chunk)) {
      const { items, quarantine } = readLine(this.#reader, line, this.#parserVersion);
      const { offset, length } = line;
      this.#parsedTo = offset + length;
      if (offset < from) continue;
      parsed.quarantine.push(...quarantine);
      if (items.length === 0) continue;
      parsed.items.push(...items);
      this.#hasDirectory ||= this.#reader.thread.cwd !== undefined;
      if (!this.#hasDirectory) parsed.withoutDirectory += items.length;
      for (const { key } of items) parsed.places.push({ key, offset, length });
      parsed.bytes += Math.min(length, MAX_CONDENSED_LENGTH) + items.length * ITEM_OVERHEAD;
    }
    return parsed;
  }

  dropTorn(): void {
    this.#splitter = splitterFrom(this.#parsedTo);
  }

  close(): void {}
}

function splitterFrom(offset: number): LineSplitter<LongPart[]> {
  return new LineSplitter(offset, MAX_LINE_LENGTH, (start) => new LongLine(start));
}
