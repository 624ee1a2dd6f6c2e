/** A real executor, worker thread and all, on functions written for one test file. */
import { join } from 'node:path';
import { jsonToConvex } from 'convex/values';
import type { Value } from 'convex/values';
import type {
  ActionResult,
  Executor,
  Identity,
  MutationRequest,
  MutationResult,
  QueryRequest,
  QueryResult,
} from '../../../src/embedded-convex/executor.ts';
import type { ExecutorOptions } from '../../../src/embedded-convex/executor-options.ts';
import { openExecutor } from '../../../src/embedded-convex/worker-executor.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { imports, writeFunctions } from './functions-folder.ts';

export interface TestExecutor extends AsyncDisposable {
  executor: Executor;
  folder: string;
  query(path: string, args?: object, more?: Partial<QueryRequest>): Promise<QueryResult>;
  mutation(path: string, args?: object, more?: Partial<MutationRequest>): Promise<MutationResult>;
  action(path: string, args?: object, identity?: Identity): Promise<ActionResult>;
}

/** `source` is the text of the one module, `f`, after the usual imports. */
export async function openTestExecutor(
  source: string,
  options: Partial<ExecutorOptions> & { schema?: string } = {},
): Promise<TestExecutor> {
  const temporary = temporaryFolder();
  const { schema, ...rest } = options;
  const folder = writeFunctions(temporary.path, {
    'f.ts': imports + source,
    ...(schema === undefined ? {} : { 'schema.ts': schema }),
  });
  const executor = await openExecutor({
    databasePath: join(temporary.path, 'data.sqlite'),
    functions: { folder },
    ...rest,
  });
  return {
    executor,
    folder: temporary.path,
    query: async (path, args, more) => {
      const request = { ...functionRequest(path, args), journal: null, ...more };
      const { results } = await executor.queries([request]);
      const [result] = results;
      if (result === undefined) throw new Error('no result');
      return result;
    },
    mutation: (path, args, more) => executor.mutation({ ...functionRequest(path, args), ...more }),
    action: (path, args, identity = null) =>
      executor.action({ ...functionRequest(path, args), identity }),
    [Symbol.asyncDispose]: async () => {
      await executor.close();
      temporary[Symbol.dispose]();
    },
  };
}

export function functionRequest(path: string, args: object = {}) {
  return { path: `f:${path}`, args: JSON.stringify([args]), identity: null };
}

/** The decoded result; a failed function throws its message. */
export function valueOf({ outcome }: { outcome: QueryResult['outcome'] }): Value {
  if (!outcome.ok) throw new Error(outcome.errorMessage);
  return jsonToConvex(JSON.parse(outcome.value));
}

/** The message without its first line, which has the random request id. */
export function errorOf({ outcome }: { outcome: QueryResult['outcome'] }): string {
  if (outcome.ok) throw new Error(`it returned ${outcome.value}`);
  const [first = '', ...rest] = outcome.errorMessage.split('\n');
  if (!/^\[Request ID: [0-9a-f]{16}\] Server Error$/.test(first)) throw new Error(first);
  return rest.join('\n');
}
