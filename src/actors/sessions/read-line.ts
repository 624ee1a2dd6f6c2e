/** One line of a session file as items, or as a line that is set aside: never an exception, never silence. */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { LinePosition, RolloutReader } from '../../codex/rollout/rollout-reader.ts';
import type { ThreadItem } from '../../codex/thread-item.ts';
import type { QuarantinedLine } from '../../machines/protocol.ts';
import { gluedParts } from './glued-line.ts';
import type { SplitLine } from './line-splitter.ts';
import type { LongPart } from './long-line.ts';

export interface LineResult {
  items: ThreadItem[];
  quarantine: QuarantinedLine[];
}

/** A byte order mark, which some editors put before the first line. */
const BYTE_ORDER_MARK = '\uFEFF';
/** Characters. A reason may quote what it complains about. */
const MAX_REASON = 300;

export function readLine(
  reader: RolloutReader,
  line: SplitLine<LongPart[]>,
  parserVersion: number,
): LineResult {
  const reading = new Reading(reader, parserVersion);
  const { content, offset, length } = line;
  if (Buffer.isBuffer(content)) reading.line(content, { offset, length });
  else for (const part of content) reading.longPart(part);
  return reading.result;
}

class Reading {
  readonly result: LineResult = { items: [], quarantine: [] };
  readonly #reader: RolloutReader;
  readonly #parserVersion: number;

  constructor(reader: RolloutReader, parserVersion: number) {
    this.#reader = reader;
    this.#parserVersion = parserVersion;
  }

  line(bytes: Buffer, at: LinePosition): void {
    const broken = this.#whole(bytes, at);
    if (broken === null) return;
    const parts = gluedParts(bytes);
    if (parts === null) return this.#setAside(at, sha256(bytes), broken);
    for (const { start, end, isWhole } of parts) {
      const part = bytes.subarray(start, end);
      const offset = at.offset + start;
      // The newline belongs to the last one.
      const length = end === bytes.length ? at.length - start : part.length;
      if (isWhole) this.#parse(part, part.toString(), { offset, length });
      else this.#setAside({ offset, length }, sha256(part), `${broken} (glued lines)`);
    }
  }

  longPart({ content, sha256: hash, ...place }: LongPart): void {
    if ('problem' in content) return this.#setAside(place, hash, content.problem);
    const { text, sha256: condensed } = content;
    const reason = this.#push(text, { ...place, condensed: { sha256: condensed } });
    if (reason !== null) this.#setAside(place, hash, reason);
  }

  /** Why the line is no text of one JSON value; else it is dealt with. */
  #whole(bytes: Buffer, at: LinePosition): string | null {
    if (!isUtf8(bytes)) return 'not UTF-8';
    if (bytes.includes(0)) return 'contains NUL bytes';
    const text = at.offset === 0 ? withoutByteOrderMark(bytes.toString()) : bytes.toString();
    return text.trim() === '' ? null : this.#parse(bytes, text, at);
  }

  /** Also sets aside what is JSON, but nothing that is known. */
  #parse(bytes: Buffer, text: string, at: LinePosition): string | null {
    const reason = this.#push(text, at);
    if (reason === null) return null;
    if (!isJson(text)) return reason;
    this.#setAside(at, sha256(bytes), reason);
    return null;
  }

  /** Returns what is wrong with the line. */
  #push(text: string, at: LinePosition): string | null {
    try {
      const { items, problems } = this.#reader.push(text, at);
      this.result.items.push(...items);
      return problems.length === 0 ? null : problems.map(({ reason }) => reason).join('; ');
    } catch (thrown) {
      return `the parser failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
    }
  }

  #setAside({ offset, length }: LinePosition, hash: string, reason: string): void {
    this.result.quarantine.push({
      offset,
      length,
      sha256: hash,
      reason: reason.slice(0, MAX_REASON),
      parserVersion: this.#parserVersion,
    });
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function withoutByteOrderMark(text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
