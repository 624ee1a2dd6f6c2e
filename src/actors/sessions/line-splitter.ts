/**
 * Cuts a file's bytes into lines at byte 10, and nowhere else: Codex writes U+2028
 * inside strings, at which `readline` would split. Memory is bounded by the longest
 * line that is kept; of a longer one is kept what its taker makes of it on its way past.
 */

export interface SplitLine<Long> {
  /** Where it starts in the file. */
  offset: number;
  /** Bytes, with the newline. */
  length: number;
  /** The line without its newline, or what is left of one that was too long to keep. */
  content: Buffer | Long;
}

/** Takes in one line that is too long to keep; the pieces are not to be kept either. */
export interface LongLineTaker<Long> {
  push(piece: Buffer): void;
  end(): Long;
}

export class LineSplitter<Long> {
  readonly #maxLength: number;
  readonly #takeLong: (offset: number) => LongLineTaker<Long>;
  #lineStart: number;
  #pieces: Buffer[] = [];
  #torn = 0;
  /** Set while a line that is too long goes past. */
  #long: LongLineTaker<Long> | null = null;

  /** `offset` is where the first byte comes from; a line must start there. */
  constructor(
    offset: number,
    maxLength: number,
    takeLong: (offset: number) => LongLineTaker<Long>,
  ) {
    this.#lineStart = offset;
    this.#maxLength = maxLength;
    this.#takeLong = takeLong;
  }

  /** Where the next bytes must come from. */
  get position(): number {
    return this.#lineStart + this.#torn;
  }

  /** Takes the bytes at `position`. The lines are views of them: gone once they are overwritten. */
  push(chunk: Buffer): SplitLine<Long>[] {
    const lines: SplitLine<Long>[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      lines.push(this.#finish(chunk.subarray(start, end)));
      start = end + 1;
    }
    if (start < chunk.length) this.#keepTorn(chunk.subarray(start));
    return lines;
  }

  #finish(rest: Buffer): SplitLine<Long> {
    this.#keep(rest);
    const line: SplitLine<Long> = {
      offset: this.#lineStart,
      length: this.#torn + 1,
      content: this.#long === null ? joined(this.#pieces) : this.#long.end(),
    };
    this.#lineStart += line.length;
    this.#pieces = [];
    this.#torn = 0;
    this.#long = null;
    return line;
  }

  #keepTorn(piece: Buffer): void {
    this.#keep(piece);
    // A copy: the chunk is not ours to hold on to.
    const last = this.#pieces.length - 1;
    if (last >= 0) this.#pieces[last] = Buffer.from(piece);
  }

  #keep(piece: Buffer): void {
    this.#torn += piece.length;
    if (this.#long === null && this.#torn > this.#maxLength) {
      this.#long = this.#takeLong(this.#lineStart);
      for (const kept of this.#pieces) this.#long.push(kept);
      this.#pieces = [];
    }
    if (this.#long === null) this.#pieces.push(piece);
    else this.#long.push(piece);
  }
}

function joined(pieces: Buffer[]): Buffer {
  return pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces);
}
