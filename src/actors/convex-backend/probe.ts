import { fromPromise, type PromiseActorLogic } from 'xstate';
import { BridgeError } from '../../errors.ts';

/** Milliseconds; a backend that is alive answers this from memory. */
const PROBE_LIMIT_MS = 5000;

export const probe: PromiseActorLogic<void, { url: string }> = fromPromise(({ input, signal }) =>
  probeBackend(input.url, signal),
);

/** Asks a backend for its version. Rejects with `convex_unavailable` when it gives none. */
export async function probeBackend(
  url: string,
  signal: AbortSignal,
  limitMs = PROBE_LIMIT_MS,
): Promise<void> {
  try {
    const response = await fetch(new URL('/version', url), {
      signal: AbortSignal.any([signal, AbortSignal.timeout(limitMs)]),
    });
    // Read to its end, so that the connection can be used again.
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`it answered with HTTP status ${response.status}`);
  } catch (error) {
    throw new BridgeError('convex_unavailable', `${url}: ${reasonOf(error)}`, { cause: error });
  }
}

/** `fetch` only says that it failed; why, its cause knows. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
