import { actionGeneric, mutationGeneric, queryGeneric } from 'convex/server';
import type { FunctionKind } from '../executor.ts';
import { FunctionRegistry } from '../runtime/function-registry.ts';
import type { FunctionLookup, RegisteredFunction } from '../runtime/function-registry.ts';
import { currentCall } from './host-call.ts';
import { guardGlobals } from './host-globals.ts';

/** What `import.meta.glob` gives: a loader for each file, by its path. */
export type ModuleLoaders = Record<string, () => Promise<unknown>>;

/** A function written inside a test; its context is what its kind of function gets. */
export type InlineFunction = (ctx: never) => Promise<unknown>;

/** Functions that are ordinary modules of this process: the project's, and those of its tests. */
export class HostFunctions implements FunctionLookup {
  readonly #loaders: ModuleLoaders;
  readonly #failures = new Map<string, unknown>();
  #loading: Promise<void> | null = null;
  #registry = new FunctionRegistry({});

  constructor(loaders: ModuleLoaders) {
    this.#loaders = functionLoaders(loaders);
  }

  /** Loads all modules, as a push would; one that fails to load fails whoever calls into it. */
  load(): Promise<void> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  find(path: string): RegisteredFunction | null {
    const inline = currentCall.getStore()?.inline ?? null;
    const found = path === inline?.path ? inline : this.#registry.find(path);
    if (found === null) {
      this.#throwLoadFailure(path);
      return null;
    }
    return { ...found, invoke: (args) => invoke(found, args) };
  }

  hasModule(name: string): boolean {
    return this.#registry.hasModule(name);
  }

  async #load(): Promise<void> {
    const loaded: Record<string, unknown> = {};
    const load = async ([name, loader]: [string, () => Promise<unknown>]): Promise<void> => {
      try {
        loaded[name] = await loader();
      } catch (error) {
        this.#failures.set(name, error);
      }
    };
    await Promise.all(Object.entries(this.#loaders).map(load));
    this.#registry = new FunctionRegistry(loaded);
  }

  #throwLoadFailure(path: string): void {
    const [module = ''] = path.split(':');
    if (this.#failures.has(module)) throw this.#failures.get(module);
  }
}

/** `path` is what it is told of its own name. */
export function inlineFunction(
  kind: FunctionKind,
  path: string,
  handler: InlineFunction,
): RegisteredFunction {
  const registry = new FunctionRegistry({ inline: { handler: wrappers[kind](handler) } });
  const registered = registry.find('inline:handler');
  if (registered === null) throw new Error('the handler became no Convex function');
  return { ...registered, path };
}

// `as never`: which context a handler takes, the types of `convexTest` have made sure of.
const wrappers = {
  query: (handler: InlineFunction) => queryGeneric({ handler: (ctx) => handler(ctx as never) }),
  mutation: (handler: InlineFunction) =>
    mutationGeneric({ handler: (ctx) => handler(ctx as never) }),
  action: (handler: InlineFunction) => actionGeneric({ handler: (ctx) => handler(ctx as never) }),
};

/** The loaders of function files, by module name; the folder of `_generated` is the root. */
function functionLoaders(loaders: ModuleLoaders): ModuleLoaders {
  const generated = Object.keys(loaders).find((path) => path.includes('_generated'));
  if (generated === undefined) {
    throw new Error(
      'No "_generated" folder is among the modules: include it in your `import.meta.glob`, which shows where the functions folder begins; `npx convex codegen` makes it.',
    );
  }
  const root = generated.slice(0, generated.indexOf('_generated'));
  return Object.fromEntries(
    Object.entries(loaders)
      .filter(([path]) => path.startsWith(root))
      .map(([path, loader]): [string, () => Promise<unknown>] => [path.slice(root.length), loader])
      .filter(([path]) => isModule(path))
      .map(([path, loader]) => [path.replace(/\.[^.]+$/, ''), loader]),
  );
}

/** Not what is generated, tests, declarations and configuration, which are never pushed. */
function isModule(path: string): boolean {
  const base = path.slice(path.lastIndexOf('/') + 1);
  return (
    !path.includes('_generated/') &&
    base.split('.').length === 2 &&
    !/^(?:schema|crons)\.\w+$/.test(path)
  );
}

async function invoke(called: RegisteredFunction, args: string): Promise<unknown> {
  const call = currentCall.getStore();
  guardGlobals();
  try {
    const result = await called.invoke(args);
    // Whatever a function inside threw, this one has dealt with it.
    if (call !== undefined) call.thrown = null;
    return result;
  } catch (error) {
    if (call !== undefined) call.thrown = { error };
    throw error;
  }
}
