import type { ValidatorJSON, Value } from 'convex/values';
import type { FunctionKind } from '../executor.ts';
import { parseValidator } from '../validator.ts';
import type { Validator } from '../validator.ts';

export interface RegisteredFunction {
  /** `folder/module:export`. */
  path: string;
  kind: FunctionKind;
  visibility: 'public' | 'internal';
  args: Validator;
  /** null: the result is not checked. */
  returns: Validator | null;
  /** `args` is the JSON text of a one-element array; the result is Convex JSON text. */
  invoke(args: string): Promise<unknown>;
}

export interface FunctionLookup {
  find(path: string): RegisteredFunction | null;
  /** `folder/module`. */
  hasModule(name: string): boolean;
}

/** The queries, mutations and actions that the modules export. */
export class FunctionRegistry implements FunctionLookup {
  readonly #byPath = new Map<string, RegisteredFunction>();
  readonly #modules = new Set<string>();
  readonly #exported = new Map<string, object>();

  /** `modules`: the exports of each, by its name. */
  constructor(modules: unknown) {
    for (const [module, exports] of entriesOf(modules)) {
      this.#modules.add(module);
      for (const [name, exported] of entriesOf(exports)) {
        const registered = register(`${module}:${name}`, exported);
        if (registered === null || typeof exported !== 'function') continue;
        this.#byPath.set(registered.path, registered);
        this.#exported.set(registered.path, exported);
      }
    }
  }

  hasModule(name: string): boolean {
    return this.#modules.has(name);
  }

  /** Also accepts `module.js:name` and, for the default export, `module`. */
  find(path: string): RegisteredFunction | null {
    return this.#byPath.get(path) ?? this.#byPath.get(canonicalPath(path)) ?? null;
  }

  /** Every function, as `npx convex function-spec` describes it. */
  specifications(): FunctionSpecification[] {
    return this.#byPath
      .values()
      .map(({ path, kind, visibility }) => ({
        identifier: path.replace(':', '.js:'),
        functionType: specificationTypes[kind],
        visibility: { kind: visibility },
        args: this.#validatorJson(path, 'exportArgs') ?? { type: 'any' },
        returns: this.#validatorJson(path, 'exportReturns') ?? { type: 'any' },
      }))
      .toArray();
  }

  #validatorJson(path: string, method: string): Value {
    const exported = this.#exported.get(path) ?? {};
    const text: unknown = Reflect.apply(Reflect.get(exported, method), exported, []);
    // JSON is a Convex value as well, but for names with a dollar, which validators do not have.
    return typeof text === 'string' ? (JSON.parse(text) as Value) : null;
  }
}

export interface FunctionSpecification {
  /** `folder/module.js:export`. */
  identifier: string;
  functionType: string;
  visibility: { kind: string };
  args: Value;
  returns: Value;
}

const specificationTypes: Record<FunctionKind, string> = {
  query: 'Query',
  mutation: 'Mutation',
  action: 'Action',
};

function canonicalPath(path: string): string {
  const colon = path.lastIndexOf(':');
  const module = colon < 0 ? path : path.slice(0, colon);
  const name = colon < 0 ? 'default' : path.slice(colon + 1);
  return `${module.replace(/\.js$/, '')}:${name}`;
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

/** What `query`, `mutation`, `action` and their internal forms of `convex/server` make. */
function register(path: string, exported: unknown): RegisteredFunction | null {
  if (typeof exported !== 'function') return null;
  const kind = kinds.find(({ mark }) => Reflect.get(exported, mark) === true);
  if (kind === undefined) return null;
  const call = (method: string, ...args: string[]): unknown =>
    Reflect.apply(Reflect.get(exported, method), exported, args);
  return {
    path,
    kind: kind.name,
    visibility: Reflect.get(exported, 'isPublic') === true ? 'public' : 'internal',
    args: readValidator(path, () => call('exportArgs')) ?? { type: 'any' },
    returns: readValidator(path, () => call('exportReturns')),
    invoke: async (args) =>
      // The first argument of an action is a request id, which it only hands back to us.
      kind.name === 'action' ? call(kind.invoke, '', args) : call(kind.invoke, args),
  };
}

const kinds = [
  { name: 'query', mark: 'isQuery', invoke: 'invokeQuery' },
  { name: 'mutation', mark: 'isMutation', invoke: 'invokeMutation' },
  { name: 'action', mark: 'isAction', invoke: 'invokeAction' },
] as const;

function readValidator(path: string, read: () => unknown): Validator | null {
  try {
    const text = read();
    if (typeof text !== 'string') return null;
    // Written by `convex/server` itself, in the format that this type describes.
    const json = JSON.parse(text) as ValidatorJSON | null;
    return json === null ? null : parseValidator(json);
  } catch (error) {
    throw new Error(`the validator of ${path} cannot be used: ${String(error)}`, { cause: error });
  }
}
