/**
 * What every line that the campaign ever wrote means: what a mirror has to make of it. The
 * model reads files by looking their lines up here, and never parses one.
 */
import { createHash } from 'node:crypto';

/** A row as Convex must hold it. */
export interface ModelRow {
  /** Codex's own identity of the item; of a line without one its type and the hash of its payload. */
  key: string;
  /** The key lacks how often the payload stood in the file before. */
  isCounted: boolean;
  kind: 'message' | 'preface' | 'reason' | 'cmd' | 'turn';
  role?: 'user' | 'assistant';
  /** Absent for turns. A row may hold only the beginning of a very long one. */
  text?: string;
  /** Milliseconds since the epoch; absent where lines have no times. */
  ts?: number;
}

export type Meaning =
  | { is: 'nothing' }
  /** The first one in a file says whose it is. */
  | { is: 'meta'; threadId: string }
  /** Begins or ends a turn: what nobody displayed so far, nobody will. */
  | { is: 'turn'; row?: ModelRow }
  | { is: 'row'; row: ModelRow }
  /** A message as it was displayed. `settles`: it begins a turn that has no line of its own. */
  | { is: 'shown'; row: ModelRow; text: string; settles: boolean }
  /** The same message as the model has it: a row only when it was never displayed. */
  | { is: 'copy'; row: ModelRow; text: string }
  /** JSON of no kind that anyone knows: set aside. */
  | { is: 'unknown' };

export class LineBook {
  readonly #meanings = new Map<string, Meaning>();

  /** Returns the line's bytes. */
  write(value: object, meaning: Meaning): Buffer {
    const line = Buffer.from(JSON.stringify(value));
    this.#meanings.set(keyOf(line), meaning);
    return line;
  }

  /** Undefined for whatever is not, byte for byte, a line that was written as one. */
  meaning(line: Buffer): Meaning | undefined {
    return this.#meanings.get(keyOf(line));
  }
}

export function sha256(text: string | Buffer): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Lines can be long and are looked up often: a hash each is kept of them. */
function keyOf(line: Buffer): string {
  return line.length < 200 ? line.toString('latin1') : sha256(line);
}
