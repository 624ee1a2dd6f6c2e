/**
 * The control WebSocket: routes each request to the actor that owns its verb, and
 * each reply and broadcast back to the sockets.
 *
 * binding    asking the operating system for the address
 * listening  serving clients
 * failed     the address cannot be had; tried again after REBIND_DELAY
 * closing    shutting down: clients are told, sockets end, at most CLOSE_LIMIT
 * closed     final
 */
import { assign, enqueueActions, sendTo, setup, stopChild, type EventObject } from 'xstate';
import type { ControlVerb } from '../control/requests.ts';
import type { PromptFrame } from '../control/parse-frame.ts';
import type { BridgeError } from '../errors.ts';
import { clientConnection, type ClientEvent } from './client-connection.ts';
import { callbackPort } from './port.ts';
import type {
  ControlRequestEvent,
  GatewayCommand,
  PromptEvent,
  ShutdownEvent,
  SystemId,
} from './protocol.ts';

/** From the server actor, which owns the sockets. */
export type ServerEvent =
  | { type: 'server.listening'; address: string }
  | { type: 'server.failed'; error: BridgeError }
  | { type: 'server.closed' }
  | { type: 'client.opened'; clientId: string }
  | { type: 'client.reported'; clientId: string; event: ClientEvent }
  | { type: 'request.received'; request: ControlRequestEvent }
  | { type: 'prompt.received'; requestId: string; prompt: PromptFrame }
  | { type: 'client.refused' };

/** From the actor that looks at the file of the token. The token itself is in no event. */
export type TokenWatchEvent =
  | { type: 'token.rotated' }
  | { type: 'token.unreadable'; error: BridgeError };

/** To the server actor. */
export type ServerCommand =
  | { type: 'server.bind' }
  | { type: 'server.close' }
  /** Ends every session that was opened with the token of before. */
  | { type: 'server.revoke' }
  | { type: 'client.evict'; clientId: string; reason: string }
  | GatewayCommand;

interface GatewayContext {
  address: string | null;
  clients: number;
  requests: number;
  unroutable: number;
  /** Connections that were turned away. */
  refused: number;
  lastError: string | null;
}

type GatewayEvent =
  | ServerEvent
  | TokenWatchEvent
  | GatewayCommand
  | ShutdownEvent
  | { type: 'client.evict'; clientId: string; reason: string }
  | { type: `xstate.done.actor.${string}`; output: { clientId: string } };

/** Answered where the sockets are, because the answer depends on the socket, or on nothing. */
type ServerVerb =
  | 'echo'
  | 'debug.echo'
  | 'debug.ping'
  | 'convex.token'
  | 'pair.open'
  | 'machines.watch'
  | 'machines.unwatch';

/** Who owns a verb. */
const OWNERS: Record<Exclude<ControlVerb, ServerVerb>, SystemId> = {
  'bridge.status': 'registry',
  'machines.list': 'registry',
  'machines.history': 'registry',
  'convex.status': 'convex',
  'convex.backfill': 'backfill',
  'convex.backfill_cancel': 'backfill',
  'convex.backfill_status': 'backfill',
  'sessions.watch': 'sessions',
  'sessions.watch_status': 'sessions',
  'run.submit': 'runs',
  'run.status': 'runs',
  'runs.list': 'runs',
  'run.steer': 'runs',
  'run.edit': 'runs',
  'approvals.list': 'runs',
  'approval.answer': 'runs',
  interrupt: 'runs',
  'message.full': 'messages',
  projects: 'projects',
  'project.save': 'projects',
  'project.delete': 'projects',
  skills: 'skills',
  'sessions.verify': 'verifier',
};

export const gateway = setup({
  types: {
    context: {} as GatewayContext,
    events: {} as GatewayEvent,
    output: {} as { clients: number },
  },
  actors: {
    server: callbackPort<ServerCommand>('server'),
    tokenWatch: callbackPort<EventObject>('tokenWatch'),
    clientConnection,
  },
  actions: {
    bind: sendTo('server', { type: 'server.bind' }),
    close: sendTo('server', { type: 'server.close' }),
    revoke: sendTo('server', { type: 'server.revoke' }),
    forward: sendTo('server', ({ event }) => event),
    route: enqueueActions(({ event, system, enqueue }) => {
      if (event.type !== 'request.received' && event.type !== 'prompt.received') return;
      const isPrompt = event.type === 'prompt.received';
      const requestId = isPrompt ? event.requestId : event.request.requestId;
      const owner = isPrompt ? 'runs' : ownerOf(event.request.request.control);
      const target = owner === undefined ? undefined : system.get(owner);
      if (target !== undefined) {
        const message: ControlRequestEvent | PromptEvent = isPrompt
          ? { type: 'prompt.submitted', requestId, prompt: event.prompt }
          : event.request;
        enqueue.sendTo(target, message);
        return;
      }
      enqueue.assign({ unroutable: ({ context }) => context.unroutable + 1 });
      const refusal: ServerCommand = {
        type: 'control.failed',
        requestId,
        error: {
          code: 'unavailable',
          message: `The part that answers this (${owner ?? 'none'}) is restarting; try again in a moment.`,
        },
      };
      enqueue.sendTo('server', refusal);
    }),
    rememberAddress: assign({
      address: (_, params: { address: string }) => params.address,
      lastError: null,
    }),
    rememberError: assign({
      lastError: (_, params: { error: BridgeError }) => params.error.message,
    }),
    openClient: enqueueActions(({ event, enqueue }) => {
      if (event.type !== 'client.opened') return;
      enqueue.spawnChild('clientConnection', {
        id: event.clientId,
        input: { clientId: event.clientId },
      });
      enqueue.assign({ clients: ({ context }) => context.clients + 1 });
    }),
    reportToClient: enqueueActions(({ event, enqueue, self }) => {
      if (event.type !== 'client.reported') return;
      const client = self.getSnapshot().children[event.clientId];
      if (client !== undefined) enqueue.sendTo(client, event.event);
    }),
    dropClient: enqueueActions(({ enqueue }, params: { clientId: string }) => {
      enqueue(stopChild(params.clientId));
      enqueue.assign({ clients: ({ context }) => context.clients - 1 });
    }),
    countRefused: assign({ refused: ({ context }) => context.refused + 1 }),
    countRequest: assign({ requests: ({ context }) => context.requests + 1 }),
  },
  guards: {
    isClient: ({ event }) => event.type.startsWith('xstate.done.actor.client-'),
  },
  delays: {
    /** The address may be held by a bridge that is just ending; asking for it costs nothing. */
    REBIND_DELAY: 1_000,
    /** Told clients have this long to close on their side before sockets are cut. */
    CLOSE_LIMIT: 2_000,
  },
}).createMachine({
  id: 'gateway',
  context: { address: null, clients: 0, requests: 0, unroutable: 0, refused: 0, lastError: null },
  output: ({ context }) => ({ clients: context.clients }),
  invoke: [
    { src: 'server', id: 'server' },
    { src: 'tokenWatch', id: 'tokenWatch' },
  ],
  initial: 'binding',
  on: {
    shutdown: '.closing',
    'client.opened': { actions: 'openClient' },
    'client.reported': { actions: 'reportToClient' },
    'client.refused': { actions: 'countRefused' },
    'token.rotated': { actions: 'revoke' },
    'token.unreadable': {
      actions: { type: 'rememberError', params: ({ event }) => ({ error: event.error }) },
    },
    'client.evict': { actions: 'forward' },
    'request.received': { actions: ['countRequest', 'route'] },
    'prompt.received': { actions: ['countRequest', 'route'] },
    'control.reply': { actions: 'forward' },
    'control.failed': { actions: 'forward' },
    broadcast: { actions: 'forward' },
    'broadcast.lines': { actions: 'forward' },
    'xstate.done.actor.*': {
      guard: 'isClient',
      actions: { type: 'dropClient', params: ({ event }) => ({ clientId: event.output.clientId }) },
    },
  },
  states: {
    binding: {
      entry: 'bind',
      on: {
        'server.listening': {
          target: 'listening',
          actions: {
            type: 'rememberAddress',
            params: ({ event }) => ({ address: event.address }),
          },
        },
        'server.failed': {
          target: 'failed',
          actions: { type: 'rememberError', params: ({ event }) => ({ error: event.error }) },
        },
      },
    },
    listening: {
      on: {
        'server.failed': {
          target: 'failed',
          actions: { type: 'rememberError', params: ({ event }) => ({ error: event.error }) },
        },
      },
    },
    failed: { after: { REBIND_DELAY: 'binding' } },
    closing: {
      entry: 'close',
      on: { shutdown: undefined, 'server.closed': 'closed' },
      after: { CLOSE_LIMIT: 'closed' },
    },
    closed: { type: 'final' },
  },
});

function ownerOf(verb: ControlVerb): SystemId | undefined {
  return Object.entries(OWNERS).find(([name]) => name === verb)?.[1];
}
