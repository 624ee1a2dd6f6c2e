/** The server on a real executor, with the functions of functions/ and a database of its own. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConvexClient } from 'convex/browser';
import { anyApi } from 'convex/server';
import type { ApiFromModules } from 'convex/server';
import type { Executor } from '../../../src/embedded-convex/executor.ts';
import { startServer } from '../../../src/embedded-convex/server.ts';
import type { ServerOptions } from '../../../src/embedded-convex/server.ts';
import { openExecutor } from '../../../src/embedded-convex/worker-executor.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import type * as rooms from './functions/rooms.ts';

// The type says what the untyped proxy gives for these modules.
export const api = anyApi as unknown as ApiFromModules<{ rooms: typeof rooms }>;

export const functionsFolder = fileURLToPath(new URL('functions', import.meta.url));

export const adminKey = 'embedded|0123456789abcdef';

export interface Backend extends AsyncDisposable {
  readonly url: string;
  readonly executor: Executor;
  readonly databasePath: string;
  /** How often a query of this name (`list`) was executed since the start. */
  executions(name: string): number;
  /** A connected official client; closed with the backend. */
  client(options?: ConstructorParameters<typeof ConvexClient>[1]): ConvexClient;
  /** The server goes and comes back on the same port and executor; clients stay. */
  restart(): Promise<void>;
  failures: unknown[];
}

export interface BackendOptions extends Partial<ServerOptions> {
  /** Between the server and the real executor, to lose or delay something. */
  wrap?: (executor: Executor) => Executor;
  /** Instead of functions/. */
  functions?: string;
  /** All that the functions see as `process.env`. */
  env?: Record<string, string>;
}

export async function startBackend({
  wrap,
  functions = functionsFolder,
  env = {},
  ...options
}: BackendOptions = {}): Promise<Backend> {
  const folder = temporaryFolder();
  const databasePath = join(folder.path, 'data.sqlite');
  const real = await openExecutor({
    databasePath,
    functions: { folder: functions },
    env,
  });
  const counts = new Map<string, number>();
  const executor = counting(wrap?.(real) ?? real, counts);
  const failures: unknown[] = [];
  const serve = (port: number) =>
    startServer({
      executor,
      adminKey,
      onError: (error) => failures.push(error),
      ...options,
      port,
    });
  let server = await serve(0);
  const clients: ConvexClient[] = [];
  return {
    url: server.url,
    executor,
    databasePath,
    failures,
    executions: (name) => counts.get(`rooms:${name}`) ?? 0,
    client: (clientOptions) => {
      const client = new ConvexClient(server.url, quiet(clientOptions));
      clients.push(client);
      return client;
    },
    restart: async () => {
      await server.close();
      server = await serve(server.port);
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(clients.map((client) => client.close()));
      await server.close();
      await real.close();
      folder[Symbol.dispose]();
    },
  };
}

function quiet(options: ConstructorParameters<typeof ConvexClient>[1] = {}) {
  return { skipConvexDeploymentUrlCheck: true, logger: false, ...options };
}

function counting(executor: Executor, counts: Map<string, number>): Executor {
  return {
    get latestTs() {
      return executor.latestTs;
    },
    get authProviders() {
      return executor.authProviders;
    },
    queries: (requests) => {
      for (const { path } of requests) counts.set(path, (counts.get(path) ?? 0) + 1);
      return executor.queries(requests);
    },
    mutation: (request) => executor.mutation(request),
    action: (request) => executor.action(request),
    describe: (path) => executor.describe(path),
    tableCounts: () => executor.tableCounts(),
    copyDatabase: () => executor.copyDatabase(),
    onCommit: (listener) => executor.onCommit(listener),
    reload: (code) => executor.reload(code),
    close: () => executor.close(),
  };
}
