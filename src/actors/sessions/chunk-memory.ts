/**
 * Memory for chunks of files, used over and over: pages that are new to the process cost
 * more than what is read into them, and V8 learns late that they are free again.
 */

/** Bytes. Large enough that reading is not what costs, small enough to hold for each file read at once. */
const CHUNK_LENGTH = 256 * 1_024;
/** Kept for the next ones; about as many as files of history are read at once. */
const MOST_FREE = 4;

const free: ArrayBufferLike[] = [];

/** All of a chunk's memory. */
export function takeChunk(): Buffer {
  return Buffer.from(free.pop() ?? new ArrayBuffer(CHUNK_LENGTH));
}

/** Nobody looks at it any more. Memory of other origin is let go. */
export function giveBackChunk({ buffer }: Buffer): void {
  if (buffer.byteLength === CHUNK_LENGTH && free.length < MOST_FREE) free.push(buffer);
}
