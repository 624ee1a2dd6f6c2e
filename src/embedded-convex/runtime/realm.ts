import { constants, createContext, Script } from 'node:vm';
import type { Context } from 'node:vm';
import { parseAuthConfig } from '../auth/auth-config.ts';
import type { AuthProvider } from '../auth/auth-config.ts';
import { EngineError, engineErrorCodes } from '../engine-error.ts';
import { currentExecution } from './execution.ts';
import type { Execution } from './execution.ts';
import { FunctionRegistry } from './function-registry.ts';
import type { FunctionLookup } from './function-registry.ts';
import { installConsole } from './global-console.ts';
import { installPlatform } from './global-platform.ts';
import { installSyscalls } from './global-syscalls.ts';
import { installTime } from './global-time.ts';
import { LogLines } from './log-lines.ts';
import { newSeed, seededRandom } from './random.ts';
import { FunctionsWithSystem } from './system-functions.ts';
import { bundleName, Traceback } from './traceback.ts';

/** One version of the functions, loaded: what can be called, and how its errors read. */
export interface Realm {
  functions: FunctionLookup;
  /** `JSON.parse(schema.export())`, or null without a schema file. */
  schema: unknown;
  traceback: Traceback;
  /**
   * The functions share our own globals and may wait for what the engine knows nothing of, as
   * those of a test do: only they can tell when they are over.
   */
  isOpen?: boolean;
}

/** From a bundle, which also says whose tokens are taken. */
export interface LoadedRealm extends Realm {
  authProviders: AuthProvider[];
}

/**
 * Evaluates a bundle in a realm of its own, with the globals that Convex functions have. Not
 * a security boundary: it keeps the rules for well-meaning code, not out the malicious one.
 * Throws an `EngineError` when the code fails while it loads.
 */
export function loadRealm(code: string, env: Record<string, string>): LoadedRealm {
  const traceback = new Traceback(code);
  const global = createRealmGlobal(env, traceback);
  try {
    return currentExecution.run(loading(), () => {
      new Script(code, { filename: bundleName }).runInContext(global, { timeout: loadLimitMs });
      const bundle: unknown = Reflect.get(global, 'convexFunctions');
      if (typeof bundle !== 'object' || bundle === null) {
        throw new Error('it does not define convexFunctions; make it with bundleFunctions');
      }
      return {
        functions: new FunctionsWithSystem(
          new FunctionRegistry(Reflect.get(bundle, 'modules')),
          env,
        ),
        schema: exportSchema(Reflect.get(bundle, 'schema')),
        authProviders: loadAuthProviders(Reflect.get(bundle, 'authConfig'), global, env),
        traceback,
      };
    });
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw new EngineError(
      engineErrorCodes.functionsInvalid,
      `The functions cannot be loaded: ${traceback.failure(error).message}`,
      { cause: error },
    );
  }
}

/** Top-level code has run or is stuck by then. Milliseconds. */
const loadLimitMs = 10_000;

function createRealmGlobal(env: Record<string, string>, traceback: Traceback): Context {
  // An ordinary global object: the default kind makes each use of a global many times slower.
  const global = createContext(constants.DONT_CONTEXTIFY);
  installPlatform(global, env);
  installTime(global);
  installConsole(global, traceback);
  installSyscalls(global);
  return global;
}

/** What `defineSchema` made, as JSON; null without a schema. */
export function exportSchema(schema: unknown): unknown {
  if (schema === null || schema === undefined) return null;
  const text: unknown =
    typeof schema === 'object' && 'export' in schema && typeof schema.export === 'function'
      ? schema.export()
      : null;
  if (typeof text !== 'string') {
    throw new Error('the default export of the schema file is not made with defineSchema');
  }
  return JSON.parse(text);
}

/**
 * `auth.config` is for its environment variables alone, and one that is not set is nearly
 * always forgotten: better no start than a deployment that nobody can sign in to.
 */
function loadAuthProviders(
  config: unknown,
  global: Context,
  env: Record<string, string>,
): AuthProvider[] {
  if (typeof config !== 'function') return [];
  const process: unknown = Reflect.get(global, 'process');
  const get = (_target: object, name: string | symbol): string => {
    const value = typeof name === 'string' ? env[name] : undefined;
    if (value !== undefined) return value;
    throw new Error(
      `Environment variable ${String(name)} is used in auth config file but its value was not set`,
    );
  };
  Reflect.set(global, 'process', { env: new Proxy({}, { get }) });
  try {
    return parseAuthConfig(Reflect.apply(config, undefined, []));
  } finally {
    Reflect.set(global, 'process', process);
  }
}

/** Top-level code: no database, no effects, and nobody to read what it prints. */
function loading(): Execution {
  const refuse = () => {
    throw new Error('Convex functions cannot use the database while their file is loaded');
  };
  return {
    kind: 'load',
    log: new LogLines(),
    now: Date.now,
    elapsed: () => 0,
    random: seededRandom(newSeed()),
    syscall: refuse,
    asyncSyscall: refuse,
    hold: (work) => work,
    fail: (thrown) => {
      throw thrown;
    },
    timers: null,
  };
}
