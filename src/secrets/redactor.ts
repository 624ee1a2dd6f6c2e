/**
 * Takes secrets out of what is on its way to Convex. Pure: the same item gives the same
 * item, and a redacted one gives itself, so whoever compares a session file with its
 * rows calls this too. The session file is never touched.
 */
import type { JsonObject, JsonValue, ThreadItem, ThreadPatch } from '../codex/thread-item.ts';
import { cutSecrets } from './cut-secrets.ts';
import { findSecrets, united, type OwnSecret } from './find-secrets.ts';
import { SecretTrigger } from './trigger.ts';

export interface Redacted {
  text: string;
  /** Secrets that were taken out. */
  count: number;
}

/** What may have been cut in the middle of a secret, at the end of the text. */
export interface TextEnd {
  isCut?: boolean;
}

export class Redactor {
  readonly #own: readonly OwnSecret[];
  readonly #trigger: SecretTrigger;

  /** `own`: the bridge's secrets, known by their values. */
  constructor(own: readonly OwnSecret[] = []) {
    this.#own = own.filter(({ value }) => value !== '');
    this.#trigger = new SecretTrigger(this.#own.map(({ value }) => value));
  }

  /** In place of each secret: `[redacted: openai-key]`. */
  text(text: string, { isCut = false }: TextEnd = {}): Redacted {
    // Nearly all texts have neither.
    const found = this.#trigger.test(text) ? findSecrets(text, this.#own) : [];
    const secrets = united([...found, ...cutSecrets(text, this.#own, isCut)]);
    let result = '';
    let end = 0;
    for (const secret of secrets) {
      result += `${text.slice(end, secret.start)}[redacted: ${secret.kind}]`;
      end = secret.end;
    }
    return secrets.length === 0
      ? { text, count: 0 }
      : { text: result + text.slice(end), count: secrets.length };
  }

  /** The item itself when there is no secret in it; else `redactions` says how many there were. */
  item(item: ThreadItem): ThreadItem {
    const tally = { count: 0 };
    const { kind, partial, truncated } = item;
    // What grows is what is said, and what a command prints; what was cut may be anything.
    const isCut = truncated !== undefined;
    const grows = partial === true;
    // Nearly all items end here.
    if (!isCut && !grows && !this.#mayHold(item.text) && !this.#mayHold(item.data)) return item;
    const text =
      item.text === undefined
        ? undefined
        : this.#string(item.text, tally, isCut || (grows && isSaid(kind)));
    const data = item.data === undefined ? undefined : this.#fields(item.data, tally, isCut, grows);
    if (tally.count === 0) return item;
    return {
      ...item,
      ...(text === undefined ? {} : { text }),
      ...(data === undefined ? {} : { data }),
      redactions: (item.redactions ?? 0) + tally.count,
    };
  }

  /** A title is made from a prompt, and may have been cut; its secrets count with the prompt. */
  thread(patch: ThreadPatch): ThreadPatch {
    if (patch.title === undefined) return patch;
    const { text, count } = this.text(patch.title.text, { isCut: true });
    return count === 0 ? patch : { ...patch, title: { ...patch.title, text } };
  }

  #mayHold(value: JsonValue | undefined): boolean {
    if (typeof value === 'string') return value.includes('…') || this.#trigger.test(value);
    if (typeof value !== 'object' || value === null) return false;
    if (Array.isArray(value)) return value.some((element) => this.#mayHold(element));
    for (const key in value) {
      if (this.#mayHold(key) || this.#mayHold(value[key])) return true;
    }
    return false;
  }

  #string(text: string, tally: { count: number }, isCut: boolean): string {
    const redacted = this.text(text, { isCut });
    tally.count += redacted.count;
    return redacted.text;
  }

  #fields(data: JsonObject, tally: { count: number }, isCut: boolean, grows: boolean): JsonObject {
    const { output } = data;
    if (!grows || typeof output !== 'string') return this.#object(data, tally, isCut);
    const whole = this.#object({ ...data, output: '' }, tally, isCut);
    return { ...whole, output: this.#string(output, tally, true) };
  }

  #value(value: JsonValue, tally: { count: number }, isCut: boolean): JsonValue {
    if (typeof value === 'string') return this.#string(value, tally, isCut);
    if (typeof value !== 'object' || value === null) return value;
    if (!Array.isArray(value)) return this.#object(value, tally, isCut);
    const before = tally.count;
    const elements = value.map((element) => this.#value(element, tally, isCut));
    return tally.count === before ? value : elements;
  }

  /** Names may hold secrets too: a table of keys by key. */
  #object(object: JsonObject, tally: { count: number }, isCut: boolean): JsonObject {
    const before = tally.count;
    // A null prototype keeps a key named `__proto__` a key.
    const result: JsonObject = Object.create(null) as JsonObject;
    for (const [key, value] of Object.entries(object)) {
      const name = this.#string(key, tally, false);
      result[free(result, name)] = this.#value(value, tally, isCut);
    }
    return tally.count === before ? object : result;
  }
}

function isSaid(kind: ThreadItem['kind']): boolean {
  return kind === 'message' || kind === 'reason';
}

/** Two secrets of one kind would be one name. */
function free(object: JsonObject, name: string): string {
  let result = name;
  for (let n = 2; Object.hasOwn(object, result); n += 1) result = `${name} ${n}`;
  return result;
}
