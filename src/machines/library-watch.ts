/**
 * Mirrors the files of projects, or those of skills: hears that something changed, lets the
 * burst pass, and has all files read and what differs written.
 *
 * deciding                 passed through at the start
 * disabled                 turned off; verbs are answered from the files
 * paused                   Convex is away; the files keep what is to be written
 * scanning                 the first look: what the files say, against what Convex holds
 * watching.settled         Convex holds what the files say; looked at again after SWEEP_INTERVAL
 * watching.dirty.restless  something changed; until nothing has for QUIET_TIME, at most LONGEST_WAIT
 * watching.syncing         reading the files, and writing what differs
 * failed                   the files cannot be read, or Convex not be written; again after RETRY_DELAY
 * stopped                  final
 */
import { toBridgeError } from '../errors.ts';
import type { LibrarySync } from './library-events.ts';
import {
  isAnswer,
  librarySetup,
  noteSync,
  reply,
  startAnswer,
  startWatching,
  stopWatching,
  type LibraryContext,
  type LibraryEvent,
} from './library-steps.ts';
import { SYSTEM, type ConvexStateQuery } from './protocol.ts';
import { tell } from './tell.ts';

const { assign, enqueueActions } = librarySetup;

const machine = librarySetup.extend({
  actions: {
    askForConvex: tell<LibraryContext, LibraryEvent>(
      SYSTEM.convex,
      ({ context }): ConvexStateQuery => ({ type: 'convex.state?', from: context.id }),
    ),
    startWatching: enqueueActions(startWatching),
    stopWatching: enqueueActions(stopWatching),
    noteSync: enqueueActions((turn) => {
      const { event } = turn;
      // The machine names it under the end of `sync` alone.
      if ('output' in event) noteSync(turn, event.output as LibrarySync);
    }),
    noteChange: assign({ again: true }),
    forgetChange: assign({ again: false }),
    noteDegraded: assign(({ event }) =>
      event.type === 'library.degraded' ? { degraded: event.reason } : {},
    ),
    rememberError: assign(({ event }) =>
      'error' in event ? { lastError: toBridgeError(event.error).message } : {},
    ),
    startAnswer: enqueueActions(startAnswer),
    reply: enqueueActions(reply),
  },
  guards: {
    isEnabled: ({ context }) => context.enabled,
    isAgain: ({ context }) => context.again,
    isAnswer: ({ event }) => 'actorId' in event && isAnswer(event.actorId),
  },
  delays: {
    /** An editor that writes through a temporary file makes several changes within a few ms. */
    QUIET_TIME: 30,
    /** A burst that does not end is mirrored all the same. */
    LONGEST_WAIT: 500,
    /** What no event told is found by then. */
    SWEEP_INTERVAL: 60_000,
    /** A folder that may not be read is not repaired in less. */
    RETRY_DELAY: 5_000,
  },
});

export const libraryWatch = machine.createMachine({
  id: 'libraryWatch',
  context: ({ input }) => ({
    ...input,
    items: 0,
    problems: 0,
    written: 0,
    removed: 0,
    again: false,
    degraded: null,
    lastError: null,
  }),
  initial: 'deciding',
  on: {
    shutdown: { target: '.stopped', actions: 'stopWatching' },
    'control.request': { actions: 'startAnswer' },
    'library.changed': { actions: 'noteChange' },
    'library.degraded': { actions: 'noteDegraded' },
    'xstate.done.actor.*': { guard: 'isAnswer', actions: 'reply' },
    'xstate.error.actor.*': [
      { guard: 'isAnswer', actions: 'reply' },
      { target: '.failed', actions: 'rememberError' },
    ],
  },
  states: {
    deciding: { always: [{ guard: 'isEnabled', target: 'paused' }, { target: 'disabled' }] },
    disabled: {},
    paused: {
      entry: ['stopWatching', 'askForConvex'],
      on: { 'convex.online': 'scanning' },
    },
    scanning: {
      entry: ['startWatching', 'forgetChange'],
      on: { 'convex.offline': 'paused' },
      invoke: {
        src: 'sync',
        id: 'sync',
        input: { fresh: true },
        onDone: { target: 'watching', actions: 'noteSync' },
        onError: { target: 'failed', actions: 'rememberError' },
      },
    },
    watching: {
      initial: 'settled',
      on: { 'convex.offline': 'paused' },
      states: {
        settled: {
          always: { guard: 'isAgain', target: 'dirty' },
          on: { 'library.changed': 'dirty' },
          after: { SWEEP_INTERVAL: 'syncing' },
        },
        dirty: {
          initial: 'restless',
          after: { LONGEST_WAIT: 'syncing' },
          states: {
            restless: {
              on: { 'library.changed': { target: 'restless', reenter: true } },
              after: { QUIET_TIME: '#libraryWatch.watching.syncing' },
            },
          },
        },
        syncing: {
          entry: 'forgetChange',
          invoke: {
            src: 'sync',
            id: 'sync',
            input: { fresh: false },
            onDone: { target: 'settled', actions: 'noteSync' },
            onError: { target: '#libraryWatch.failed', actions: 'rememberError' },
          },
        },
      },
    },
    failed: {
      entry: 'stopWatching',
      after: { RETRY_DELAY: 'paused' },
    },
    stopped: { type: 'final' },
  },
});
