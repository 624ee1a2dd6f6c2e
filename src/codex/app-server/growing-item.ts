/** An item that is still being written: its text, or the output of its command, so far. Pure. */
import type { ThreadItem } from '../thread-item.ts';

/** The whole text so far, or the newest of a command's output. */
export interface StreamedPiece {
  item: ThreadItem;
  /** Rises with each piece of a run. */
  seq: number;
}

/** Characters of a text that is shown while it grows; its end comes with all that a row may hold. */
const MAX_TEXT = 128 * 1024;
/** Of a command's output the newest is shown while it runs: more would only be sent again and again. */
const MAX_OUTPUT = 16 * 1024;

export class GrowingItem {
  readonly isSpoken: boolean;
  readonly #item: ThreadItem;
  /** Summaries of reasoning have parts; every other text is one. */
  readonly #parts: string[] = [];
  readonly #raw: string[] = [];
  #output = '';
  #isCut = false;
  #size = 0;

  /** `item` as it began. */
  constructor(item: ThreadItem) {
    this.#item = item;
    this.isSpoken = item.kind === 'message' || item.kind === 'reason';
  }

  /** The item as it stands now; undefined when it has all that is shown of it. */
  add(part: number, delta: string): ThreadItem | undefined {
    if (this.isSpoken) return this.#addTo(this.#parts, part, delta);
    if (this.#item.kind !== 'cmd') return undefined;
    const output = this.#output + delta;
    this.#isCut ||= output.length > MAX_OUTPUT;
    this.#output = output.slice(-MAX_OUTPUT);
    return this.soFar();
  }

  /** Reasoning in full, which is shown where there is no summary of it. */
  addRaw(part: number, delta: string): ThreadItem | undefined {
    return this.#addTo(this.#raw, part, delta);
  }

  /** Undefined while there is nothing to show. */
  soFar(): ThreadItem | undefined {
    const { data } = this.#item;
    if (!this.isSpoken) {
      const output = this.#isCut ? wholeLines(this.#output) : this.#output;
      return output === ''
        ? this.#item
        : { ...this.#item, data: { ...data, output: output.toWellFormed() } };
    }
    const parts = this.#parts.length > 0 ? this.#parts : this.#raw;
    const text = parts.filter((part) => part !== undefined).join('\n\n');
    return text === '' ? undefined : { ...this.#item, text: text.toWellFormed() };
  }

  #addTo(parts: string[], part: number, delta: string): ThreadItem | undefined {
    const room = MAX_TEXT - this.#size;
    if (room <= 0) return undefined;
    const added = delta.slice(0, room);
    this.#size += added.length;
    parts[part] = (parts[part] ?? '') + added;
    return this.soFar();
  }
}

/** What begins in the middle of a line may begin in the middle of a secret, and is not known as one. */
function wholeLines(output: string): string {
  const end = output.search(/[\r\n]/);
  return end === -1 ? '' : output.slice(end + 1);
}
