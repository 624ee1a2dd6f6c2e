/**
 * One client of the control WebSocket.
 *
 * replaying  receiving the recent past
 * live       receiving what happens
 * lagging    reads slower than we write; evicted after LAG_LIMIT
 * evicting   told to go (close code 4008); it may come back with `?since=`
 * closed     final
 *
 * A client exists only once its upgrade was authenticated (`authenticating` is the
 * HTTP request before it, and is answered there).
 */
import { assign, sendParent, setup } from 'xstate';

/** What the server actor saw at the socket. */
export type ClientEvent =
  | { type: 'client.replayed'; entries: number }
  | { type: 'client.behind'; bytes: number }
  | { type: 'client.overflowed'; bytes: number }
  | { type: 'client.caughtUp' }
  | { type: 'client.closed'; code: number };

interface ClientContext {
  clientId: string;
  replayed: number;
  backlogBytes: number;
  lags: number;
  closeCode: number | null;
}

export const clientConnection = setup({
  types: {
    context: {} as ClientContext,
    events: {} as ClientEvent,
    input: {} as { clientId: string },
    output: {} as { clientId: string },
  },
  actions: {
    evict: sendParent(({ context }: { context: ClientContext }) => ({
      type: 'client.evict',
      clientId: context.clientId,
      reason: 'lagging',
    })),
    countReplay: assign({ replayed: (_, params: { entries: number }) => params.entries }),
    countLag: assign({
      lags: ({ context }) => context.lags + 1,
      backlogBytes: (_, params: { bytes: number }) => params.bytes,
    }),
    clearBacklog: assign({ backlogBytes: 0 }),
    rememberCode: assign({ closeCode: (_, params: { code: number }) => params.code }),
  },
  delays: {
    /** As the control protocol promises: a backlog older than 10 s ends the connection. */
    LAG_LIMIT: 10_000,
  },
}).createMachine({
  id: 'clientConnection',
  context: ({ input }) => ({
    clientId: input.clientId,
    replayed: 0,
    backlogBytes: 0,
    lags: 0,
    closeCode: null,
  }),
  output: ({ context }) => ({ clientId: context.clientId }),
  initial: 'replaying',
  on: {
    'client.closed': {
      target: '.closed',
      actions: { type: 'rememberCode', params: ({ event }) => ({ code: event.code }) },
    },
    'client.overflowed': '.evicting',
  },
  states: {
    replaying: {
      on: {
        'client.replayed': {
          target: 'live',
          actions: { type: 'countReplay', params: ({ event }) => ({ entries: event.entries }) },
        },
      },
    },
    live: {
      on: {
        'client.behind': {
          target: 'lagging',
          actions: { type: 'countLag', params: ({ event }) => ({ bytes: event.bytes }) },
        },
      },
    },
    lagging: {
      on: { 'client.caughtUp': { target: 'live', actions: 'clearBacklog' } },
      after: { LAG_LIMIT: 'evicting' },
    },
    evicting: { entry: 'evict', on: { 'client.overflowed': undefined } },
    closed: { type: 'final' },
  },
});
