/**
 * A line that is too long to be held, taken in on its way past: condensed where it is
 * JSON, hashed where it is not. Where a torn line and whole ones stand on one (see
 * `glued-line.ts`), each whole one is found.
 */
import { createHash } from 'node:crypto';
import { JsonCondenser, type CondensedJson } from '../../codex/condense/json-condenser.ts';
import { LINE_START } from './glued-line.ts';

/** A part of a line; nearly always the whole. */
export interface LongPart {
  offset: number;
  /** Bytes; of the last part with the newline. */
  length: number;
  /** Hex, of these bytes without the newline. */
  sha256: string;
  /** What is left of it, or why it is nothing. */
  content: CondensedJson | { problem: string };
}

const BYTE_ORDER_MARK = Buffer.from('\uFEFF');

export class LongLine {
  readonly #parts: LongPart[] = [];
  #position: number;
  #part: Part;
  /** From the last place at which a line may begin, while the part that it stands in is not over. */
  #inner: Part | null = null;
  /** The end of what was pushed, while it may be the beginning of LINE_START. */
  #carry: Buffer = Buffer.alloc(0);

  constructor(offset: number) {
    this.#position = offset;
    this.#part = new Part(offset);
  }

  push(piece: Buffer): void {
    const bytes = this.#carry.length === 0 ? piece : Buffer.concat([this.#carry, piece]);
    const end = bytes.length - carried(bytes);
    this.#carry = Buffer.from(bytes.subarray(end));
    this.#take(bytes.subarray(0, end));
  }

  /** The line is over. */
  end(): LongPart[] {
    this.#feed(this.#carry);
    if (this.#part.isBroken) this.#promote();
    if (this.#part.isOpen && this.#inner?.isComplete === true) this.#setAside(this.#inner);
    const last = this.#part.end(this.#position);
    return [...this.#parts, { ...last, length: last.length + 1 }];
  }

  #take(bytes: Buffer): void {
    let from = 0;
    for (let at = bytes.indexOf(LINE_START); at !== -1; at = bytes.indexOf(LINE_START, at + 1)) {
      this.#feed(bytes.subarray(from, at));
      from = at;
      this.#beginInner();
    }
    this.#feed(bytes.subarray(from));
  }

  #feed(bytes: Buffer): void {
    this.#position += bytes.length;
    this.#part.push(bytes);
    this.#inner?.push(bytes);
  }

  #beginInner(): void {
    if (this.#position === this.#part.offset) return;
    if (this.#part.refusesObject) this.#promote();
    if (this.#part.isComplete) {
      this.#parts.push(this.#part.end(this.#position));
      this.#part = new Part(this.#position);
      return;
    }
    this.#part.mark();
    this.#inner = new Part(this.#position);
  }

  /** A broken part ended where the last line may have begun. */
  #promote(): void {
    if (this.#inner !== null) this.#setAside(this.#inner);
  }

  #setAside(next: Part): void {
    this.#parts.push(this.#part.endAtMark(next.offset));
    this.#part = next;
    this.#inner = null;
  }
}

class Part {
  readonly offset: number;
  readonly #json = new JsonCondenser();
  readonly #hash = createHash('sha256');
  #atMark = '';
  #isStarted = false;

  constructor(offset: number) {
    this.offset = offset;
  }

  get isComplete(): boolean {
    return this.#json.state === 'complete';
  }

  get isOpen(): boolean {
    return this.#json.state === 'open';
  }

  get isBroken(): boolean {
    return this.#json.state === 'failed';
  }

  /** Broken, or about to be when a line begins here; a complete one is neither. */
  get refusesObject(): boolean {
    return this.isBroken || (this.isOpen && this.#json.refusesObject);
  }

  push(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#hash.update(bytes);
    const isMarked =
      !this.#isStarted && this.offset === 0 && bytes.subarray(0, 3).equals(BYTE_ORDER_MARK);
    this.#isStarted = true;
    this.#json.push(isMarked ? bytes.subarray(3) : bytes);
  }

  /** Another part may begin here. */
  mark(): void {
    this.#atMark = this.#hash.copy().digest('hex');
  }

  end(position: number): LongPart {
    return {
      offset: this.offset,
      length: position - this.offset,
      sha256: this.#hash.digest('hex'),
      content: this.isComplete ? this.#json.end() : { problem: this.#json.problem },
    };
  }

  endAtMark(position: number): LongPart {
    return {
      offset: this.offset,
      length: position - this.offset,
      sha256: this.#atMark,
      content: { problem: this.#json.problem },
    };
  }
}

/** How many bytes at the end may belong to a LINE_START that goes on in the next piece. */
function carried(bytes: Buffer): number {
  for (let length = Math.min(LINE_START.length - 1, bytes.length); length > 0; length -= 1) {
    if (bytes.subarray(bytes.length - length).equals(LINE_START.subarray(0, length))) return length;
  }
  return 0;
}
