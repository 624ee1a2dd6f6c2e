import { api } from '../../../convex/_generated/api.js';
import { BridgeError } from '../../errors.ts';
import type { ConvexConnection } from './connection.ts';

/**
 * Resolves when the backend has the bridge's functions. Rejects with `convex_misconfigured`
 * when they do not answer, or with `convex_unavailable`.
 */
export async function checkFunctions(connection: ConvexConnection): Promise<void> {
  try {
    // The smallest question to a table of ours; no machine has this name.
    const paginationOpts = { numItems: 1, cursor: null };
    await connection.query(api.cursors.forMachine, { machineId: '', paginationOpts });
  } catch (error) {
    if (connection.isRefused) {
      throw new BridgeError(
        'convex_misconfigured',
        'the deployment does not take the tokens of this bridge; set OPENAGENTS_JWKS there to what "oa-bridge token --jwks" prints',
        { cause: error },
      );
    }
    if (error instanceof BridgeError && error.retryable) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new BridgeError(
      'convex_misconfigured',
      `the bridge's functions do not answer; deploy them with "npx convex deploy" (${reason})`,
      { cause: error },
    );
  }
}
