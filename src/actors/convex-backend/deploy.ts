import { fromPromise, type PromiseActorLogic } from 'xstate';
import { BridgeError } from '../../errors.ts';

export interface Deployment {
  /** Connects the daemon's client to this address. */
  open: (url: string) => void;
  /** Resolves when the bridge's functions answer over that connection. */
  check: () => Promise<void>;
  limitMs?: number;
}

/** Milliseconds for a handshake and one query; a backend may first have to load its functions. */
const DEPLOY_LIMIT_MS = 20_000;

/** Rejects with `convex_unavailable` in time, or as `check` does. */
export function deployment({
  open,
  check,
  limitMs = DEPLOY_LIMIT_MS,
}: Deployment): PromiseActorLogic<void, { url: string }> {
  return fromPromise(async ({ input, signal }) => {
    open(input.url);
    const limit = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
    await Promise.race([check(), late(limit, `${input.url}: no answer within ${limitMs} ms`)]);
  });
}

async function late(limit: AbortSignal, message: string): Promise<never> {
  await new Promise((resolve) => limit.addEventListener('abort', resolve, { once: true }));
  throw new BridgeError('convex_unavailable', message);
}
