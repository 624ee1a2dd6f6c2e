/**
 * Takes jobs from whoever has something to write, puts them into Convex, and
 * acknowledges each. Senders wait for their acknowledgements: that is what bounds
 * the memory. One thread's jobs are written in order, never two at a time.
 *
 * paused             Convex is away, or not heard of yet: jobs wait, but those of session
 *                    files, which are read again
 * recalling.asking   Convex is there: asking for the unconfirmed rows of an earlier life
 * recalling.waiting  that failed; it is tried again after RECALL_BACKOFF
 * writing            committing
 * draining           shutting down: what is in hand is committed, at most DRAIN_LIMIT
 * stopped            final
 */
import { type AnyActorRef, assertEvent, assign, enqueueActions, sendTo, setup } from 'xstate';
import { BridgeError } from '../errors.ts';
import {
  type ExpectedRun,
  type ExpectedRuns,
  maySettle,
  mustWait,
  runsOfSession,
  settlingJob,
  withFileSeen,
  withRecalled,
  withSettled,
  withSighting,
  withThread,
} from './expected-runs.ts';
import { halted, type InFlight, type InFlightJobs, pick, without } from './in-flight.ts';
import { callbackPort } from './port.ts';
import {
  SYSTEM,
  type ConvexLinkEvent,
  type ConvexStateQuery,
  type PiecesEvent,
  type RunSightingEvent,
  type ShutdownEvent,
  type SystemId,
  type WriteJob,
  type WriterCommand,
  type WriterReply,
  type WriteResult,
} from './protocol.ts';
import { tell } from './tell.ts';
import { append, emptyQueue, type QueuedJob, ofRuns, type WriteQueue } from './write-queue.ts';

/** To the committer, the actor that knows Convex. Answered in any order. */
export type CommitterCommand =
  | { type: 'commit.start'; job: WriteJob; attempt: number; settles?: string }
  /** The job was given up: nothing need be kept for another attempt. */
  | { type: 'commit.forget'; jobId: string }
  | { type: 'recall.start' }
  | PiecesEvent
  | RunSightingEvent;

/** From the committer. */
export type CommitterEvent =
  | { type: 'commit.done'; jobId: string; attempt: number; result: WriteResult }
  | { type: 'commit.failed'; jobId: string; attempt: number; error: BridgeError }
  | { type: 'recall.done'; runs: ExpectedRun[] }
  | { type: 'recall.failed'; error: BridgeError };

interface WriterContext {
  /** Uniform in [0, 1), for the jitter. */
  random: () => number;
  queue: WriteQueue;
  /** Waiting to learn whose session they are. */
  held: readonly QueuedJob[];
  inFlight: InFlightJobs;
  runs: ExpectedRuns;
  /** Whether commits may be sent: while Convex is away they are parked. */
  open: boolean;
  recalled: boolean;
  recallFailures: number;
  counts: { jobs: number; inserted: number; known: number; claimed: number; rejected: number };
  lastError: string | null;
}

type InternalEvent =
  | { type: 'commit.retry'; jobId: string; attempt: number }
  | { type: 'commit.overdue'; jobId: string; attempt: number }
  | { type: 'run.settle'; runId: string };

type WriterEvent =
  | WriterCommand
  | PiecesEvent
  | ConvexLinkEvent
  | RunSightingEvent
  | ShutdownEvent
  | CommitterEvent
  | InternalEvent;

/** Jobs and bytes waiting. Senders have few jobs out each; only a fast stream during an outage comes near. */
const MAX_WAITING_JOBS = 2_000;
const MAX_WAITING_BYTES = 32 * 1024 * 1024;
/** Attempts at a job that Convex refuses as a whole; what Convex cannot be reached for is tried for ever. */
const MAX_REFUSALS = 5;

const askForConvex: ConvexStateQuery = { type: 'convex.state?', from: SYSTEM.writer };

export const convexWriter = setup({
  types: {
    context: {} as WriterContext,
    events: {} as WriterEvent,
    input: {} as { random: () => number },
  },
  actors: {
    committer: callbackPort<CommitterCommand>('committer'),
  },
  actions: {
    announceToRuns: tell(SYSTEM.runs, { type: 'writer.started' } satisfies WriterReply),
    announceToSessions: tell(SYSTEM.sessions, { type: 'writer.started' } satisfies WriterReply),
    askForConvex: tell(SYSTEM.convex, askForConvex),
    recall: sendTo('committer', { type: 'recall.start' }),
    showPieces: sendTo('committer', ({ event }) => {
      assertEvent(event, 'write.pieces');
      return event;
    }),
    noteRecalled: enqueueActions(({ context, enqueue }, params: { runs: ExpectedRun[] }) => {
      enqueue.assign({
        runs: withRecalled(context.runs, params.runs),
        recalled: true,
        recallFailures: 0,
        lastError: null,
      });
      for (const { runId } of params.runs) raiseSettling(enqueue, runId);
    }),
    noteRecallFailure: assign({
      recallFailures: ({ context }) => context.recallFailures + 1,
      lastError: (_, params: { error: BridgeError }) => params.error.message,
    }),
    take: assign(({ context, event }) => {
      assertEvent(event, 'write.submit');
      const entry: QueuedJob = { job: event.job, from: event.from };
      return mustWait(context.runs, event.job)
        ? { held: [...context.held, entry] }
        : { queue: append(context.queue, entry) };
    }),
    refuse: enqueueActions(({ event, system, enqueue }, params: { error: BridgeError }) => {
      assertEvent(event, 'write.submit');
      const reply = { type: 'write.failed', jobId: event.job.id, error: params.error } as const;
      answer(system, enqueue, event.from, reply);
    }),
    noteSighting: enqueueActions(({ context, event, enqueue }) => {
      assertEvent(event, ['run.expected', 'run.session', 'run.ended']);
      const runs = withSighting(context.runs, event);
      enqueue.assign({ runs });
      enqueue.sendTo('committer', event);
    }),
    releaseHeld: assign(({ context }) => {
      const free = context.held.filter((entry) => !mustWait(context.runs, entry.job));
      if (free.length === 0) return {};
      return {
        held: context.held.filter((entry) => !free.includes(entry)),
        queue: free.reduce(append, context.queue),
      };
    }),
    scheduleSettling: enqueueActions(({ event, enqueue }) => {
      assertEvent(event, 'run.ended');
      raiseSettling(enqueue, event.runId);
    }),
    settle: assign(({ context, event }) => {
      assertEvent(event, 'run.settle');
      const run = context.runs[event.runId];
      return run !== undefined && maySettle(run)
        ? {
            runs: withSettled(context.runs, run.runId),
            queue: append(context.queue, settlingJob(run)),
          }
        : {};
    }),
    dispatch: enqueueActions(({ context, enqueue }) => {
      let { queue, inFlight, runs } = context;
      for (let next = pick(queue, inFlight, runs); next; next = pick(queue, inFlight, runs)) {
        const job = withThread(runs, next.entry.job);
        const entry = { ...next.entry, job, attempt: 1, refusals: 0, committing: true };
        queue = next.queue;
        inFlight = { ...inFlight, [job.id]: entry };
        if (job.origin === 'file') runs = withFileSeen(runs, job.thread.resumeId);
        start(enqueue, entry);
      }
      enqueue.assign({ queue, inFlight, runs });
    }),
    acknowledge: enqueueActions(({ context, event, system, enqueue }) => {
      assertEvent(event, 'commit.done');
      const { jobId, result } = event;
      const entry = context.inFlight[jobId];
      if (entry === undefined) return;
      enqueue.cancel(`overdue-${jobId}`);
      enqueue.assign({
        inFlight: without(context.inFlight, jobId),
        counts: added(context.counts, result),
        lastError: result.rejected[0]?.reason ?? null,
      });
      answer(system, enqueue, entry.from, { type: 'write.done', jobId, result });
      if (entry.job.origin === 'run') return;
      for (const run of runsOfSession(context.runs, entry.job.thread.resumeId)) {
        if (maySettle(run)) raiseSettling(enqueue, run.runId);
      }
    }),
    park: enqueueActions(({ context, event, enqueue }) => {
      assertEvent(event, ['commit.failed', 'commit.overdue', 'commit.retry']);
      enqueue.cancel(`overdue-${event.jobId}`);
      enqueue.assign({ inFlight: halted(context.inFlight, event.jobId, isRefusal(event)) });
    }),
    backOff: enqueueActions(({ context, event, enqueue }, params: { error: BridgeError }) => {
      assertEvent(event, ['commit.failed', 'commit.overdue']);
      const { jobId, attempt } = event;
      enqueue.cancel(`overdue-${jobId}`);
      enqueue.assign({
        inFlight: halted(context.inFlight, event.jobId, isRefusal(event)),
        lastError: params.error.message,
      });
      enqueue.raise(
        { type: 'commit.retry', jobId, attempt },
        { delay: 'COMMIT_BACKOFF', id: `retry-${jobId}` },
      );
    }),
    retry: enqueueActions(({ context, event, enqueue }) => {
      assertEvent(event, 'commit.retry');
      const entry = context.inFlight[event.jobId];
      if (entry === undefined) return;
      const next = { ...entry, attempt: entry.attempt + 1, committing: true };
      enqueue.assign({ inFlight: { ...context.inFlight, [event.jobId]: next } });
      start(enqueue, next);
    }),
    resume: enqueueActions(({ context, enqueue }) => {
      const inFlight = { ...context.inFlight };
      for (const [jobId, entry] of Object.entries(inFlight)) {
        if (entry.committing) continue;
        const next = { ...entry, attempt: entry.attempt + 1, committing: true };
        inFlight[jobId] = next;
        enqueue.cancel(`retry-${jobId}`);
        start(enqueue, next);
      }
      enqueue.assign({ inFlight, open: true });
      // What the files say comes first: they are read again.
      for (const run of Object.values(context.runs)) {
        if (maySettle(run)) raiseSettling(enqueue, run.runId);
      }
    }),
    suspend: assign({ open: false }),
    /** Those who read them have stopped, and go on from what Convex holds when it is back. */
    forgetFiles: enqueueActions(({ context, enqueue }) => {
      let { inFlight, runs } = context;
      for (const { settles } of context.queue.waiting) runs = withSettled(runs, settles, false);
      for (const [jobId, { from }] of Object.entries(inFlight)) {
        if (from !== SYSTEM.sessions) continue;
        inFlight = without(inFlight, jobId);
        enqueue.cancel(`overdue-${jobId}`);
        enqueue.cancel(`retry-${jobId}`);
        enqueue.sendTo('committer', { type: 'commit.forget', jobId });
      }
      enqueue.assign({
        inFlight,
        runs,
        queue: ofRuns(context.queue),
        held: context.held.filter(({ from }) => from !== SYSTEM.sessions),
      });
    }),
    giveUp: enqueueActions(({ context, event, system, enqueue }) => {
      assertEvent(event, 'commit.failed');
      const { jobId, error } = event;
      const entry = context.inFlight[jobId];
      if (entry === undefined) return;
      enqueue.cancel(`overdue-${jobId}`);
      enqueue.assign({ inFlight: without(context.inFlight, jobId), lastError: error.message });
      enqueue.sendTo('committer', { type: 'commit.forget', jobId });
      answer(system, enqueue, entry.from, { type: 'write.failed', jobId, error });
    }),
  },
  guards: {
    isKnown: ({ context, event }) => {
      assertEvent(event, 'write.submit');
      const { id } = event.job;
      const isThis = (entry: QueuedJob) => entry.job.id === id;
      return (
        id in context.inFlight || context.queue.waiting.some(isThis) || context.held.some(isThis)
      );
    },
    isFull: ({ context }) =>
      context.queue.waiting.length + context.held.length >= MAX_WAITING_JOBS ||
      context.queue.bytes + bytesOf(context.held) >= MAX_WAITING_BYTES,
    /** An answer to an attempt that was given up for overdue says nothing about the present one. */
    isStale: ({ context, event }) => {
      assertEvent(event, ['commit.done', 'commit.failed', 'commit.overdue', 'commit.retry']);
      return context.inFlight[event.jobId]?.attempt !== event.attempt;
    },
    isFinal: ({ context, event }) => {
      assertEvent(event, 'commit.failed');
      const refusals = context.inFlight[event.jobId]?.refusals ?? 0;
      return !event.error.retryable && refusals + 1 >= MAX_REFUSALS;
    },
    isClosed: ({ context }) => !context.open,
    isRecalled: ({ context }) => context.recalled,
    canDispatch: ({ context }) => pick(context.queue, context.inFlight, context.runs) !== null,
    isEmpty: ({ context }) =>
      context.queue.waiting.length === 0 && Object.keys(context.inFlight).length === 0,
  },
  delays: {
    /** 0.25 s doubling to 15 s, full jitter: nobody waits long for a hiccup, and an outage is left in peace. */
    COMMIT_BACKOFF: ({ context, event }) =>
      fullJitter(context.random, 'attempt' in event ? event.attempt : 1),
    RECALL_BACKOFF: ({ context }) => fullJitter(context.random, context.recallFailures),
    /** A commit takes milliseconds; past this, the answer was lost together with its connection. */
    COMMIT_LIMIT: 30_000,
    /**
     * A file that was written lately is looked at every second: by then it has been read to its
     * end, and what comes later all the same still finds its rows. Until then a call that was cut
     * off is shown as going on.
     */
    SETTLE_DELAY: 10_000,
    /** Below the 2 s that its supervisor gives it; what is not in by then is read again later. */
    DRAIN_LIMIT: 1_500,
  },
}).createMachine({
  id: 'convexWriter',
  context: ({ input }) => ({
    random: input.random,
    queue: emptyQueue,
    held: [],
    inFlight: {},
    runs: {},
    open: false,
    recalled: false,
    recallFailures: 0,
    counts: { jobs: 0, inserted: 0, known: 0, claimed: 0, rejected: 0 },
    lastError: null,
  }),
  invoke: { src: 'committer', id: 'committer' },
  // Runs first: what they expect must be known before a session file's job comes again.
  entry: ['announceToRuns', 'announceToSessions', 'askForConvex'],
  initial: 'paused',
  on: {
    'write.submit': [
      { guard: 'isKnown' },
      {
        guard: 'isFull',
        actions: {
          type: 'refuse',
          params: {
            error: new BridgeError('convex_unavailable', 'too much is waiting to be written'),
          },
        },
      },
      { actions: 'take' },
    ],
    // While nothing can be written they are dropped: the item's end says it all.
    'write.pieces': {},
    'run.expected': { actions: 'noteSighting' },
    'run.session': { actions: ['noteSighting', 'releaseHeld'] },
    'run.ended': { actions: ['noteSighting', 'releaseHeld', 'scheduleSettling'] },
    'run.settle': { actions: 'settle' },
    'commit.done': [{ guard: 'isStale' }, { actions: 'acknowledge' }],
    'commit.failed': [
      { guard: 'isStale' },
      { guard: 'isFinal', actions: 'giveUp' },
      { guard: 'isClosed', actions: 'park' },
      { actions: { type: 'backOff', params: ({ event }) => ({ error: event.error }) } },
    ],
    'commit.overdue': [
      { guard: 'isStale' },
      { guard: 'isClosed', actions: 'park' },
      {
        actions: {
          type: 'backOff',
          params: { error: new BridgeError('convex_unavailable', 'no answer came in time') },
        },
      },
    ],
    'commit.retry': [
      { guard: 'isStale' },
      { guard: 'isClosed', actions: 'park' },
      { actions: 'retry' },
    ],
    'convex.offline': { target: '.paused', actions: 'forgetFiles' },
  },
  states: {
    paused: {
      entry: 'suspend',
      on: {
        'convex.online': [{ guard: 'isRecalled', target: 'writing' }, { target: 'recalling' }],
        'convex.offline': undefined,
        'run.settle': undefined,
        // Nothing can be written now; the session files keep it.
        shutdown: 'stopped',
      },
    },
    recalling: {
      initial: 'asking',
      on: { shutdown: 'stopped' },
      states: {
        asking: {
          entry: 'recall',
          on: {
            'recall.done': {
              target: '#convexWriter.writing',
              actions: { type: 'noteRecalled', params: ({ event }) => ({ runs: event.runs }) },
            },
            'recall.failed': {
              target: 'waiting',
              actions: {
                type: 'noteRecallFailure',
                params: ({ event }) => ({ error: event.error }),
              },
            },
          },
        },
        waiting: { after: { RECALL_BACKOFF: 'asking' } },
      },
    },
    writing: {
      entry: 'resume',
      on: { shutdown: 'draining', 'write.pieces': { actions: 'showPieces' } },
      always: { guard: 'canDispatch', actions: 'dispatch' },
    },
    draining: {
      on: {
        'write.submit': {
          actions: { type: 'refuse', params: { error: new BridgeError('shutdown', '') } },
        },
        'convex.offline': 'stopped',
      },
      always: [
        { guard: 'canDispatch', actions: 'dispatch' },
        { guard: 'isEmpty', target: 'stopped' },
      ],
      after: { DRAIN_LIMIT: 'stopped' },
    },
    stopped: { type: 'final' },
  },
});

/** What `enqueueActions` offers, as far as the functions below need it. */
interface Enqueue {
  sendTo: (target: AnyActorRef | string, event: CommitterCommand | WriterReply) => void;
  raise: (
    event: InternalEvent,
    options: { delay: 'COMMIT_LIMIT' | 'SETTLE_DELAY'; id: string },
  ) => void;
  cancel: (id: string) => void;
}

function start(enqueue: Enqueue, { job, attempt, settles }: InFlight): void {
  enqueue.sendTo('committer', {
    type: 'commit.start',
    job,
    attempt,
    ...(settles === undefined ? {} : { settles }),
  });
  enqueue.raise(
    { type: 'commit.overdue', jobId: job.id, attempt },
    { delay: 'COMMIT_LIMIT', id: `overdue-${job.id}` },
  );
}

/** A sender that is just restarting asks again by itself. */
function answer(
  system: { get: (id: SystemId) => AnyActorRef | undefined },
  enqueue: Enqueue,
  to: SystemId | null,
  reply: WriterReply,
) {
  const sender = to === null ? undefined : system.get(to);
  if (sender !== undefined) enqueue.sendTo(sender, reply);
}

/** Each new sign of life of the run's file puts it off again. */
function raiseSettling(enqueue: Enqueue, runId: string): void {
  const id = `settle-${runId}`;
  enqueue.cancel(id);
  enqueue.raise({ type: 'run.settle', runId }, { delay: 'SETTLE_DELAY', id });
}

function isRefusal(event: WriterEvent): boolean {
  return event.type === 'commit.failed' && !event.error.retryable;
}

function added(counts: WriterContext['counts'], result: WriteResult): WriterContext['counts'] {
  return {
    jobs: counts.jobs + 1,
    inserted: counts.inserted + result.inserted,
    known: counts.known + result.known,
    claimed: counts.claimed + result.claimed,
    rejected: counts.rejected + result.rejected.length,
  };
}

function bytesOf(entries: readonly QueuedJob[]): number {
  return entries.reduce((bytes, entry) => bytes + entry.job.bytes, 0);
}

/** Milliseconds: 250 doubling up to 15,000, times a random share of it. */
function fullJitter(random: () => number, attempt: number): number {
  return random() * Math.min(15_000, 250 * 2 ** (attempt - 1));
}
