/** The phone's side of `oa-bridge pair`: a link becomes what `connectBridge` takes. */
import { ControlFailure } from './connect-bridge.ts';
import { pairedFrame, type PairedFrame } from './frames.ts';
import { parsePairingLink } from './pairing-link.ts';

export interface PairedBridge extends Omit<PairedFrame, 'type'> {
  /** For `connectBridge`. */
  url: string;
}

/**
 * Exchanges the code of the link for the token; it works once. Rejects with a ControlFailure
 * `closed` when nobody answers, or the code is used or too old.
 */
export async function pairBridge(link: string): Promise<PairedBridge> {
  const { bridgeUrl, code } = parsePairingLink(link);
  const address = new URL(bridgeUrl);
  address.searchParams.set('pair', code);
  const socket = new WebSocket(address);
  const { promise, resolve, reject } = Promise.withResolvers<PairedBridge>();
  socket.addEventListener('message', ({ data }) => {
    try {
      const { type: _type, ...paired } = pairedFrame.parse(JSON.parse(String(data)));
      resolve({ url: bridgeUrl, ...paired });
    } catch (error) {
      reject(new ControlFailure('unexpected_reply', String(error)));
    }
    socket.close();
  });
  socket.addEventListener('close', () => {
    reject(new ControlFailure('closed', 'Nobody answered, or the code is used or too old.'));
  });
  return await promise;
}
