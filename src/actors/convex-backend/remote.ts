import { fromCallback, type CallbackActorLogic } from 'xstate';
import type { BackendCommand, BackendEvent } from '../../machines/convex-link-status.ts';

/** A backend that others run: there is nothing to start and nothing to stop. */
export function remoteBackend(url: string): CallbackActorLogic<BackendCommand> {
  return fromCallback<BackendCommand>(({ sendBack, receive }) => {
    const send: (event: BackendEvent) => void = sendBack;
    receive(({ type }) =>
      send(type === 'backend.start' ? { type: 'backend.ready', url } : { type: 'backend.stopped' }),
    );
  });
}
