import type { IncomingMessage } from 'node:http';
import type { Writable } from 'node:stream';
import type { Authentication, Caller } from '../authentication.ts';
import type { Executor, FunctionKind, FunctionOutcome, QueryRequest } from '../executor.ts';
import type { LiveQueries } from '../live-queries/live-queries.ts';
import { failedOutcome } from '../outcome.ts';
import { FunctionFailure } from '../runtime/function-failure.ts';
import { exportCopy } from '../snapshot/database-copy.ts';
import { decodeTimestamp, encodeTimestamp } from '../timestamp.ts';
import { checkExpiry } from '../sync/expiry.ts';
import { parseFunctionCall, parseRunCall, requestOf } from './function-requests.ts';
import type { FunctionCall } from './function-requests.ts';
import { encodeFunctionResponse } from './function-responses.ts';
import { HttpError } from './http-error.ts';
import { readJsonObject } from './read-body.ts';
import { requireMethod } from './require-method.ts';

export interface HttpServices {
  executor: Executor;
  live: LiveQueries;
  authentication: Authentication;
  instanceName: string;
}

/** One request; a handler answers it with JSON text, or throws as `route` does. */
export interface Call {
  request: IncomingMessage;
  url: URL;
  services: HttpServices;
}

export const runPrefix = '/api/run/';

export async function query(call: Call): Promise<string> {
  if (call.request.method === 'GET') return runQuery(call, callFromUrl(call.url));
  return runQuery(call, await readCall(call));
}

export async function mutation(call: Call): Promise<string> {
  return runAs('mutation', call, await readCall(call));
}

export async function action(call: Call): Promise<string> {
  return runAs('action', call, await readCall(call));
}

export async function runByPath(call: Call): Promise<string> {
  requireMethod(call.request, 'POST');
  const caller = await authenticate(call);
  const path = call.url.pathname.slice(runPrefix.length);
  const functionCall = parseRunCall(path, await readJsonObject(call.request));
  return runAny(call, functionCall, caller);
}

export async function functionAsAdmin(call: Call): Promise<string> {
  requireMethod(call.request, 'POST');
  const caller = await authenticateAdmin(call, 'call any function');
  const functionCall = parseFunctionCall(await readJsonObject(call.request));
  if ((await call.services.executor.describe(functionCall.path)) === null) {
    // `npx convex run` knows it by its first words, and lists the functions that there are.
    const missing = new FunctionFailure(`Could not find function for '${functionCall.path}'.`);
    const outcome = failedOutcome(missing);
    return encodeFunctionResponse({ outcome, logLines: [] }, functionCall.format);
  }
  return runAny(call, functionCall, caller);
}

/** Rows per table; not part of Convex's own API, which has no such question. */
export async function tableCounts(call: Call): Promise<string> {
  requireMethod(call.request, 'GET');
  await authenticateAdmin(call, 'count rows');
  return JSON.stringify(await call.services.executor.tableCounts());
}

/** All tables as a ZIP that `npx convex import` takes; ours alone as well. */
export async function snapshot(call: Call): Promise<(output: Writable) => Promise<void>> {
  requireMethod(call.request, 'GET');
  await authenticateAdmin(call, 'export the data');
  const copy = await call.services.executor.copyDatabase();
  return (output) => exportCopy(copy, output);
}

async function authenticateAdmin(call: Call, act: string): Promise<Caller> {
  const caller = await authenticate(call);
  if (caller.isAdmin) return caller;
  throw new HttpError(
    403,
    'BadDeployKey',
    `Only the admin key of this deployment may ${act} ("Authorization: Convex <admin key>").`,
  );
}

async function runAny(call: Call, functionCall: FunctionCall, caller: Caller): Promise<string> {
  const description = await call.services.executor.describe(functionCall.path);
  // A function that is not there fails as a query does, with Convex's words for it.
  return runAs(description?.kind ?? 'query', call, functionCall, caller);
}

async function runAs(
  kind: FunctionKind,
  call: Call,
  functionCall: FunctionCall,
  caller?: Caller,
): Promise<string> {
  if (kind === 'query') return runQuery(call, functionCall, caller);
  const { executor, live } = call.services;
  const request = requestOf(functionCall, caller ?? (await authenticate(call)));
  if (kind === 'action') {
    return encodeFunctionResponse(await executor.action(request), functionCall.format);
  }
  const answer = await executor.mutation(request);
  if (answer.outcome.ok) live.observe(answer.ts);
  return encodeFunctionResponse(answer, functionCall.format);
}

async function runQuery(call: Call, functionCall: FunctionCall, caller?: Caller): Promise<string> {
  const request = requestOf(functionCall, caller ?? (await authenticate(call)));
  const { results } = await call.services.executor.queries([{ ...request, journal: null }]);
  return encodeFunctionResponse(single(results), functionCall.format);
}

export async function queryBatch(call: Call): Promise<string> {
  requireMethod(call.request, 'POST');
  const caller = await authenticate(call);
  const { queries } = await readJsonObject(call.request);
  if (!Array.isArray(queries)) {
    throw new HttpError(400, 'BadJsonBody', '"queries" must be an array.');
  }
  const calls = queries.map((query: unknown) => parseFunctionCall(asObject(query)));
  const requests: QueryRequest[] = calls.map((functionCall) => ({
    ...requestOf(functionCall, caller),
    journal: null,
  }));
  const { results } = await call.services.executor.queries(requests);
  const encoded = calls.map(({ format }, position) => {
    const result = results[position];
    if (result === undefined) throw new Error('The executor left a query without an answer');
    return encodeFunctionResponse(result, format);
  });
  return `{"results":[${encoded.join(',')}]}`;
}

export function queryTimestamp({ request, services }: Call): Promise<string> {
  requireMethod(request, 'POST');
  return Promise.resolve(JSON.stringify({ ts: encodeTimestamp(services.live.ts) }));
}

/**
 * There is no way back to an old snapshot, but nearly always nothing that the query reads has
 * changed since: then its result now is its result then. Else the client has to start anew.
 */
export async function queryAtTimestamp(call: Call): Promise<string> {
  requireMethod(call.request, 'POST');
  const caller = await authenticate(call);
  const body = await readJsonObject(call.request);
  const functionCall = parseFunctionCall(body);
  const ts = typeof body['ts'] === 'string' ? decodeTimestamp(body['ts']) : null;
  if (ts === null) throw new HttpError(400, 'BadTimestamp', '"ts" must come from /api/query_ts.');
  const { executor, live } = call.services;
  const answer = await executor.queries([{ ...requestOf(functionCall, caller), journal: null }]);
  if (ts > answer.ts) throw new HttpError(400, 'BadTimestamp', '"ts" is in the future.');
  const result = single(answer.results);
  if (live.changedSince(result.readSet, ts, answer.ts)) {
    throw new HttpError(
      503,
      'SnapshotUnavailable',
      'What the query reads has changed since "ts"; ask for a new one.',
    );
  }
  return encodeFunctionResponse(result, functionCall.format);
}

async function readCall({ request }: Call): Promise<FunctionCall> {
  requireMethod(request, 'POST');
  return parseFunctionCall(await readJsonObject(request));
}

function callFromUrl({ searchParams }: URL): FunctionCall {
  let args: unknown;
  try {
    args = JSON.parse(searchParams.get('args') ?? '{}');
  } catch {
    throw new HttpError(400, 'BadArgsJson', '"args" must be JSON.');
  }
  return parseFunctionCall({
    path: searchParams.get('path'),
    args,
    format: searchParams.get('format'),
  });
}

async function authenticate({ request, url, services }: Call): Promise<Caller> {
  const { authentication } = services;
  const adminKey = url.searchParams.get('adminKey');
  const caller =
    adminKey === null
      ? await authentication.header(request.headers.authorization)
      : authentication.admin(adminKey);
  checkExpiry(caller);
  return caller;
}

function asObject(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) {
    throw new HttpError(400, 'BadJsonBody', 'Each query must be an object with "path" and "args".');
  }
  return value as Record<string, unknown>; // any object is one
}

function single<Result extends { outcome: FunctionOutcome }>(results: Result[]): Result {
  const [result] = results;
  if (result === undefined) throw new Error('The executor left a query without an answer');
  return result;
}
