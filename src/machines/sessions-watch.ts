/**
 * Mirrors every session file below a root: hears from discovery which file is to be
 * read, and has a tail read it.
 *
 * deciding          passed through at the start
 * disabled          turned off; nothing is watched
 * paused            Convex is away; the files keep what is to be written
 * scanning          learning from Convex how far each file was read, and looking at all files
 * watching.deciding  passed through: which of the three below
 * watching.settled  every file is read to its end
 * watching.dirty    files have changed, and none is being read yet, or again: their tails back off
 * watching.syncing  files are being read
 * backfilling       turned off; only the files of a backfill are read
 * failed            the sessions or the cursors cannot be read; again after RETRY_DELAY
 * stopped           final
 *
 * Each scan starts from what Convex says. So it makes no difference whether Convex was
 * away, was wiped, or this machine was restarted: what is missing is read again.
 */
import { assign } from 'xstate';
import { SYSTEM, type ConvexStateQuery } from './protocol.ts';
import {
  initialContext,
  watchStatus,
  type SessionsContext,
  type SessionsEvent,
} from './sessions-status.ts';
import {
  answerSaved,
  answerStatus,
  DISCOVERY,
  dropFile,
  dropTail,
  isSaving,
  isTail,
  readFile,
  rememberError,
  retireTail,
  routeReply,
  saveChoice,
  sessionsSetup,
  stopReading,
  toBackfill,
  toDiscovery,
  toGateway,
} from './sessions-steps.ts';
import { tell } from './tell.ts';

const { enqueueActions, raise, spawnChild } = sessionsSetup;

const machine = sessionsSetup.extend({
  actions: {
    askConvex: tell<SessionsContext, SessionsEvent>(SYSTEM.convex, (): ConvexStateQuery => ({
      type: 'convex.state?',
      from: SYSTEM.sessions,
    })),
    startDiscovery: spawnChild('discovery', {
      id: DISCOVERY,
      input: ({ context: { root, enabled, job, leavesFound } }) => ({
        root,
        follows: enabled,
        job,
        leavesFound,
      }),
    }),
    stopReading: enqueueActions(stopReading),
    readFile: enqueueActions(readFile),
    retireTail: enqueueActions(retireTail),
    dropTail: enqueueActions(dropTail),
    dropFile: enqueueActions(dropFile),
    routeReply: enqueueActions(routeReply),
    saveChoice: enqueueActions(saveChoice),
    answerSaved: enqueueActions(answerSaved),
    answerStatus: enqueueActions(answerStatus),
    handOnToDiscovery: enqueueActions((turn) => {
      const { event } = turn;
      if (
        event.type === 'tail.caughtUp' ||
        event.type === 'tail.failed' ||
        event.type === 'tail.recovered' ||
        event.type === 'import.begin' ||
        event.type === 'import.end' ||
        event.type === 'import.leave'
      ) {
        toDiscovery(turn, event);
      }
    }),
    takeJob: sessionsSetup.assign(({ event }) =>
      event.type === 'import.begin' ? { job: event.job } : {},
    ),
    leaveFound: sessionsSetup.assign({ leavesFound: true }),
    dropJob: sessionsSetup.assign({ job: null }),
    handOnToBackfill: enqueueActions((turn) => {
      const { event } = turn;
      if (event.type === 'import.counted' || event.type === 'import.refused') {
        toBackfill(turn, event);
      }
    }),
    sayStarted: enqueueActions((turn) => toBackfill(turn, { type: 'sessions.started' })),
    sayScanning: enqueueActions((turn) => toBackfill(turn, { type: 'import.scanning' })),
    sayWaiting: enqueueActions((turn) => {
      const { state, lastError } = turn.context;
      const reason =
        state === 'disabled'
          ? 'watching is turned off'
          : state === 'failed'
            ? (lastError ?? 'the sessions cannot be read')
            : 'Convex is away';
      toBackfill(turn, { type: 'import.waits', reason });
    }),
    enter: assign<SessionsContext, SessionsEvent, { state: string }, SessionsEvent, never>({
      state: (_, { state }) => state,
      since: ({ context }) => context.now(),
    }),
    announce: enqueueActions((turn) => {
      const isFree = turn.context.announcement === 'none';
      turn.enqueue.assign({ announcement: isFree ? 'cooling' : 'due' });
      if (!isFree) return;
      toGateway(turn, { type: 'broadcast', frame: watchStatus(turn.context) });
      turn.enqueue(raise({ type: 'announcement.cooled' }, { delay: STATUS_INTERVAL }));
    }),
    cool: sessionsSetup.assign({ announcement: 'none' }),
    count: sessionsSetup.assign(({ event }) =>
      event.type === 'files.counted' ? { counts: event.counts } : {},
    ),
    countItems: sessionsSetup.assign(({ context, event }) =>
      event.type === 'write.done'
        ? {
            inserted: context.inserted + event.result.inserted + event.result.claimed,
            known: context.known + event.result.known,
          }
        : {},
    ),
    countRestart: sessionsSetup.assign({ restarts: ({ context }) => context.restarts + 1 }),
    rememberError: enqueueActions(rememberError),
    forgetError: sessionsSetup.assign({ lastError: null }),
  },
  guards: {
    isEnabled: ({ context }) => context.enabled,
    isNeeded: ({ context }) => context.enabled || context.job !== null,
    isLastNeed: ({ context, event }) =>
      !context.enabled && event.type === 'import.end' && event.jobId === context.job?.id,
    isOurJob: ({ context, event }) =>
      event.type === 'import.end' && event.jobId === context.job?.id,
    isSyncing: ({ context: { counts } }) => counts.reading > 0,
    isDirty: ({ context: { counts } }) => counts.reading === 0 && counts.behind > 0,
    isSettled: ({ context: { counts } }) => counts.reading === 0 && counts.behind === 0,
    isAnnouncementDue: ({ context }) => context.announcement === 'due',
    isSwitch: ({ event }) =>
      event.type === 'control.request' && event.request.control === 'sessions.watch',
    isChange: ({ context, event }) =>
      event.type === 'control.request' &&
      event.request.control === 'sessions.watch' &&
      event.request.enabled !== context.enabled,
    isOfTail: ({ event }) => 'actorId' in event && isTail(event.actorId),
    isOfSaving: ({ event }) => 'actorId' in event && isSaving(event.actorId),
  },
  delays: {
    /** A directory that may not be read is not repaired in less. */
    RETRY_DELAY: 5_000,
  },
});

/** Milliseconds. While lines come in the state changes many times a second; nobody reads that fast. */
const STATUS_INTERVAL = 1_000;

/** While files are read, whoever wants them. */
const READING = {
  'file.due': { actions: 'readFile' },
  'file.retired': { actions: 'retireTail' },
  'file.dropped': { actions: 'dropFile' },
  'tail.caughtUp': { actions: 'handOnToDiscovery' },
  'tail.recovered': { actions: 'handOnToDiscovery' },
  'tail.failed': { actions: ['rememberError', 'handOnToDiscovery'] },
  'scan.failed': {
    target: '#sessionsWatch.failed',
    actions: ['countRestart', 'rememberError', 'stopReading'],
  },
  'convex.offline': { target: '#sessionsWatch.paused', actions: 'stopReading' },
} as const;

/** A job ends while nothing is read: the next one, or what waits behind it, has to wait as well. */
const STILL_WAITING = [
  { guard: 'isLastNeed', target: '#sessionsWatch.disabled', actions: 'dropJob' },
  { guard: 'isOurJob', actions: ['dropJob', 'sayWaiting'] },
] as const;

export const sessionsWatch = machine.createMachine({
  id: 'sessionsWatch',
  context: ({ input }) => initialContext(input),
  initial: 'deciding',
  entry: 'sayStarted',
  on: {
    shutdown: { target: '.stopped', actions: 'stopReading' },
    'control.request': [
      { guard: 'isChange', target: '.deciding', actions: ['stopReading', 'saveChoice'] },
      { guard: 'isSwitch', actions: 'saveChoice' },
      { actions: 'answerStatus' },
    ],
    'import.begin': { actions: ['takeJob', 'handOnToDiscovery'] },
    'import.end': [
      { guard: 'isLastNeed', target: '.disabled', actions: ['dropJob', 'stopReading'] },
      { guard: 'isOurJob', actions: ['dropJob', 'handOnToDiscovery'] },
    ],
    'import.leave': { actions: ['leaveFound', 'handOnToDiscovery'] },
    'import.counted': { actions: 'handOnToBackfill' },
    'import.refused': { actions: 'handOnToBackfill' },
    'announcement.cooled': [
      { guard: 'isAnnouncementDue', actions: ['cool', 'announce'] },
      { actions: 'cool' },
    ],
    'files.counted': { actions: 'count' },
    'write.done': { actions: ['countItems', 'routeReply'] },
    'write.failed': { actions: 'routeReply' },
    'writer.started': { actions: 'routeReply' },
    'xstate.done.actor.*': [
      { guard: 'isOfTail', actions: 'dropTail' },
      { guard: 'isOfSaving', actions: 'answerSaved' },
    ],
    'xstate.error.actor.*': [
      {
        guard: 'isOfTail',
        actions: ['countRestart', 'rememberError', 'dropTail'],
      },
      { guard: 'isOfSaving', actions: 'answerSaved' },
      {
        target: '.failed',
        actions: ['countRestart', 'rememberError', 'stopReading'],
      },
    ],
  },
  states: {
    deciding: { always: [{ guard: 'isNeeded', target: 'paused' }, { target: 'disabled' }] },
    disabled: {
      entry: [{ type: 'enter', params: { state: 'disabled' } }, 'announce', 'sayWaiting'],
      on: { 'import.begin': { target: 'paused', actions: 'takeJob' } },
    },
    paused: {
      entry: [
        { type: 'enter', params: { state: 'paused' } },
        'announce',
        'sayWaiting',
        'askConvex',
      ],
      on: {
        'import.begin': { actions: ['takeJob', 'sayWaiting'] },
        'import.end': STILL_WAITING,
        'convex.online': 'scanning',
      },
    },
    scanning: {
      entry: [
        { type: 'enter', params: { state: 'scanning' } },
        'announce',
        'sayScanning',
        'startDiscovery',
      ],
      on: {
        'scan.done': [
          { guard: 'isEnabled', target: 'watching', actions: 'forgetError' },
          { target: 'backfilling', actions: 'forgetError' },
        ],
        'scan.failed': {
          target: 'failed',
          actions: ['countRestart', 'rememberError', 'stopReading'],
        },
        'convex.offline': { target: 'paused', actions: 'stopReading' },
      },
    },
    watching: {
      initial: 'deciding',
      on: READING,
      states: {
        deciding: {
          always: [
            { guard: 'isSettled', target: 'settled' },
            { guard: 'isDirty', target: 'dirty' },
            { guard: 'isSyncing', target: 'syncing' },
          ],
        },
        settled: {
          entry: [{ type: 'enter', params: { state: 'watching.settled' } }, 'announce'],
          always: [
            { guard: 'isDirty', target: 'dirty' },
            { guard: 'isSyncing', target: 'syncing' },
          ],
        },
        dirty: {
          entry: [{ type: 'enter', params: { state: 'watching.dirty' } }, 'announce'],
          always: [
            { guard: 'isSettled', target: 'settled' },
            { guard: 'isSyncing', target: 'syncing' },
          ],
        },
        syncing: {
          entry: [{ type: 'enter', params: { state: 'watching.syncing' } }, 'announce'],
          always: [
            { guard: 'isSettled', target: 'settled' },
            { guard: 'isDirty', target: 'dirty' },
          ],
        },
      },
    },
    backfilling: {
      entry: [{ type: 'enter', params: { state: 'backfilling' } }, 'announce'],
      on: READING,
    },
    failed: {
      entry: [{ type: 'enter', params: { state: 'failed' } }, 'announce', 'sayWaiting'],
      on: {
        'import.begin': { actions: ['takeJob', 'sayWaiting'] },
        'import.end': STILL_WAITING,
      },
      after: { RETRY_DELAY: 'paused' },
    },
    stopped: { type: 'final' },
  },
});
