import { WebSocket as NodeWebSocket } from 'ws';
import { isLoopback } from '../../loopback.ts';

/**
 * A WebSocket class for the Convex client. The client throws inside its message
 * handler when the server breaks the protocol or reports a fatal error; in Node
 * that would end the whole process, so it is caught and reported here instead.
 */
export function guardedWebSocket(onError: (error: unknown) => void): typeof WebSocket {
  class GuardedWebSocket extends NodeWebSocket {
    constructor(address: string) {
      super(address, isOnThisMachine(address) ? { generateMask: unmasked } : {});
    }

    override emit(event: string | symbol, ...args: unknown[]): boolean {
      if (event !== 'message') return super.emit(event, ...args);
      try {
        return super.emit(event, ...args);
      } catch (error) {
        onError(error);
        return true;
      }
    }
  }
  // The client uses what `ws` and the browser's class have in common.
  return GuardedWebSocket as unknown as typeof WebSocket;
}

/**
 * A mask protects caches on the way from what a web page makes a browser send (RFC 6455, 10.3).
 * There are none to a backend on this machine, and to mask an import and unmask it takes time.
 */
function unmasked(mask: Buffer): void {
  mask.fill(0);
}

function isOnThisMachine(address: string): boolean {
  const { protocol, hostname } = new URL(address);
  return protocol === 'ws:' && isLoopback(hostname.replace(/^\[|\]$/g, ''));
}
