/**
 * Cuts a file's bytes into lines at byte 10, and nowhere else: Codex writes U+2028
 * inside strings, at which `readline` would split. Memory is bounded by the longest
 * line that is kept; a longer one is only hashed on its way past.
 */
import { createHash, type Hash } from 'node:crypto';

export interface SplitLine {
  /** Where it starts in the file. */
  offset: number;
  /** Bytes, with the newline. */
  length: number;
  /** Without the newline; null when the line was too long to keep. */
  bytes: Buffer | null;
  /** Hex, of the bytes without the newline; only of a line that was not kept. */
  sha256?: string;
}

export class LineSplitter {
  readonly #maxLength: number;
  #lineStart: number;
  #pieces: Buffer[] = [];
  #torn = 0;
  /** Set while a line that is too long goes past. */
  #overlong: Hash | null = null;

  /** `offset` is where the first byte comes from; a line must start there. */
  constructor(offset: number, maxLength: number) {
    this.#lineStart = offset;
    this.#maxLength = maxLength;
  }

  /** Where the next bytes must come from. */
  get position(): number {
    return this.#lineStart + this.#torn;
  }

  /** Takes the bytes at `position` (and keeps them: they must not be overwritten). */
  push(chunk: Buffer): SplitLine[] {
    const lines: SplitLine[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      lines.push(this.#finish(chunk.subarray(start, end)));
      start = end + 1;
    }
    // A copy, so that a few torn bytes do not hold on to the whole chunk.
    if (start < chunk.length) this.#keep(start === 0 ? chunk : Buffer.from(chunk.subarray(start)));
    return lines;
  }

  #finish(rest: Buffer): SplitLine {
    this.#keep(rest);
    const line: SplitLine = {
      offset: this.#lineStart,
      length: this.#torn + 1,
      bytes: this.#overlong === null ? joined(this.#pieces) : null,
      ...(this.#overlong === null ? {} : { sha256: this.#overlong.digest('hex') }),
    };
    this.#lineStart += line.length;
    this.#pieces = [];
    this.#torn = 0;
    this.#overlong = null;
    return line;
  }

  #keep(piece: Buffer): void {
    this.#torn += piece.length;
    if (this.#overlong === null && this.#torn > this.#maxLength) {
      this.#overlong = createHash('sha256');
      for (const kept of this.#pieces) this.#overlong.update(kept);
      this.#pieces = [];
    }
    if (this.#overlong === null) this.#pieces.push(piece);
    else this.#overlong.update(piece);
  }
}

function joined(pieces: Buffer[]): Buffer {
  return pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces);
}
