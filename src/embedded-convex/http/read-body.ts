import type { IncomingMessage } from 'node:http';
import { HttpError } from './http-error.ts';

/** Arguments may have 16 MiB, and JSON may need twice that for them. */
export const maxBodyBytes = 32 * 1024 * 1024;

/** The body as a JSON object. Throws an `HttpError` when it is too large or not one. */
export async function readJsonObject(
  request: IncomingMessage,
  maxBytes = maxBodyBytes,
): Promise<Record<string, unknown>> {
  const text = await readText(request, maxBytes);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new HttpError(400, 'BadJsonBody', 'The request body is not valid JSON.');
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new HttpError(400, 'BadJsonBody', 'The request body must be a JSON object.');
  }
  return body as Record<string, unknown>; // what JSON.parse makes of `{…}`
}

async function readText(request: IncomingMessage, maxBytes: number): Promise<string> {
  const tooLarge = new HttpError(
    413,
    'RequestTooLarge',
    `The request body may have at most ${maxBytes} bytes.`,
  );
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge;
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > maxBytes) throw tooLarge;
      chunks.push(chunk);
    }
  } catch (error) {
    if (error === tooLarge) throw error;
    // Nobody is there any more to be told; it is no failure of the server's.
    const cause = 'The connection ended before the request body did.';
    throw new HttpError(400, 'IncompleteBody', cause);
  }
  return Buffer.concat(chunks).toString('utf8');
}
