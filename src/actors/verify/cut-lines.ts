/**
 * The lines of a session file, from its first byte on: a traversal of its own, which
 * shares no code with the tail's (cursors, batches, positional chunks, `LineSplitter`),
 * so that what goes wrong there shows.
 */
import { constants, createReadStream } from 'node:fs';
import { createZstdDecompress } from 'node:zlib';
import { isCompressed } from '../sessions/session-file-name.ts';
import { LongLine, type LongPart } from '../sessions/long-line.ts';

export interface CutLine {
  /** Where it starts, in bytes of the content. */
  offset: number;
  /** With its newline. */
  length: number;
  /** Without it; of a line over MAX_LINE what is left of it. */
  content: Buffer | LongPart[];
}

/** Bytes. A longer line would cost several times as much memory; the tail condenses far shorter ones. */
const MAX_LINE = 8 * 1024 * 1024;
/** Bytes. */
const CHUNK = 512 * 1024;
/** As the tail opens them: no link is followed, and no FIFO waited for. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** The content, unpacked. Fails with the system's or zlib's error; `onBytes` counts those on disk. */
export async function* contentOf(
  path: string,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  // Node takes numbers, though its types speak of strings alone.
  const flags = OPEN_FLAGS as unknown as string;
  const file = createReadStream(path, { flags, highWaterMark: CHUNK });
  file.on('data', (chunk) => onBytes(chunk.length));
  if (!isCompressed(path)) {
    yield* file as AsyncIterable<Buffer>;
    return;
  }
  const unpacked = createZstdDecompress();
  file.on('error', (error) => unpacked.destroy(error));
  yield* file.pipe(unpacked) as AsyncIterable<Buffer>;
}

/** A last line without its newline is none yet. */
export async function* cutLines(content: AsyncIterable<Buffer>): AsyncGenerator<CutLine> {
  let offset = 0;
  let line = new OpenLine(offset);
  for await (const chunk of content) {
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      line.push(chunk.subarray(from, at));
      const length = line.length + 1;
      yield { offset, length, content: line.end() };
      offset += length;
      line = new OpenLine(offset);
      from = at + 1;
    }
    line.push(chunk.subarray(from));
  }
}

class OpenLine {
  readonly #offset: number;
  #pieces: Buffer[] = [];
  #long: LongLine | null = null;
  length = 0;

  constructor(offset: number) {
    this.#offset = offset;
  }

  push(piece: Buffer): void {
    this.length += piece.length;
    if (this.#long === null && this.length > MAX_LINE) {
      this.#long = new LongLine(this.#offset);
      for (const kept of this.#pieces) this.#long.push(kept);
      this.#pieces = [];
    }
    if (this.#long !== null) this.#long.push(piece);
    else if (piece.length > 0) this.#pieces.push(Buffer.from(piece));
  }

  end(): Buffer | LongPart[] {
    return this.#long === null ? Buffer.concat(this.#pieces) : this.#long.end();
  }
}
