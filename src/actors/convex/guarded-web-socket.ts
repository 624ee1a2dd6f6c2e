import { WebSocket as NodeWebSocket } from 'ws';

/**
 * A WebSocket class for the Convex client. The client throws inside its message
 * handler when the server breaks the protocol or reports a fatal error; in Node
 * that would end the whole process, so it is caught and reported here instead.
 */
export function guardedWebSocket(onError: (error: unknown) => void): typeof WebSocket {
  class GuardedWebSocket extends NodeWebSocket {
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
