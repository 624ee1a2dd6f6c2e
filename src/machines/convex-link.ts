/**
 * The link to Convex, whichever backend it is: brings it up, watches it, and tells everyone
 * who writes or reads there whether it is to be had. No failure of it ends the link.
 *
 * starting.spawning   the backend comes up; of a remote one only the address is taken
 * starting.probing    it is asked for its version
 * starting.deploying  the client connects, and the bridge's functions are there
 * online              it answers
 * backingOff          it failed and is ended; tried again soon
 * failed              it failed in a way that only a person can mend; tried again, ever more seldom
 * stopping            it ends in order, for at most STOP_LIMIT
 * stopped             final
 */
import { assign, sendTo, setup, type EventObject } from 'xstate';
import {
  answerTo,
  failureOf,
  initialContext,
  linkEventOf,
  statusOf,
  type BackendCommand,
  type ConvexLinkContext,
  type ConvexLinkInput,
  type ConvexLinkOwnEvent,
  type ConvexLinkState,
} from './convex-link-status.ts';
import { callbackPort, promisePort } from './port.ts';
import { SYSTEM, type GatewayCommand, type SystemId } from './protocol.ts';
import { backoffDelay } from './restart-policy.ts';
import { tell } from './tell.ts';

/** Milliseconds before a failed backend is started again; jittered in full. A start is cheap. */
const BACKOFF = { minMs: 250, maxMs: 10_000, factor: 2 };
/** Milliseconds. The first is soon: an earlier bridge that is just ending may hold the port. */
const SELDOM = { minMs: 2_500, maxMs: 30_000, factor: 2 };

const ignored = {};
const failure = [
  { guard: 'canMend', target: '#convexLink.backingOff', actions: 'rememberError' },
  { target: '#convexLink.failed', actions: 'rememberError' },
] as const;

/** They wait for Convex, and go on when it is there. */
const announce = [
  'announceToWriter',
  'announceToSessions',
  'announceToRuns',
  'announceToProjects',
  'announceToSkills',
  'rememberAnnounced',
] as const;

const machine = setup({
  types: {
    context: {} as ConvexLinkContext,
    events: {} as ConvexLinkOwnEvent,
    input: {} as ConvexLinkInput,
  },
  actors: {
    backend: callbackPort<BackendCommand>('backend'),
    /** Asks once; rejects when there is no answer. */
    probe: promisePort<void, { url: string }>('probe'),
    /** Connects the client; rejects with `convex_rejected` when the functions are not there. */
    deploy: promisePort<void, { url: string }>('deploy'),
    health: callbackPort<EventObject, { url: string }>('health'),
  },
  guards: {
    canMend: ({ event }) => failureOf(event).retryable,
  },
  delays: {
    backoff: ({ context }) => backoffDelay(BACKOFF, context.failures, context.random()),
    /** A damaged database or a taken port takes a person, who should not have to wait long. */
    SELDOM: ({ context }) => backoffDelay(SELDOM, context.failures, 1),
    /** A database of many GB recovers its log, and fills new indexes, before it serves. */
    START_LIMIT: 120_000,
    /** The backend actor kills what does not end; this is for an actor that does not answer. */
    STOP_LIMIT: 8000,
    /** One that ends sooner counts as one that did not come up. */
    STABLE: 3000,
  },
  actions: {
    enter: assign({
      state: (_, params: { state: ConvexLinkState }) => params.state,
      since: ({ context }) => context.now(),
    }),
    broadcast: tell<ConvexLinkContext, ConvexLinkOwnEvent>(
      SYSTEM.gateway,
      ({ context }): GatewayCommand => ({ type: 'broadcast', frame: statusOf(context) }),
    ),
    announceToWriter: announceTo(SYSTEM.writer),
    announceToSessions: announceTo(SYSTEM.sessions),
    announceToRuns: announceTo(SYSTEM.runs),
    announceToProjects: announceTo(SYSTEM.projects),
    announceToSkills: announceTo(SYSTEM.skills),
    rememberAnnounced: assign({ isAnnounced: ({ context }) => context.state === 'online' }),
    answerState: tell<ConvexLinkContext, ConvexLinkOwnEvent>(
      ({ event }) => (event.type === 'convex.state?' ? event.from : undefined),
      ({ context }) => linkEventOf(context),
    ),
    answerRequest: tell<ConvexLinkContext, ConvexLinkOwnEvent>(
      SYSTEM.gateway,
      ({ context, event }) =>
        event.type === 'control.request' ? answerTo(event, context) : undefined,
    ),
    startBackend: sendTo('backend', { type: 'backend.start' }),
    stopBackend: sendTo('backend', { type: 'backend.stop' }),
    rememberUrl: assign({ url: (_, params: { url: string }) => params.url }),
    rememberTables: assign({
      tables: (_, params: { tables: Record<string, number> }) => params.tables,
    }),
    rememberError: assign({
      lastError: ({ event }) => failureOf(event),
      failures: ({ context }) => context.failures + 1,
    }),
    /** It goes on serving, so it has not failed. */
    rememberComplaint: assign({ lastError: ({ event }) => failureOf(event) }),
    forgetComplaint: assign({
      lastError: ({ context, event }) =>
        event.type === 'backend.recovered' && context.lastError?.code === event.code
          ? null
          : context.lastError,
    }),
    forgetFailures: assign({ failures: 0 }),
  },
});

export const convexLink = machine.createMachine({
  id: 'convexLink',
  context: ({ input }) => initialContext(input),
  invoke: { src: 'backend', id: 'backend' },
  initial: 'starting',
  on: {
    shutdown: '.stopping',
    'convex.state?': { actions: 'answerState' },
    'control.request': { actions: 'answerRequest' },
    'backend.complained': { actions: ['rememberComplaint', 'broadcast'] },
    'backend.recovered': { actions: ['forgetComplaint', 'broadcast'] },
    // Said while it was being ended already.
    'backend.ready': ignored,
    'backend.failed': ignored,
    'backend.stopped': ignored,
  },
  states: {
    starting: {
      initial: 'spawning',
      on: { 'backend.failed': failure },
      states: {
        spawning: {
          entry: [...entering('starting.spawning'), 'startBackend'],
          on: {
            'backend.ready': {
              target: 'probing',
              actions: { type: 'rememberUrl', params: ({ event }) => ({ url: event.url }) },
            },
          },
          after: { START_LIMIT: { target: '#convexLink.backingOff', actions: 'rememberError' } },
        },
        probing: {
          entry: entering('starting.probing'),
          invoke: { src: 'probe', input: whereItIs, onDone: 'deploying', onError: failure },
        },
        deploying: {
          entry: entering('starting.deploying'),
          invoke: {
            src: 'deploy',
            input: whereItIs,
            onDone: '#convexLink.online',
            onError: failure,
          },
        },
      },
    },
    online: {
      entry: [...entering('online'), ...announce],
      invoke: { src: 'health', id: 'health', input: whereItIs, onError: failure },
      on: {
        'backend.failed': failure,
        'health.lost': failure,
        'health.tables': {
          actions: { type: 'rememberTables', params: ({ event }) => ({ tables: event.tables }) },
        },
      },
      after: { STABLE: { actions: 'forgetFailures' } },
    },
    backingOff: {
      entry: [...entering('backingOff'), ...announce, 'stopBackend'],
      after: { backoff: 'starting' },
    },
    failed: {
      entry: [...entering('failed'), ...announce, 'stopBackend'],
      after: { SELDOM: 'starting' },
    },
    stopping: {
      entry: [...entering('stopping'), ...announce, 'stopBackend'],
      on: { shutdown: ignored, 'backend.stopped': 'stopped' },
      after: { STOP_LIMIT: 'stopped' },
    },
    stopped: { type: 'final', entry: entering('stopped') },
  },
});

function entering(state: ConvexLinkState) {
  return [{ type: 'enter', params: { state } }, 'broadcast'] as const;
}

/** Said once: who comes later asks. */
function announceTo(dependent: SystemId) {
  return tell<ConvexLinkContext, ConvexLinkOwnEvent>(dependent, ({ context }) =>
    context.isAnnounced === (context.state === 'online') ? undefined : linkEventOf(context),
  );
}

function whereItIs({ context }: { context: ConvexLinkContext }): { url: string } {
  return { url: context.url };
}
