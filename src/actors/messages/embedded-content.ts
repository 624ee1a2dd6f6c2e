/** Base64 content of an item, by its hash: the rows have `{ mime, bytes, sha256 }`, the file the data. */
import { z } from 'zod';
import { embeddedImage, pictureOf } from '../../codex/portable-json.ts';
import type { JsonObject, JsonValue, ThreadItem } from '../../codex/thread-item.ts';

const reference = z.looseObject({ bytes: z.number(), sha256: z.string().length(64) });

const DATA_URL_HEAD = /^data:[^,]{0,200};base64,/;
const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;

/** What the item refers to, to be looked for. */
export function embeddedContent(data: JsonValue | undefined): EmbeddedContent {
  const wanted = new Map<string, number>();
  const look = (value: JsonValue): void => {
    if (typeof value === 'string') return look(jsonWithReferences(value));
    if (typeof value !== 'object' || value === null) return;
    const parsed = reference.safeParse(value);
    if (parsed.success) wanted.set(parsed.data.sha256, parsed.data.bytes);
    for (const part of Object.values(value)) look(part);
  };
  look(data ?? null);
  return new EmbeddedContent(wanted);
}

/** The item with a field `data` (base64) beside each reference whose content was found. */
export function withContent(item: ThreadItem, content: EmbeddedContent): ThreadItem {
  const fill = (value: JsonValue): JsonValue => {
    if (typeof value === 'string') {
      const json = jsonWithReferences(value);
      return json === null ? value : JSON.stringify(fill(json));
    }
    if (typeof value !== 'object' || value === null) return value;
    return Array.isArray(value) ? value.map(fill) : fillObject(value);
  };
  const fillObject = (object: JsonObject): JsonObject => {
    const filled: JsonObject = Object.fromEntries(
      Object.entries(object).map(([key, part]) => [key, fill(part)]),
    );
    const parsed = reference.safeParse(object);
    const base64 = parsed.success ? content.found.get(parsed.data.sha256) : undefined;
    return base64 === undefined ? filled : { ...filled, data: base64 };
  };
  return item.data === undefined ? item : { ...item, data: fillObject(item.data) };
}

/** References stand in JSON within JSON, too; null when there are none in it. */
function jsonWithReferences(text: string): JsonValue {
  if (!/^\s*[{[]/.test(text) || !text.includes('"sha256"')) return null;
  try {
    // What JSON.parse makes is JSON.
    return JSON.parse(text) as JsonValue;
  } catch {
    return null;
  }
}

export class EmbeddedContent {
  /** Base64, by the SHA-256 of what it decodes to. */
  readonly found = new Map<string, string>();
  /** Bytes, by SHA-256. */
  readonly #wanted: ReadonlyMap<string, number>;
  readonly #lengths: ReadonlySet<number>;

  constructor(wanted: ReadonlyMap<string, number>) {
    this.#wanted = wanted;
    this.#lengths = new Set(wanted.values());
  }

  get size(): number {
    return this.#wanted.size;
  }

  get isComplete(): boolean {
    return this.found.size === this.#wanted.size;
  }

  findIn(line: Buffer): void {
    const smallest = Math.min(...this.#lengths);
    if (line.length > smallest) this.#lookIntoText(line.toString());
  }

  #lookIntoText(text: string): void {
    try {
      this.#look(JSON.parse(text));
    } catch {
      // No JSON: then there is no content in it either.
    }
  }

  #look(value: unknown): void {
    if (typeof value === 'string') return this.#lookAt(value);
    if (typeof value !== 'object' || value === null) return;
    for (const part of Object.values(value)) this.#look(part);
  }

  #lookAt(text: string): void {
    // Arguments and results of tools are JSON within JSON.
    if (text.startsWith('{') || text.startsWith('[')) return this.#lookIntoText(text);
    const head = DATA_URL_HEAD.exec(text.slice(0, 300));
    const base64 = head ? text.slice(head[0].length) : text;
    if (!this.#mayBe(base64.length) || (!head && !BASE64.test(base64))) return;
    const content = head ? embeddedImage(text) : pictureOf('', base64);
    if (content && this.#wanted.has(content.sha256)) this.found.set(content.sha256, base64);
  }

  /** Whether so many characters can be content that is looked for. */
  #mayBe(characters: number): boolean {
    const most = Math.ceil((characters * 3) / 4);
    for (let bytes = most; bytes >= most - 3; bytes -= 1) if (this.#lengths.has(bytes)) return true;
    return false;
  }
}
