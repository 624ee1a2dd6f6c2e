/** The functions of the bridge's Convex, as the commands call them. */
import { ConvexHttpClient } from 'convex/browser';
import { makeFunctionReference } from 'convex/server';
import type { BridgeConnection } from '../control/connect-bridge.ts';
import { BridgeError } from '../errors.ts';

type Arguments = Record<string, unknown>;

/** What they answer is checked by whoever asks. Rejects with `convex_unavailable`. */
export interface ConvexFunctions {
  query(name: string, args: Arguments): Promise<unknown>;
  mutation(name: string, args: Arguments): Promise<unknown>;
}

export async function convexFunctions(bridge: BridgeConnection): Promise<ConvexFunctions> {
  const { url, token } = await bridge.request('convex.token');
  const client = new ConvexHttpClient(url, { skipConvexDeploymentUrlCheck: true, logger: false });
  client.setAuth(token);
  const called = async (call: Promise<unknown>) =>
    await call.catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new BridgeError('convex_unavailable', `${url} (${reason})`, { cause });
    });
  return {
    query: async (name, args) =>
      await called(client.query(makeFunctionReference<'query'>(name), args)),
    mutation: async (name, args) =>
      await called(client.mutation(makeFunctionReference<'mutation'>(name), args)),
  };
}
