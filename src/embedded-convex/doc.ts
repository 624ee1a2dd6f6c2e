import { convexToJson } from 'convex/values';
import type { JSONValue, Value } from 'convex/values';
import { fromJson } from './values/from-json.ts';
import { checkDocument } from './values/size.ts';

export type DocValue = { [field: string]: Value | undefined };

/**
 * One version of a document. `json` is canonical Convex JSON text (sorted keys, system
 * fields included) and can be spliced into a reply as it is; what else is asked for is
 * decoded from it the first time somebody does.
 */
export class Doc {
  readonly id: string;
  readonly json: string;
  /** Bytes, as Convex counts them for its limits. */
  readonly size: number;
  #parsed: { [field: string]: JSONValue } | undefined;
  #value: DocValue | undefined;

  constructor(id: string, json: string, size: number, value?: DocValue) {
    this.id = id;
    this.json = json;
    this.size = size;
    this.#value = value;
  }

  /**
   * Checks the limits of a document and writes its text. `value` holds the system fields, its
   * fields in the order of their names or not.
   */
  static encode(id: string, value: DocValue): Doc {
    const { size, isPlainJson } = checkDocument(value);
    const json = JSON.stringify(isPlainJson ? value : convexToJson(value));
    return new Doc(id, json, size, value);
  }

  /** Without the limits that are for the documents of functions. */
  static encodeSystem(id: string, value: DocValue): Doc {
    const json = JSON.stringify(convexToJson(value));
    return new Doc(id, json, Buffer.byteLength(json), value);
  }

  /** Shared by everyone who holds this document: never change it. */
  get value(): DocValue {
    // `encode` made the text from an object.
    this.#value ??= fromJson(this.#object()) as DocValue;
    return this.#value;
  }

  /** The value at a path of names, decoding nothing else; undefined when there is none. */
  field(path: readonly string[]): Value | undefined {
    let at: JSONValue | undefined = this.#object();
    for (const name of path) {
      if (typeof at !== 'object' || at === null || Array.isArray(at)) return undefined;
      at = Object.hasOwn(at, name) ? at[name] : undefined;
    }
    return at === undefined ? undefined : fromJson(at);
  }

  #object(): { [field: string]: JSONValue } {
    // As above: the text is an object's.
    this.#parsed ??= JSON.parse(this.json) as { [field: string]: JSONValue };
    return this.#parsed;
  }
}
