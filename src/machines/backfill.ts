/**
 * The import of old session files as a job: which it is, how far it is, and how it ends.
 * It reads nothing itself: the sessions watcher is the only reader, and is told which
 * files to put before all other history.
 *
 * deciding            passed through at the start: whether an earlier life left a job
 * idle                there is no job
 * scanning.opening    a request's path is looked at, and the job is written down
 * scanning.selecting  the files of the job are being found
 * importing           they are being read
 * paused              nothing can be read: Convex is away, or the sessions are; it goes on by itself
 * done                every file is read, or has failed for a reason of its own
 * cancelled           somebody ended it; what is imported stays
 * failed              its files cannot be had at all
 *
 * A new job is taken in every state but those of a job that somebody asked for. The job of
 * the start steps back for it, and goes on afterwards.
 */
import { assign } from 'xstate';
import {
  answerCancelled,
  answerConflict,
  answerOpened,
  answerRefused,
  answerStatus,
  answerUnknown,
  backfillSetup,
  beginImport,
  broadcastNow,
  cancelWaiting,
  count,
  endImport,
  forgetJob,
  isOver,
  takeRequest,
} from './backfill-steps.ts';
import {
  initialContext,
  NO_PROGRESS,
  type BackfillContext,
  type BackfillEvent,
  type Job,
} from './backfill-status.ts';
import type { BackfillState } from '../control/frames.ts';
import { toBridgeError } from '../errors.ts';

const machine = backfillSetup.extend({
  actions: {
    takeRequest: backfillSetup.enqueueActions(takeRequest),
    beginImport: backfillSetup.enqueueActions(beginImport),
    endImport: backfillSetup.enqueueActions(endImport),
    forgetJob: backfillSetup.enqueueActions(forgetJob),
    cancelWaiting: backfillSetup.enqueueActions(cancelWaiting),
    answerOpened: backfillSetup.enqueueActions(answerOpened),
    answerRefused: backfillSetup.enqueueActions(answerRefused),
    answerConflict: backfillSetup.enqueueActions(answerConflict),
    answerUnknown: backfillSetup.enqueueActions(answerUnknown),
    answerStatus: backfillSetup.enqueueActions(answerStatus),
    answerCancelled: backfillSetup.enqueueActions(answerCancelled),
    enter: assign<BackfillContext, BackfillEvent, { state: BackfillState }, BackfillEvent, never>({
      state: (_, { state }) => state,
      since: ({ context }) => context.now(),
    }),
    announce: backfillSetup.enqueueActions(broadcastNow),
    announceSoon: backfillSetup.enqueueActions((turn) => {
      if (turn.context.announcement === 'none') broadcastNow(turn);
      else turn.enqueue.assign({ announcement: 'due' });
    }),
    announceDue: backfillSetup.enqueueActions((turn) => {
      if (turn.context.announcement === 'due') broadcastNow(turn);
      else turn.enqueue.assign({ announcement: 'none' });
    }),
    count: backfillSetup.enqueueActions(count),
    countWaiting: backfillSetup.assign(({ context: { waiting }, event }) =>
      event.type === 'import.counted' && waiting !== null
        ? { waiting: { ...waiting, progress: event.progress } }
        : {},
    ),
    forgetRate: backfillSetup.assign({ samples: [], lastError: null }),
    adoptStartup: backfillSetup.assign(({ context }) => ({
      job: {
        id: context.createId(),
        kind: 'startup' as const,
        selection: {},
        startedAt: context.now(),
      },
      progress: NO_PROGRESS,
      lastError: null,
    })),
    resumeWaiting: backfillSetup.assign(({ context: { waiting } }) =>
      waiting === null ? {} : { ...waiting, waiting: null },
    ),
    rememberError: backfillSetup.assign(({ event }) => {
      if (event.type === 'import.waits') return { lastError: event.reason };
      return 'error' in event ? { lastError: toBridgeError(event.error).message } : {};
    }),
  },
  guards: {
    hasJob: ({ context }) => context.job !== null,
    hasWaiting: ({ context }) => context.waiting !== null,
    isOurs: ({ context, event }) => isOurs(context, event),
    isOursAndOver: ({ context, event }) => isOurs(context, event) && isOver(event),
    isOfWaiting: ({ context, event }) =>
      context.waiting !== null && event.type === 'import.counted' && event.jobId === null,
    isNewStartup: ({ event }) =>
      event.type === 'import.counted' && event.jobId === null && !isOver(event),
    isOurJob: ({ context, event }) => 'jobId' in event && event.jobId === context.job?.id,
    isRequest: ({ event }) => asks(event) === 'convex.backfill',
    isRequestBeforeStartup: ({ context, event }) =>
      asks(event) === 'convex.backfill' && context.job?.kind === 'startup',
    isCancel: ({ event }) => asks(event) === 'convex.backfill_cancel',
    isOurCancel: ({ context, event }) => cancels(event) === context.job?.id,
    isWaitingCancel: ({ context: { waiting }, event }) =>
      waiting !== null && cancels(event) === waiting.job.id,
  },
});

/** In a state with a job. */
const BUSY = {
  'control.request': [
    {
      guard: 'isRequestBeforeStartup',
      target: '#backfill.scanning.opening',
      actions: 'takeRequest',
    },
    { guard: 'isRequest', actions: 'answerConflict' },
    { guard: 'isOurCancel', target: '#backfill.cancelled' },
    { guard: 'isWaitingCancel', actions: 'cancelWaiting' },
    { guard: 'isCancel', actions: 'answerUnknown' },
    { actions: 'answerStatus' },
  ],
  'import.counted': [
    { guard: 'isOursAndOver', target: '#backfill.done', actions: 'count' },
    { guard: 'isOurs', target: '#backfill.importing', actions: 'count' },
    { guard: 'isOfWaiting', actions: 'countWaiting' },
  ],
  'import.refused': { guard: 'isOurJob', target: '#backfill.failed', actions: 'rememberError' },
  'import.waits': { target: '#backfill.paused', actions: 'rememberError' },
  'import.scanning': '#backfill.scanning.selecting',
  'sessions.started': '#backfill.scanning.selecting',
} as const;

/** In a state without one, or with one that has ended. */
const FREE = {
  'control.request': [
    { guard: 'isRequest', target: '#backfill.scanning.opening', actions: 'takeRequest' },
    { guard: 'isCancel', actions: 'answerUnknown' },
    { actions: 'answerStatus' },
  ],
  'import.counted': {
    guard: 'isNewStartup',
    target: '#backfill.importing',
    actions: ['adoptStartup', 'count'],
  },
} as const;

/** The job of the start goes on when the one that went first has ended. */
const THEN_WAITING = {
  guard: 'hasWaiting',
  target: '#backfill.scanning.selecting',
  actions: 'resumeWaiting',
} as const;

export const backfill = machine.createMachine({
  id: 'backfill',
  context: ({ input }) => initialContext(input),
  initial: 'deciding',
  on: {
    'announcement.cooled': { actions: 'announceDue' },
    'xstate.done.actor.*': { actions: 'answerCancelled' },
    'xstate.error.actor.*': { actions: 'answerCancelled' },
  },
  states: {
    deciding: { always: [{ guard: 'hasJob', target: 'scanning.selecting' }, { target: 'idle' }] },
    idle: { on: FREE },
    scanning: {
      entry: { type: 'enter', params: { state: 'scanning' } },
      initial: 'opening',
      states: {
        opening: {
          invoke: {
            src: 'openJob',
            id: 'opening',
            input: ({ context }) => context.job ?? NO_JOB,
            onDone: { target: 'selecting', actions: 'answerOpened' },
            onError: { target: '#backfill.failed', actions: ['rememberError', 'answerRefused'] },
          },
          on: {
            'control.request': [
              { guard: 'isRequest', actions: 'answerConflict' },
              { guard: 'isWaitingCancel', actions: 'cancelWaiting' },
              { guard: 'isCancel', actions: 'answerUnknown' },
              { actions: 'answerStatus' },
            ],
            'import.counted': { guard: 'isOfWaiting', actions: 'countWaiting' },
          },
        },
        selecting: { entry: ['announce', 'beginImport'], on: BUSY },
      },
    },
    importing: {
      entry: [{ type: 'enter', params: { state: 'importing' } }, 'forgetRate', 'announce'],
      on: {
        ...BUSY,
        'import.counted': [
          BUSY['import.counted'][0],
          { guard: 'isOurs', actions: ['count', 'announceSoon'] },
          BUSY['import.counted'][2],
        ],
      },
    },
    paused: {
      entry: [{ type: 'enter', params: { state: 'paused' } }, 'announce'],
      on: { ...BUSY, 'import.waits': { actions: 'rememberError' } },
    },
    done: {
      entry: [{ type: 'enter', params: { state: 'done' } }, 'announce', 'endImport', 'forgetJob'],
      always: THEN_WAITING,
      on: FREE,
    },
    cancelled: {
      entry: [
        { type: 'enter', params: { state: 'cancelled' } },
        'announce',
        'endImport',
        'forgetJob',
      ],
      always: THEN_WAITING,
      on: FREE,
    },
    failed: {
      entry: [{ type: 'enter', params: { state: 'failed' } }, 'announce', 'endImport', 'forgetJob'],
      always: THEN_WAITING,
      on: FREE,
    },
  },
});

/** XState asks for the input whatever the context; a request has always put its job there. */
const NO_JOB: Job = { id: '', kind: 'request', selection: {}, startedAt: 0 };

function isOurs({ job }: BackfillContext, event: BackfillEvent): boolean {
  if (event.type !== 'import.counted' || job === null) return false;
  return event.jobId === (job.kind === 'startup' ? null : job.id);
}

function asks(event: BackfillEvent): string | null {
  return event.type === 'control.request' ? event.request.control : null;
}

function cancels(event: BackfillEvent): string | null {
  if (event.type !== 'control.request') return null;
  return event.request.control === 'convex.backfill_cancel' ? event.request.jobId : null;
}
