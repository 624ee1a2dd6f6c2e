/**
 * What was read of a file and is not in a batch yet. A file that is rewritten in place while it is
 * read gives a beginning of old and a rest of new bytes, which may well look like whole lines, and
 * nobody would ever look at them again. So, where a file has changed meanwhile, what stands there
 * is compared with what was read.
 */
import { crc32 } from 'node:zlib';
import { giveBackChunk } from './chunk-memory.ts';
import type { SessionFile } from './session-file.ts';
import { areSame, type FileFacts } from './session-files.ts';

interface ReadChunk {
  position: number;
  length: number;
  sum: number;
}

export class ReadBytes {
  #chunks: ReadChunk[] = [];
  /** How the file looked before the first of them was read. */
  #since: FileFacts | null = null;

  /** `before`: how the file looked before these were read. */
  add(position: number, bytes: Buffer, before: FileFacts): void {
    this.#since ??= before;
    this.#chunks.push({ position, length: bytes.length, sum: crc32(bytes) });
  }

  /** Whether they still stand there. */
  async areThere(file: SessionFile): Promise<boolean> {
    if (this.#since === null || areSame(this.#since, await file.facts())) return true;
    for (const { position, length, sum } of this.#chunks) {
      const chunk = await file.read(position, position + length);
      const isSame = chunk.length === length && crc32(chunk) === sum;
      giveBackChunk(chunk);
      if (!isSame) return false;
    }
    return true;
  }

  /** What comes before `offset` is in a batch. */
  forgetBefore(offset: number): void {
    this.#chunks = this.#chunks.filter(({ position, length }) => position + length > offset);
    if (this.#chunks.length === 0) this.#since = null;
  }

  forgetAll(): void {
    this.forgetBefore(Number.POSITIVE_INFINITY);
  }
}
