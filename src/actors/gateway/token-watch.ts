/** Tells when the token in `bridge.json` was replaced, by `oa-bridge token --rotate` or by hand. */
import { unwatchFile, watchFile } from 'node:fs';
import { fromCallback, type EventObject } from 'xstate';
import { toBridgeError } from '../../errors.ts';
import type { TokenWatchEvent } from '../../machines/gateway.ts';

/** Looked at so often, in ms: one `stat`, which works on every file system. */
const INTERVAL_MS = 500;

/** @param refresh takes over what the file says; true when that is another token. May throw. */
export function tokenWatch(file: string, refresh: () => boolean) {
  return fromCallback<EventObject>(({ sendBack }) => {
    const tell = (event: TokenWatchEvent) => sendBack(event);
    const look = () => {
      try {
        if (refresh()) tell({ type: 'token.rotated' });
      } catch (error) {
        tell({ type: 'token.unreadable', error: toBridgeError(error) });
      }
    };
    watchFile(file, { interval: INTERVAL_MS }, look);
    // It may have been replaced before we looked for the first time.
    look();
    return () => unwatchFile(file, look);
  });
}
