import { convexToJson, jsonToConvex } from 'convex/values';
import type { Value } from 'convex/values';
import type { RequestMetadata } from 'convex/server';
import { Engine } from '../engine.ts';
import type { FunctionKind, FunctionOutcome, Identity } from '../executor.ts';
import type { TransactionLimits } from '../limits.ts';
import { exportSchema } from '../runtime/realm.ts';
import { Traceback } from '../runtime/traceback.ts';
import type { SchemaJson } from '../schema.ts';
import { Store } from '../store.ts';
import { checkSchema } from './check-schema.ts';
import { convexTestWording } from './convex-test-wording.ts';
import { currentCall, newCall } from './host-call.ts';
import type { HostCall } from './host-call.ts';
import { HostFunctions, inlineFunction } from './host-functions.ts';
import type { InlineFunction, ModuleLoaders } from './host-functions.ts';
import { installHostSyscalls } from './host-syscalls.ts';
import { TestScheduler } from './test-scheduler.ts';

export interface TestBackendOptions {
  /** What `defineSchema` made. */
  schema: unknown;
  modules: ModuleLoaders;
  limits: TransactionLimits;
}

/** On whose behalf a test calls. */
export interface TestCaller {
  identity: Identity;
  request: Partial<RequestMetadata>;
}

/** An engine on a database in memory, whose functions are modules of the test's own process. */
export class TestBackend {
  readonly #functions: HostFunctions;
  readonly #engine: Engine;
  readonly #scheduler: TestScheduler;

  /** Throws a `SchemaError` for a schema that Convex would not accept. */
  constructor({ schema, modules, limits }: TestBackendOptions) {
    installHostSyscalls();
    this.#functions = new HostFunctions(modules);
    const store = Store.open(':memory:', {
      limits,
      // Asked anew each time, since a test may have put its own clock there.
      now: () => Date.now(),
      search: { isUnranked: true, hasAnyDimensions: true },
    });
    // What `defineSchema` exported; `applySchema` checks what is in it.
    const schemaJson = exportSchema(schema) as SchemaJson | null;
    checkSchema(schemaJson);
    store.applySchema(schemaJson);
    const realm = {
      functions: this.#functions,
      schema: schemaJson,
      traceback: new Traceback(''),
      isOpen: true,
    };
    this.#engine = new Engine({
      store,
      realm,
      limits: { transactionMs: Infinity, actionMs: Infinity, heapMb: Infinity },
      onCommit: (commit) => this.#scheduler.committed(commit),
      // The test runner has limits of its own.
      watch: { started: () => {}, finished: () => {}, whileReloading: (run) => run() },
    });
    this.#scheduler = new TestScheduler(store, this.#engine.jobs);
  }

  /** Rejects with what the function threw, or an `Error` with the engine's text. */
  async call(caller: TestCaller, kind: FunctionKind, path: string, args: unknown): Promise<Value> {
    return this.#call(newCall(caller.request), caller, kind, { path, args: encode(args) });
  }

  /** `path` is what the function is told of its own name. */
  async callInline(
    caller: TestCaller,
    kind: FunctionKind,
    path: string,
    handler: InlineFunction,
  ): Promise<Value> {
    const call = newCall(caller.request, inlineFunction(kind, path, handler));
    return this.#call(call, caller, kind, { path, args: '[{}]' });
  }

  /** Until every scheduled function that has begun has ended. */
  finishInProgress(): Promise<void> {
    return this.#scheduler.finishInProgress();
  }

  finishAll(advanceTimers: () => void, maximumRounds?: number): Promise<void> {
    return this.#scheduler.finishAll(advanceTimers, maximumRounds);
  }

  async #call(
    call: HostCall,
    { identity }: TestCaller,
    kind: FunctionKind,
    target: { path: string; args: string },
  ): Promise<Value> {
    await this.#functions.load();
    const request = { ...target, identity, allowInternal: true };
    const outcome = await currentCall.run(call, () => this.#perform(kind, request));
    if (outcome.ok) return jsonToConvex(JSON.parse(outcome.value));
    throw call.thrown === null ? new Error(messageOf(outcome)) : restored(call.thrown.error);
  }

  async #perform(
    kind: FunctionKind,
    request: { path: string; args: string; identity: Identity; allowInternal: boolean },
  ): Promise<FunctionOutcome> {
    const { promise, resolve } = Promise.withResolvers<FunctionOutcome>();
    switch (kind) {
      case 'query': {
        const requests = [{ ...request, journal: null }];
        await this.#engine.queries({ requests, givenUp: [] }, 0, ({ results: [result] }) => {
          if (result !== undefined) resolve(result.outcome);
        });
        return promise;
      }
      case 'mutation':
        await this.#engine.mutation(request, 0, ({ outcome }) => resolve(outcome));
        return promise;
      case 'action':
        return (await this.#engine.action(request, 0)).outcome;
    }
  }
}

function encode(args: unknown): string {
  // `convexToJson` refuses, with its own text, whatever is no Convex value.
  const value = (args ?? {}) as Value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(
      `The arguments of a Convex function must be an object, not ${JSON.stringify(value)}`,
    );
  }
  return JSON.stringify([convexToJson(value)]);
}

/** Without the line of the request id, which only a server's log can resolve. */
function messageOf({ errorMessage }: Extract<FunctionOutcome, { ok: false }>): string {
  return convexTestWording(errorMessage.slice(errorMessage.indexOf('\n') + 1));
}

/** `convex/server` leaves the data of a thrown ConvexError as JSON text. */
function restored(error: unknown): unknown {
  const isConvexError =
    typeof error === 'object' && error !== null && Symbol.for('ConvexError') in error;
  if (!isConvexError || !('data' in error) || typeof error.data !== 'string') return error;
  return Object.assign(error, { data: jsonToConvex(JSON.parse(error.data)) });
}
