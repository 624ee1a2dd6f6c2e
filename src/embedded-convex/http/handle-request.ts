import type { IncomingMessage, ServerResponse } from 'node:http';
import { refusal } from '../access.ts';
import type { AccessPolicy } from '../access.ts';
import { AuthenticationError } from '../authentication.ts';
import { isDiskFull } from '../disk-full-notice.ts';
import { HttpError } from './http-error.ts';
import { route } from './routes.ts';
import type { HttpServices } from './function-handlers.ts';

export interface HttpOptions extends HttpServices {
  access: AccessPolicy;
  /** For the operator: what the client is not told. */
  onError: (error: unknown) => void;
}

/** Answers one HTTP request, whatever it is. Does not reject. */
export async function handleRequest(
  request: IncomingMessage,
  response: ServerResponse,
  options: HttpOptions,
): Promise<void> {
  const refused = refusal(request, options.access);
  if (refused !== null) {
    sendError(response, new HttpError(403, refused.code, refused.message));
    return;
  }
  allowOrigin(request, response);
  if (request.method === 'OPTIONS') {
    answerPreflight(request, response);
    return;
  }
  try {
    const url = URL.parse(request.url ?? '/', 'http://localhost');
    if (url === null) throw new HttpError(400, 'BadUrl', 'The request path is not valid.');
    const reply = await route(request, url, options);
    response.writeHead(200, { 'Content-Type': reply.contentType });
    if ('body' in reply) response.end(reply.body);
    else await reply.stream(response);
  } catch (error) {
    // Whoever asked went away in the middle of the answer: nothing failed here.
    if (response.headersSent && response.destroyed) return;
    sendError(response, asHttpError(error, options));
  }
}

/** `refusal` has let the origin pass, so the page may read the answer. */
function allowOrigin({ headers }: IncomingMessage, response: ServerResponse): void {
  if (headers.origin === undefined) return;
  response.setHeader('Access-Control-Allow-Origin', headers.origin);
  response.setHeader('Access-Control-Allow-Credentials', 'true');
  response.setHeader('Vary', 'Origin');
}

function answerPreflight({ headers }: IncomingMessage, response: ServerResponse): void {
  response.writeHead(204, {
    'Access-Control-Allow-Methods': 'GET, POST, PUT, PATCH, DELETE, OPTIONS',
    'Access-Control-Allow-Headers': headers['access-control-request-headers'] ?? 'content-type',
    // Seconds. A day, as upstream: a preflight for each call would double the latency.
    'Access-Control-Max-Age': '86400',
  });
  response.end();
}

function asHttpError(error: unknown, { onError }: HttpOptions): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof AuthenticationError) {
    return new HttpError(error.isMalformed ? 400 : 401, error.code, error.message);
  }
  onError(error);
  if (isDiskFull(error)) return new HttpError(503, error.code, error.message);
  return new HttpError(
    500,
    'InternalServerError',
    'Your request could not be completed. Try again later.',
  );
}

function sendError(response: ServerResponse, { status, code, message }: HttpError): void {
  if (response.headersSent) {
    // A reply that is cut off in its middle must not look complete.
    response.destroy();
    return;
  }
  // What is left of a body that nobody reads must not be taken for the next request.
  if (status === 413 || status === 403) response.setHeader('Connection', 'close');
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify({ code, message }));
}
