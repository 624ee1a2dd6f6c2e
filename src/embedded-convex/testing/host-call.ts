import { AsyncLocalStorage } from 'node:async_hooks';
import type { RequestMetadata } from 'convex/server';
import type { RegisteredFunction } from '../runtime/function-registry.ts';

/** One call of the facade, and all calls inside of it. */
export interface HostCall {
  /** What its function threw: the test gets it as it was thrown. */
  thrown: { error: unknown } | null;
  /** The function that was written inside the test. */
  inline: RegisteredFunction | null;
  request: RequestMetadata;
}

export const currentCall = new AsyncLocalStorage<HostCall>();

export function newCall(
  request: Partial<RequestMetadata>,
  inline: RegisteredFunction | null = null,
): HostCall {
  const requestId = `test-request-${nextRequestId++}`;
  const unknown = { ip: null, userAgent: null, scheduledFunctionId: null, authToken: null };
  return { thrown: null, inline, request: { ...unknown, requestId, ...request } };
}

let nextRequestId = 0;
