/**
 * Reads one JSON object that may be of any size, in pieces, in bounded memory. What
 * comes out is JSON of the same shape: long strings are cut, long lists end early,
 * and base64 content is only named (`stand-in.ts`). Everything is checked as
 * `JSON.parse` would check it, also what is left out. Pure.
 *
 * Our own, because the streaming JSON parsers there are hold each string whole.
 */
import { CondensedOutput } from './condensed-output.ts';
import { Utf8Check } from './utf8-check.ts';

export interface CondensedJson {
  text: string;
  /**
   * SHA-256, hex, of the field `payload` as `JSON.stringify` writes it, whole; of all
   * where there is no such field. Fields with integers for names, which JavaScript
   * reorders, are taken as they stand.
   */
  sha256: string;
}

export type CondenserState = 'open' | 'complete' | 'failed';

/** What may come next outside of strings and literals. */
type Expected = 'value' | 'valueOrEnd' | 'name' | 'nameOrEnd' | 'colon' | 'commaOrEnd' | 'nothing';
/** Within what the next byte is. */
type Within = 'structure' | 'string' | 'escape' | 'hex' | 'literal';

/** As deep as any reader of the result can go. */
const MAX_DEPTH = 10_000;
/** Characters. Longer numbers are no numbers that anybody wrote. */
const MAX_LITERAL = 1_000;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const WORDS: ReadonlySet<string> = new Set(['true', 'false', 'null']);

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;
const LIST = 0x5b;
const LIST_END = 0x5d;
const [COLON, OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST, CLOSE_LIST] = [':', '{', '}', '[', ']'].map(
  (text) => Buffer.from(text),
) as [Buffer, Buffer, Buffer, Buffer, Buffer];
const SHORT_ESCAPES: ReadonlySet<number> = new Set(Buffer.from('89acd'));
/** The letters of the escapes that `JSON.stringify` writes too. */
const SAME_ESCAPES: ReadonlySet<number> = new Set(Buffer.from('"\\bfnrt'));

export class JsonCondenser {
  readonly #out = new CondensedOutput();
  readonly #utf8 = new Utf8Check();
  #containers = new Uint8Array(64);
  #depth = 0;
  #expected: Expected = 'value';
  #within: Within = 'structure';
  #isName = false;
  /** The name whose value comes. */
  #name = '';
  #hex = '';
  /** The first half of a surrogate pair that was escaped. */
  #half = 0;
  #literal = '';
  /** Set at the end of the payload. */
  #sha256: string | null = null;
  #problem: string | null = null;

  push(bytes: Buffer): void {
    if (this.#problem !== null) return;
    if (!this.#utf8.accepts(bytes)) return this.#fail('not UTF-8');
    for (let at = 0; at < bytes.length;) at = this.#take(bytes, at);
  }

  get state(): CondenserState {
    if (this.#problem !== null) return 'failed';
    return this.#expected === 'nothing' ? 'complete' : 'open';
  }

  /** Whether it breaks when an object begins now. */
  get refusesObject(): boolean {
    return this.#within === 'structure' ? !this.#expectsValue : this.#within === 'literal';
  }

  /** Why this is no JSON object, so far; also of one that has not ended. */
  get problem(): string {
    return this.#problem ?? 'not JSON: it ends too early';
  }

  /** Only of what is complete. */
  end(): CondensedJson {
    return { text: this.#out.text, sha256: this.#sha256 ?? this.#out.endHash() };
  }

  /** Returns where the next byte is; behind the end when there is nothing more to take. */
  #take(bytes: Buffer, at: number): number {
    switch (this.#within) {
      case 'string':
        return this.#inString(bytes, at);
      case 'escape':
        return this.#inEscape(bytes, at);
      case 'hex':
        return this.#inHex(bytes, at);
      case 'literal':
        return this.#inLiteral(bytes, at);
      case 'structure':
        return this.#inStructure(bytes, at);
    }
  }

  #inStructure(bytes: Buffer, at: number): number {
    const byte = bytes[at] ?? 0;
    if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) return at + 1;
    switch (byte) {
      case QUOTE:
        return this.#beginString() ? at + 1 : this.#refuse(bytes);
      case OBJECT:
        return this.#open(byte, 'nameOrEnd', OPEN_OBJECT) ? at + 1 : this.#refuse(bytes);
      case LIST:
        return this.#open(byte, 'valueOrEnd', OPEN_LIST) ? at + 1 : this.#refuse(bytes);
      case OBJECT_END:
        return this.#close(OBJECT, 'nameOrEnd', CLOSE_OBJECT) ? at + 1 : this.#refuse(bytes);
      case LIST_END:
        return this.#close(LIST, 'valueOrEnd', CLOSE_LIST) ? at + 1 : this.#refuse(bytes);
      case 0x2c:
        if (this.#expected !== 'commaOrEnd') return this.#refuse(bytes);
        this.#out.separate(this.#depth, this.#container === LIST);
        this.#expected = this.#container === LIST ? 'value' : 'name';
        return at + 1;
      case 0x3a:
        if (this.#expected !== 'colon') return this.#refuse(bytes);
        this.#out.put(COLON);
        this.#expected = 'value';
        if (this.#isPayload) this.#out.restartHash();
        return at + 1;
      case 0:
        this.#fail('contains NUL bytes');
        return bytes.length;
      default:
        if (!this.#expectsValue || this.#depth === 0) return this.#refuse(bytes);
        this.#within = 'literal';
        return at;
    }
  }

  get #container(): number {
    return this.#containers[this.#depth - 1] ?? 0;
  }

  get #expectsValue(): boolean {
    return this.#expected === 'value' || this.#expected === 'valueOrEnd';
  }

  get #isPayload(): boolean {
    return this.#depth === 1 && this.#name === 'payload' && this.#sha256 === null;
  }

  #open(container: number, expected: Expected, bracket: Buffer): boolean {
    // A line is an object: what else stands at the top is no line.
    if (!this.#expectsValue || (this.#depth === 0 && container !== OBJECT)) return false;
    if (this.#depth === MAX_DEPTH) return false;
    if (this.#depth === this.#containers.length) {
      const larger = new Uint8Array(2 * this.#depth);
      larger.set(this.#containers);
      this.#containers = larger;
    }
    this.#containers[this.#depth] = container;
    this.#depth += 1;
    this.#expected = expected;
    this.#out.put(bracket);
    return true;
  }

  #close(container: number, whenEmpty: Expected, bracket: Buffer): boolean {
    if (this.#expected !== 'commaOrEnd' && this.#expected !== whenEmpty) return false;
    if (this.#container !== container) return false;
    this.#out.close(this.#depth, bracket);
    this.#depth -= 1;
    if (this.#depth === 1 && this.#container === OBJECT) this.#name = this.#outerName;
    this.#afterValue();
    return true;
  }

  /** The name at depth 1 whose value holds all that is deeper. */
  #outerName = '';

  #afterValue(): void {
    if (this.#isPayload) this.#sha256 = this.#out.endHash();
    this.#expected = this.#depth === 0 ? 'nothing' : 'commaOrEnd';
  }

  #beginString(): boolean {
    this.#isName = this.#expected === 'name' || this.#expected === 'nameOrEnd';
    if (!this.#isName && (!this.#expectsValue || this.#depth === 0)) return false;
    this.#out.beginString(this.#isName ? '' : this.#name);
    this.#within = 'string';
    return true;
  }

  #inString(bytes: Buffer, from: number): number {
    if (this.#half !== 0) {
      if (bytes[from] === BACKSLASH) {
        this.#within = 'escape';
        return from + 1;
      }
      this.#loneHalf();
    }
    for (let at = from; at < bytes.length; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte === QUOTE) {
        this.#out.span(bytes.subarray(from, at));
        this.#endString();
        return at + 1;
      }
      if (byte === BACKSLASH) {
        const next = bytes[at + 1];
        if (next !== undefined && SAME_ESCAPES.has(next)) {
          at += 1;
          continue;
        }
        if (isControlEscape(bytes, at)) {
          at += 5;
          continue;
        }
        this.#out.span(bytes.subarray(from, at));
        this.#within = 'escape';
        return at + 1;
      }
      if (byte < 0x20) {
        this.#fail(byte === 0 ? 'contains NUL bytes' : 'not JSON: a control character in a string');
        return bytes.length;
      }
    }
    this.#out.span(bytes.subarray(from));
    return bytes.length;
  }

  #endString(): void {
    const text = this.#out.endString();
    this.#within = 'structure';
    if (!this.#isName) return this.#afterValue();
    this.#name = text;
    if (this.#depth === 1) this.#outerName = text;
    this.#expected = 'colon';
  }

  #inEscape(bytes: Buffer, at: number): number {
    const byte = bytes[at] ?? 0;
    if (byte === 0x75) {
      this.#within = 'hex';
      this.#hex = '';
      return at + 1;
    }
    if (this.#half !== 0) this.#loneHalf();
    if (byte === 0x2f) this.#out.character('/');
    else if (SAME_ESCAPES.has(byte)) this.#out.character(`\\${String.fromCharCode(byte)}`);
    else return this.#refuse(bytes);
    this.#within = 'string';
    return at + 1;
  }

  #inHex(bytes: Buffer, at: number): number {
    const digit = String.fromCharCode(bytes[at] ?? 0);
    if (!/[0-9a-fA-F]/.test(digit)) return this.#refuse(bytes);
    this.#hex += digit;
    if (this.#hex.length < 4) return at + 1;
    this.#unit(Number.parseInt(this.#hex, 16));
    this.#within = 'string';
    return at + 1;
  }

  /** One UTF-16 unit that was escaped, as `JSON.stringify` would have it. */
  #unit(unit: number): void {
    const half = this.#half;
    if (half !== 0 && unit >= 0xdc00 && unit <= 0xdfff) {
      this.#half = 0;
      this.#out.character(String.fromCharCode(half, unit));
      return;
    }
    if (half !== 0) this.#loneHalf();
    if (unit >= 0xd800 && unit <= 0xdbff) this.#half = unit;
    else this.#out.character(JSON.stringify(String.fromCharCode(unit).toWellFormed()).slice(1, -1));
  }

  /** Half a character becomes U+FFFD, as `parseJson` has it. */
  #loneHalf(): void {
    this.#half = 0;
    this.#out.character('\uFFFD');
  }

  #inLiteral(bytes: Buffer, from: number): number {
    let at = from;
    while (at < bytes.length && isLiteral(bytes[at] ?? 0)) at += 1;
    this.#literal += bytes.toString('latin1', from, at);
    if (this.#literal.length > MAX_LITERAL) return this.#refuse(bytes);
    if (at === bytes.length) return at;
    const literal = this.#literal;
    this.#literal = '';
    this.#within = 'structure';
    if (WORDS.has(literal)) this.#out.put(Buffer.from(literal));
    else if (NUMBER.test(literal)) this.#out.put(Buffer.from(JSON.stringify(Number(literal))));
    else return this.#refuse(bytes);
    this.#afterValue();
    return at;
  }

  #refuse(bytes: Buffer): number {
    this.#fail(
      this.#depth === MAX_DEPTH ? `nested more than ${MAX_DEPTH} deep` : 'not JSON: malformed',
    );
    return bytes.length;
  }

  #fail(problem: string): void {
    this.#problem ??= problem;
  }
}

/** Whether `\\u00…` stands here as `JSON.stringify` writes it: colours in the output of commands are. */
function isControlEscape(bytes: Buffer, at: number): boolean {
  if (bytes[at + 1] !== 0x75 || bytes[at + 2] !== 0x30 || bytes[at + 3] !== 0x30) return false;
  const [first, second = 0] = [bytes[at + 4], bytes[at + 5]];
  const isHex = (second >= 0x30 && second <= 0x39) || (second >= 0x61 && second <= 0x66);
  if (!isHex) return false;
  // Of 0x, five have letters of their own: b, t, n, f and r.
  return first === 0x31 || (first === 0x30 && !SHORT_ESCAPES.has(second));
}

/** Digits, letters, and what numbers have besides. */
function isLiteral(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x2d ||
    byte === 0x2b ||
    byte === 0x2e ||
    byte === 0x45
  );
}
