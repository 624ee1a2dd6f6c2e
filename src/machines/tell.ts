/**
 * Sending to a sibling that may just be restarting. XState's `sendTo` throws on a
 * missing target and takes the sender down with it; here the event is dropped, and
 * the sender relies on the target's `…started` event to send again.
 */
import { enqueueActions, type EventObject, type MachineContext } from 'xstate';
import type { SystemId } from './protocol.ts';

export function tell<C extends MachineContext, E extends EventObject>(
  target: SystemId | ((args: { context: C; event: E }) => SystemId | undefined),
  event: EventObject | ((args: { context: C; event: E }) => EventObject | undefined),
) {
  return enqueueActions<C, E, undefined, E, never, never, never, never, never>(
    ({ context, event: received, system, enqueue }) => {
      const id = typeof target === 'function' ? target({ context, event: received }) : target;
      const ref = id === undefined ? undefined : system.get(id);
      const message = typeof event === 'function' ? event({ context, event: received }) : event;
      if (ref && message) enqueue.sendTo(ref, message);
    },
  );
}
