import type { JSONValue, Value } from 'convex/values';
import type { DocValue } from '../doc.ts';
import { FunctionError } from '../function-error.ts';
import { fromJson } from '../values/from-json.ts';

/**
 * The arguments of one syscall. `convex/server` writes them, but a function may call
 * `Convex.syscall` on its own, so nothing is taken on trust.
 */
export class SyscallArguments {
  readonly #operation: string;
  readonly #fields: { [name: string]: JSONValue };

  constructor(operation: string, text: string) {
    this.#operation = operation;
    const parsed: JSONValue = parse(operation, text);
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
      throw invalid(operation, 'the arguments are not an object');
    }
    this.#fields = parsed;
  }

  string(name: string): string {
    const value = this.#fields[name];
    if (typeof value !== 'string') throw invalid(this.#operation, `\`${name}\` is not a string`);
    return value;
  }

  optionalString(name: string): string | undefined {
    return this.#fields[name] === undefined || this.#fields[name] === null
      ? undefined
      : this.string(name);
  }

  number(name: string): number {
    const value = this.#fields[name];
    if (typeof value !== 'number') throw invalid(this.#operation, `\`${name}\` is not a number`);
    return value;
  }

  optionalNumber(name: string): number | null {
    return this.#fields[name] === undefined || this.#fields[name] === null
      ? null
      : this.number(name);
  }

  isTrue(name: string): boolean {
    return this.#fields[name] === true;
  }

  /** null when it is missing. */
  optionalJson(name: string): JSONValue {
    return this.#fields[name] ?? null;
  }

  json(name: string): JSONValue {
    const value = this.#fields[name];
    if (value === undefined) throw invalid(this.#operation, `\`${name}\` is missing`);
    return value;
  }

  /** A document's fields. `{"$undefined": null}` at the top level: the field is to be removed. */
  object(name: string): DocValue {
    const json = this.json(name);
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw invalid(this.#operation, `\`${name}\` must be an Object`);
    }
    return Object.fromEntries(
      Object.entries(json).map(([field, value]) => [
        field,
        isUndefined(value) ? undefined : this.#value(value),
      ]),
    );
  }

  #value(json: JSONValue): Value {
    try {
      return fromJson(json);
    } catch (error) {
      throw invalid(this.#operation, error instanceof Error ? error.message : String(error));
    }
  }
}

function isUndefined(json: JSONValue): boolean {
  return typeof json === 'object' && json !== null && '$undefined' in json;
}

function parse(operation: string, text: string): JSONValue {
  try {
    // What JSON.parse returns is what this type describes.
    return JSON.parse(text) as JSONValue;
  } catch (error) {
    throw invalid(operation, error instanceof Error ? error.message : String(error));
  }
}

function invalid(operation: string, problem: string): FunctionError {
  return new FunctionError('InvalidArgument', `Invalid argument for ${operation}: ${problem}`);
}
