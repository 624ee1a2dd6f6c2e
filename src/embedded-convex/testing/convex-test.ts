import { getFunctionName } from 'convex/server';
import type {
  GenericDataModel,
  GenericSchema,
  RequestMetadata,
  SchemaDefinition,
  UserIdentity,
} from 'convex/server';
import type { FunctionKind } from '../executor.ts';
import { testLimits } from './test-limits.ts';
import type { TestLimits } from './test-limits.ts';
import type { InlineFunction, ModuleLoaders } from './host-functions.ts';
import { projectModules } from './project-modules.ts';
import { TestBackend } from './test-backend.ts';
import type { TestCaller } from './test-backend.ts';
import type { TestConvex, TestConvexForDataModel } from './test-convex.ts';
import { testIdentity, testToken } from './test-identity.ts';

export type { TestConvex, TestConvexForDataModel, TestConvexRoot } from './test-convex.ts';

interface TestOptions<Schema extends GenericSchema> {
  schema?: SchemaDefinition<Schema, boolean>;
  /** Of the functions folder, with `_generated`: `import.meta.glob('./**\/*.*s')`. */
  modules?: ModuleLoaders;
  /** false: none (the default); true: Convex's own; an object replaces some of those. */
  transactionLimits?: TestLimits;
}

/**
 * A fresh backend for one test, with the interface of the `convex-test` package, on the engine
 * and the storage of the embedded backend. Without `modules`, the functions are those of the
 * folder `convex` in the root of the Vite project. Throws when the schema is not valid.
 */
export function convexTest<Schema extends GenericSchema>(
  schema?: SchemaDefinition<Schema, boolean>,
  modules?: ModuleLoaders,
): TestConvex<SchemaDefinition<Schema, boolean>>;
export function convexTest<Schema extends GenericSchema>(
  options: TestOptions<Schema>,
): TestConvex<SchemaDefinition<Schema, boolean>>;
export function convexTest<Schema extends GenericSchema>(
  first: SchemaDefinition<Schema, boolean> | TestOptions<Schema> = {},
  second?: ModuleLoaders,
): TestConvex<SchemaDefinition<Schema, boolean>> {
  const options: TestOptions<Schema> =
    'tables' in first ? { schema: first, ...(second && { modules: second }) } : first;
  const backend = new TestBackend({
    schema: options.schema,
    modules: options.modules ?? second ?? projectModules(),
    limits: testLimits(options.transactionLimits ?? false),
  });
  const registerComponent = () => {
    throw new Error('The embedded backend has no components: test with convex-test instead.');
  };
  const root = accessor(backend, { identity: null, request: {} });
  // The types say what the functions of a schema take and return; the engine knows only values.
  return { ...root, registerComponent } as unknown as TestConvex<SchemaDefinition<Schema, boolean>>;
}

function accessor(
  backend: TestBackend,
  caller: TestCaller,
): Record<keyof TestConvexForDataModel<GenericDataModel>, unknown> {
  const calling =
    (kind: FunctionKind) =>
    (target: unknown, args?: unknown): Promise<unknown> =>
      isHandler(target)
        ? backend.callInline(caller, kind, 'inline', target)
        : backend.call(caller, kind, functionPath(target), args);
  return {
    query: calling('query'),
    mutation: calling('mutation'),
    action: calling('action'),
    run: (handler: InlineFunction) => backend.callInline(caller, 'mutation', 'custom', handler),
    fetch: () =>
      Promise.reject(
        new Error('The embedded backend has no HTTP actions: test with convex-test instead.'),
      ),
    finishInProgressScheduledFunctions: () => backend.finishInProgress(),
    finishAllScheduledFunctions: (advanceTimers: () => void, maximumRounds?: number) =>
      backend.finishAll(advanceTimers, maximumRounds),
    withIdentity: (attributes: Partial<UserIdentity>) => {
      const identity = testIdentity(attributes);
      const request = { ...caller.request, authToken: testToken(identity) };
      return accessor(backend, { identity, request });
    },
    withRequestMetadata: ({ ip = null, userAgent = null }: Partial<RequestMetadata>) =>
      accessor(backend, { ...caller, request: { ...caller.request, ip, userAgent } }),
  };
}

function isHandler(target: unknown): target is InlineFunction {
  return typeof target === 'function';
}

function functionPath(reference: unknown): string {
  // Throws for what is no function reference.
  return getFunctionName(reference as Parameters<typeof getFunctionName>[0]);
}
