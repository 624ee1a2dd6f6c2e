/** `oa-bridge token --rotate`: a new token, from now on. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config.ts';
import { BridgeError } from '../errors.ts';
import { rotateToken } from '../home.ts';
import { connectLocalBridge } from './local-bridge.ts';

/** A running bridge looks at its file twice a second (ms). */
const TAKEN_LIMIT_MS = 5_000;
const AGAIN_MS = 250;

/** Replaces the token, and says on standard error what became of the running bridge. */
export async function rotate(config: Config): Promise<string> {
  if (config.token !== undefined) {
    throw new BridgeError(
      'config_invalid',
      'the token comes from OPENAGENTS_BRIDGE_TOKEN: change it there, and start the bridge again',
    );
  }
  const token = rotateToken(config.home);
  process.stderr.write(`oa-bridge: ${await taken(config)}\n`);
  return token;
}

async function taken(config: Config): Promise<string> {
  const end = performance.now() + TAKEN_LIMIT_MS;
  for (;;) {
    try {
      const bridge = await connectLocalBridge(config);
      bridge.close();
      return 'the running bridge has taken it over, and ended the sessions of the old one.';
    } catch (error) {
      if (!(error instanceof BridgeError)) throw error;
      if (error.code === 'bridge_unreachable') return 'no bridge runs here; the next one takes it.';
      if (performance.now() > end) {
        return 'the bridge that runs here does not take it: its token comes from OPENAGENTS_BRIDGE_TOKEN, or its home is another.';
      }
    }
    await sleep(AGAIN_MS);
  }
}
