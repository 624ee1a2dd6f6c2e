import type { IncomingMessage } from 'node:http';
import { HttpError } from './http-error.ts';

/** Throws an `HttpError` when the request has another method. */
export function requireMethod({ method }: IncomingMessage, ...allowed: string[]): void {
  if (allowed.includes(method ?? '')) return;
  throw new HttpError(405, 'MethodNotAllowed', `Use ${allowed.join(' or ')} here.`);
}
