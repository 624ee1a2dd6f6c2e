/** What a mirror must make of a file's bytes, by looking its lines up. */
import type { LineBook, Meaning, ModelRow } from './line-book.ts';

export interface ExpectedFile {
  threadId: string;
  /** By key. */
  rows: Map<string, ModelRow>;
  /** Behind the last newline. */
  offset: number;
  quarantine: { offset: number; length: number }[];
}

const LINE_START = Buffer.from('{"timestamp":"');
const BYTE_ORDER_MARK = Buffer.from('\uFEFF');

export function expectedFile(book: LineBook, bytes: Buffer, idInName: string): ExpectedFile {
  const reading = new Reading(book, idInName);
  let start = 0;
  for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
    reading.line(bytes.subarray(start, end), start);
    start = end + 1;
  }
  return { ...reading.result, offset: start };
}

class Reading {
  readonly result: ExpectedFile;
  readonly #book: LineBook;
  #owner: string | undefined;
  #hasTurn = false;
  /** How often each payload was met. */
  readonly #counts = new Map<string, number>();
  #waiting: { text: string; row: ModelRow }[] = [];
  #shown: string[] = [];

  constructor(book: LineBook, threadId: string) {
    this.#book = book;
    this.result = { threadId, rows: new Map(), offset: 0, quarantine: [] };
  }

  line(bytes: Buffer, offset: number): void {
    const hasMark = offset === 0 && bytes.indexOf(BYTE_ORDER_MARK) === 0;
    const content = hasMark ? bytes.subarray(BYTE_ORDER_MARK.length) : bytes;
    if (isBlank(content)) return;
    const whole = this.#lookUp(content);
    if (whole !== undefined) return this.#mean(whole, offset, bytes.length + 1);
    for (const { start, end, meaning } of this.#gluedParts(bytes)) {
      // The newline belongs to the last part.
      const length = end - start + (end === bytes.length ? 1 : 0);
      if (meaning === undefined) this.#setAside(offset + start, length);
      else this.#mean(meaning, offset + start, length);
    }
  }

  #lookUp(bytes: Buffer): Meaning | undefined {
    return this.#book.meaning(bytes.at(-1) === 13 ? bytes.subarray(0, -1) : bytes);
  }

  /** Torn and whole lines that stand on one; what is torn is one part up to the next whole one. */
  #gluedParts(bytes: Buffer) {
    const places: number[] = [];
    for (let at = bytes.indexOf(LINE_START, 1); at !== -1; at = bytes.indexOf(LINE_START, at + 1)) {
      places.push(at);
    }
    const ends = [...places, bytes.length];
    const parts: { start: number; end: number; meaning: Meaning | undefined }[] = [];
    for (let start = 0; start < bytes.length;) {
      const later = ends.filter((end) => end > start);
      const wholeEnd = later.find((end) => this.#lookUp(bytes.subarray(start, end)) !== undefined);
      const end = wholeEnd ?? later[0] ?? bytes.length;
      const meaning =
        wholeEnd === undefined ? undefined : this.#lookUp(bytes.subarray(start, wholeEnd));
      const last = parts.at(-1);
      if (meaning === undefined && last !== undefined && last.meaning === undefined) last.end = end;
      else parts.push({ start, end, meaning });
      start = end;
    }
    return parts;
  }

  #mean(meaning: Meaning, offset: number, length: number): void {
    switch (meaning.is) {
      case 'nothing':
        break;
      case 'meta':
        if (this.#owner === undefined) this.result.threadId = this.#owner = meaning.threadId;
        break;
      case 'turn':
        this.#settle();
        this.#hasTurn = true;
        if (meaning.row !== undefined) this.#row(meaning.row);
        break;
      case 'row':
        this.#row(meaning.row);
        break;
      case 'shown':
        this.#row(meaning.row);
        this.#pair(meaning.text);
        if (meaning.settles && !this.#hasTurn) this.#settle();
        break;
      case 'copy': {
        const at = this.#shown.indexOf(meaning.text);
        if (at !== -1) this.#shown.splice(at, 1);
        else this.#waiting.push({ text: meaning.text, row: this.#counted(meaning.row) });
        break;
      }
      case 'unknown':
        this.#setAside(offset, length);
        break;
    }
  }

  #row(row: ModelRow): void {
    this.#keep(this.#counted(row));
  }

  #keep(row: ModelRow): void {
    if (!this.result.rows.has(row.key)) this.result.rows.set(row.key, row);
  }

  #counted(row: ModelRow): ModelRow {
    if (!row.isCounted) return row;
    const count = this.#counts.get(row.key) ?? 0;
    this.#counts.set(row.key, count + 1);
    return { ...row, key: `${row.key}/${count}` };
  }

  #settle(): void {
    for (const { row } of this.#waiting) this.#keep(row);
    this.#waiting = [];
    this.#shown = [];
  }

  #pair(shown: string): void {
    const at = this.#waiting.findIndex(({ text }) => text === shown);
    if (at === -1) this.#shown.push(shown);
    else this.#waiting.splice(at, 1);
  }

  #setAside(offset: number, length: number): void {
    this.result.quarantine.push({ offset, length });
  }
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 32 || byte === 13 || byte === 9);
}
