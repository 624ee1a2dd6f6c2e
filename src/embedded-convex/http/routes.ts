import type { IncomingMessage } from 'node:http';
import type { Writable } from 'node:stream';
import {
  action,
  functionAsAdmin,
  mutation,
  query,
  queryAtTimestamp,
  queryBatch,
  queryTimestamp,
  runByPath,
  runPrefix,
  snapshot,
  tableCounts,
} from './function-handlers.ts';
import type { Call, HttpServices } from './function-handlers.ts';
import { HttpError } from './http-error.ts';
import { requireMethod } from './require-method.ts';

export type Reply =
  | { body: string; contentType: 'application/json; charset=utf-8' | 'text/plain; charset=utf-8' }
  | { stream: (output: Writable) => Promise<void>; contentType: 'application/zip' };

/** Answers one request, or throws an `HttpError` or `AuthenticationError`. */
export async function route(
  request: IncomingMessage,
  url: URL,
  services: HttpServices,
): Promise<Reply> {
  const text = plainText(url.pathname, services);
  if (text !== undefined) {
    requireMethod(request, 'GET', 'HEAD');
    return { body: text, contentType: 'text/plain; charset=utf-8' };
  }
  if (url.pathname === snapshotPath) {
    const stream = await snapshot({ request, url, services });
    return { stream, contentType: 'application/zip' };
  }
  const handler = handlers[url.pathname] ?? prefixHandler(url.pathname);
  if (handler === undefined) {
    throw new HttpError(404, 'NotFound', `There is nothing at ${url.pathname}`);
  }
  const body = await handler({ request, url, services });
  return { body, contentType: 'application/json; charset=utf-8' };
}

const snapshotPath = '/api/snapshot';

type Handler = (call: Call) => Promise<string>;

function plainText(path: string, { instanceName }: HttpServices): string | undefined {
  switch (path) {
    case '/':
      return 'This is a Convex-compatible deployment, embedded in its application.';
    case '/version':
    case '/instance_version':
      return 'embedded';
    case '/instance_name':
      return instanceName;
    default:
      return undefined;
  }
}

const handlers: Record<string, Handler> = {
  '/api/query': query,
  '/api/mutation': mutation,
  '/api/action': action,
  '/api/function': functionAsAdmin,
  '/api/query_ts': queryTimestamp,
  '/api/query_at_ts': queryAtTimestamp,
  '/api/query_batch': queryBatch,
  '/api/table_counts': tableCounts,
};

function prefixHandler(path: string): Handler | undefined {
  if (path.startsWith(runPrefix)) return runByPath;
  return deploymentPaths.test(path) ? refuseDeployment : undefined;
}

/** What `npx convex dev`, `deploy`, `codegen`, `import` and `export` ask for. */
const deploymentPaths =
  /^\/api\/(get_config|push_config|prepare_schema|schema_state|deploy2\/|v1\/|import\/|export\/|environment_variables|update_environment_variables)/;

/** 400, because the command line would try again for a while after a 404. */
function refuseDeployment(): Promise<never> {
  return Promise.reject(
    new HttpError(
      400,
      'EmbeddedBackend',
      'This backend is embedded in its application, which loads its functions from its own "convex" folder at start. To push functions or configuration, point CONVEX_SELF_HOSTED_URL at a real deployment. Data goes in and out by the application itself: "oa-bridge convex import" and "export".',
    ),
  );
}
