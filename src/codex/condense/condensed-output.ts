/** What is kept of a long line, and the hash of its payload, of which nothing is left out. */
import { createHash, type Hash } from 'node:crypto';
import { StreamedPicture } from './streamed-picture.ts';
import { unfinished } from './utf8-check.ts';

/** Bytes of one string, as many as one row may hold. */
const STRING_ROOM = 256 * 1024;
/** Bytes. Past this, lists end early and strings are cut short; what fields there are still counts. */
const SOFT_LIMIT = 768 * 1024;
const SHORT_STRING = 1024;
/** Bytes. Past these, no further field is kept either; the outer ones say what the line is. */
const INNER_LIMIT = 1024 * 1024;
const OUTER_LIMIT = 1280 * 1024;
/** Small pieces are gathered: to hash each by itself would cost more than the hashing. */
const SCRATCH_BYTES = 16 * 1024;

const BACKSLASH = 0x5c;
const COMMA = Buffer.from(',');
const QUOTE = Buffer.from('"');

export class CondensedOutput {
  #kept = Buffer.allocUnsafe(64 * 1024);
  #length = 0;
  /** The depth of the container whose further members are dropped; -1 while none is. */
  #dropping = -1;
  #stringStart = 0;
  #room = 0;
  #isStringCut = false;
  #field = '';
  #picture: StreamedPicture | null = null;
  #hash: Hash | null = createHash('sha256');
  readonly #scratch = Buffer.allocUnsafe(SCRATCH_BYTES);
  #scratched = 0;

  /** Structure and literals. */
  put(bytes: Buffer): void {
    this.#digest(bytes);
    if (this.#dropping === -1) this.#append(bytes);
  }

  /** Before the comma behind a member: whether the next one is still kept is decided here. */
  separate(depth: number, isList: boolean): void {
    const fields = depth > 3 ? SOFT_LIMIT : depth === 3 ? INNER_LIMIT : OUTER_LIMIT;
    if (this.#dropping === -1 && this.#length > (isList ? SOFT_LIMIT : fields)) {
      this.#dropping = depth;
    }
    this.put(COMMA);
  }

  /** The end of the container at this depth. */
  close(depth: number, bracket: Buffer): void {
    if (this.#dropping === depth) this.#dropping = -1;
    this.put(bracket);
  }

  /** A string begins that is the value of `field`, or a name itself. */
  beginString(field: string): void {
    this.put(QUOTE);
    this.#stringStart = this.#length;
    this.#room = this.#length > SOFT_LIMIT ? SHORT_STRING : STRING_ROOM;
    this.#isStringCut = false;
    this.#field = field;
  }

  /** Bytes within a string, as `JSON.stringify` writes them. */
  span(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#digest(bytes);
    if (this.#dropping !== -1) return;
    if (this.#isStringCut) return this.#picture?.push(bytes.toString('latin1'));
    const room = this.#room - (this.#length - this.#stringStart);
    this.#append(bytes.subarray(0, room));
    if (bytes.length <= room) return;
    this.#cut();
    this.#picture?.push(bytes.toString('latin1', room));
  }

  /** One character that must stay whole. */
  character(text: string): void {
    const bytes = Buffer.from(text);
    if (this.#isStringCut || this.#length - this.#stringStart + bytes.length <= this.#room) {
      return this.span(bytes);
    }
    this.#digest(bytes);
    if (this.#dropping !== -1) return;
    this.#cut();
    this.#picture?.push(text);
  }

  /** Returns what is kept of the string, where that is short enough for a name. */
  endString(): string {
    const standIn = this.#picture?.end();
    this.#picture = null;
    if (standIn != null) {
      this.#length = this.#stringStart;
      this.#append(Buffer.from(standIn));
    }
    const length = this.#length - this.#stringStart;
    const name =
      this.#dropping === -1 && length <= 64
        ? this.#kept.toString('utf8', this.#stringStart, this.#length)
        : '';
    this.put(QUOTE);
    return name;
  }

  /** From here on the hash is of what comes; what came before does not count. */
  restartHash(): void {
    this.#hash = createHash('sha256');
    this.#scratched = 0;
  }

  /** Hex, of all since the start or restart; nothing that comes later counts. */
  endHash(): string {
    this.#hash?.update(this.#scratch.subarray(0, this.#scratched));
    const digest = this.#hash?.digest('hex') ?? '';
    this.#hash = null;
    return digest;
  }

  get text(): string {
    return this.#kept.toString('utf8', 0, this.#length);
  }

  #append(bytes: Buffer): void {
    if (this.#length + bytes.length > this.#kept.length) {
      const larger = Buffer.allocUnsafe(2 * (this.#length + bytes.length));
      this.#kept.copy(larger, 0, 0, this.#length);
      this.#kept = larger;
    }
    bytes.copy(this.#kept, this.#length);
    this.#length += bytes.length;
  }

  /** The string is full: neither half a character nor half an escape may stay. */
  #cut(): void {
    this.#isStringCut = true;
    const kept = this.#kept.subarray(this.#stringStart, this.#length);
    this.#picture = StreamedPicture.of(this.#field, kept.toString('latin1'));
    this.#length -= unfinished(kept);
    let backslashes = 0;
    while (this.#kept[this.#length - 1 - backslashes] === BACKSLASH) backslashes += 1;
    this.#length -= backslashes % 2;
  }

  #digest(bytes: Buffer): void {
    if (this.#hash === null) return;
    if (this.#scratched + bytes.length > SCRATCH_BYTES) {
      this.#hash.update(this.#scratch.subarray(0, this.#scratched));
      this.#scratched = 0;
    }
    if (bytes.length > SCRATCH_BYTES) this.#hash.update(bytes);
    else this.#scratched += bytes.copy(this.#scratch, this.#scratched);
  }
}
