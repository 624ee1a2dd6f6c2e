/** One session file read from its first byte: its items into the store, and what else it tells. */
import { createHash } from 'node:crypto';
import { createRolloutReader } from '../../codex/rollout/create-rollout-reader.ts';
import { PARSER_VERSION } from '../../codex/rollout/rollout-reader.ts';
import type { ThreadPatch } from '../../codex/thread-item.ts';
import type { FileCursor, QuarantinedLine } from '../../machines/protocol.ts';
import { readLine } from '../sessions/read-line.ts';
import { contentOf, cutLines, type CutLine } from './cut-lines.ts';
import type { Redaction } from '../convex/redaction.ts';
import type { ItemStore } from './item-store.ts';
import { MessageCount, type MessageCounts } from './message-count.ts';

export interface SessionFileRead {
  path: string;
  /** Complete lines. */
  lines: number;
  /** Bytes of its content up to the end of the last complete line. */
  length: number;
  thread: ThreadPatch;
  /** Lines that cannot be understood. */
  notUnderstood: QuarantinedLine[];
  counted: MessageCounts;
  found: MessageCounts;
  /** What stands before the cursor is what the tail has read there. */
  isAsRead: boolean;
}

export interface ReadOptions {
  path: string;
  /** Null when the tail has not begun with it. */
  cursor: FileCursor | null;
  /** Which of the thread's files. */
  file: number;
  store: ItemStore;
  /** As it is done on the way to Convex. */
  redaction: Redaction;
  onBytes: (bytes: number) => void;
}

/** Rejects with the system's error, or zlib's. */
export async function readSessionFile(options: ReadOptions): Promise<SessionFileRead> {
  const { path, cursor, file, store, redaction, onBytes } = options;
  const reader = createRolloutReader({ path, whole: true });
  const count = new MessageCount();
  const before = new BytesBefore(cursor?.offset ?? 0);
  const result = { lines: 0, length: 0 };
  const notUnderstood: QuarantinedLine[] = [];
  for await (const line of cutLines(before.watching(contentOf(path, onBytes)))) {
    result.lines += 1;
    result.length = line.offset + line.length;
    const { items, quarantine } = readLine(reader, line, PARSER_VERSION);
    notUnderstood.push(...quarantine);
    // What is set aside is told as such.
    const isSetAside = quarantine.some(({ length }) => length === line.length);
    if (!isSetAside) for (const text of textsOf(line)) count.push(text);
    const isBehind = line.offset >= (cursor?.offset ?? 0);
    const place = { file, offset: line.offset, lineLength: line.length, isBehind };
    const { cwd } = reader.thread;
    for (const item of items) store.put(redaction.item(item, cwd), place);
  }
  return {
    path,
    ...result,
    thread: reader.thread,
    notUnderstood,
    counted: count.counts,
    found: store.countMessages(file, reader.thread.reverts ?? []),
    isAsRead: cursor === null || before.isAsIn(cursor),
  };
}

/** For the count, which parses by itself. */
function textsOf({ content, offset }: CutLine): string[] {
  if (Buffer.isBuffer(content)) {
    const text = content.toString();
    // A byte order mark, which some editors put before the first line.
    return [offset === 0 ? text.replace(/^\uFEFF/, '') : text];
  }
  return content.flatMap(({ content: part }) => ('text' in part ? [part.text] : []));
}

/** Bytes, as the cursors count them (`file-identity.ts`). */
const FINGERPRINT = 256;
const TAIL = 1024;

/** Keeps what a cursor's hashes are made of, as the bytes go by. */
class BytesBefore {
  readonly #offset: number;
  readonly #head: Buffer[] = [];
  readonly #tail: Buffer[] = [];

  constructor(offset: number) {
    this.#offset = offset;
  }

  async *watching(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let position = 0;
    for await (const chunk of content) {
      const from = (start: number, end: number) =>
        Buffer.from(chunk.subarray(Math.max(0, start - position), Math.max(0, end - position)));
      this.#head.push(from(0, Math.min(FINGERPRINT, this.#offset)));
      this.#tail.push(from(Math.max(0, this.#offset - TAIL), this.#offset));
      position += chunk.length;
      yield chunk;
    }
  }

  isAsIn({ offset, fingerprint, tailHash }: FileCursor): boolean {
    return offset === 0 || (hashOf(this.#head) === fingerprint && hashOf(this.#tail) === tailHash);
  }
}

function hashOf(pieces: readonly Buffer[]): string {
  return createHash('sha256').update(Buffer.concat(pieces)).digest('hex');
}
