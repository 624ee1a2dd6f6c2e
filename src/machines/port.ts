/**
 * The place of an actor that does I/O, in a machine that does none. A port has the
 * types of its actor and fails loudly when the composition root forgot to provide it.
 */
import {
  fromCallback,
  fromPromise,
  type CallbackActorLogic,
  type EventObject,
  type NonReducibleUnknown,
  type PromiseActorLogic,
} from 'xstate';

/** A port for one piece of work with an end. */
export function promisePort<Output, Input extends NonReducibleUnknown = NonReducibleUnknown>(
  name: string,
): PromiseActorLogic<Output, Input> {
  return fromPromise<Output, Input>(() => Promise.reject(new Error(`No actor for "${name}".`)));
}

/** A port for something that goes on: it receives `Received` and sends events to its parent. */
export function callbackPort<
  Received extends EventObject,
  Input extends NonReducibleUnknown = NonReducibleUnknown,
>(name: string): CallbackActorLogic<Received, Input> {
  return fromCallback<Received, Input>(() => {
    throw new Error(`No actor for "${name}".`);
  });
}
