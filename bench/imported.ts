import type { BridgeConnection } from '../src/control/connect-bridge.ts';
import { watchStatusFrame, type WatchStatusFrame } from '../src/control/frames.ts';

/** How often the status is asked for, in ms; it is what results are rounded to. */
const POLL_MS = 50;

/** Resolves when at least `files` are known and all that is in them is in Convex. */
export async function imported(bridge: BridgeConnection, files: number): Promise<WatchStatusFrame> {
  while (true) {
    const status = await watchStatus(bridge);
    if (
      status !== null &&
      status.files.known >= files &&
      status.files.behind === 0 &&
      status.bytes.pending === 0
    ) {
      return status;
    }
    await pause(POLL_MS);
  }
}

/** Null while the watcher is just starting. */
async function watchStatus(bridge: BridgeConnection): Promise<WatchStatusFrame | null> {
  try {
    return watchStatusFrame.parse(await bridge.request('sessions.watch_status'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'unavailable') return null;
    throw error;
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
