/**
 * One session file that is being read. The reader actor holds the file and its lines;
 * here are only numbers and the path.
 *
 * reading.chunk       the reader takes the next batch off the file
 * reading.committing  the batch is with the writer; no further one is read before its answer
 * waiting             read to its end; a change wakes it, long quiet ends it
 * backingOff          the file cannot be read, or Convex not be written, for now
 * gone                final: deleted, or quiet; its rows stay, and its cursor
 */
import { assign, sendTo, setup } from 'xstate';
import type { BridgeError, ErrorCode } from '../errors.ts';
import { callbackPort } from './port.ts';
import { SYSTEM } from './protocol.ts';
import type {
  CommitResult,
  ReaderCommand,
  ReaderEvent,
  TailCommand,
  TailEnd,
  TailEvent,
} from './sessions-events.ts';
import { tell } from './tell.ts';

export interface TailInput {
  /** The name of this actor; the ids of its jobs begin with it. */
  id: string;
  path: string;
  /** It changed just now, and is followed when it is read. */
  live: boolean;
}

interface TailContext extends TailInput {
  jobId: string | null;
  /** Bytes of the file that are in Convex. */
  offset: number;
  /** Where it will stand once the batch in hand is committed. */
  nextOffset: number;
  commits: number;
  /** In a row. */
  failures: number;
  lastError: string | null;
  lastErrorCode: ErrorCode;
  /** Why it will be gone. */
  end: TailEnd;
}

type Event = TailCommand | ReaderEvent;

/** Milliseconds; doubled with each failure in a row. */
const FIRST_RETRY = 1_000;
const LAST_RETRY = 60_000;

export const tail = setup({
  types: {
    context: {} as TailContext,
    events: {} as Event,
    input: {} as TailInput,
    output: {} as { path: string; reason: TailEnd },
  },
  actors: {
    reader: callbackPort<ReaderCommand, { path: string; tailId: string }>('reader'),
  },
  actions: {
    readOn: sendTo('reader', ({ context }): ReaderCommand => ({
      type: 'batch.next',
      live: context.live,
    })),
    confirm: sendTo('reader', (_, { rejected, stored }: CommitResult): ReaderCommand => ({
      type: 'batch.committed',
      result: { rejected, ...(stored !== undefined && { stored }) },
    })),
    setAside: sendTo('reader', (_, params: { error: BridgeError }): ReaderCommand => ({
      type: 'batch.rejected',
      error: params.error,
    })),
    submit: tell<TailContext, Event>(SYSTEM.writer, ({ event }) =>
      event.type === 'batch.ready'
        ? { type: 'write.submit', job: event.job, from: SYSTEM.sessions }
        : undefined,
    ),
    rememberJob: assign(({ context, event }) =>
      event.type === 'batch.ready'
        ? { jobId: event.job.id, nextOffset: event.job.cursor?.offset ?? context.offset }
        : {},
    ),
    settle: assign({
      jobId: null,
      offset: ({ context }, { stored }: CommitResult) =>
        stored === undefined ? context.nextOffset : (stored?.offset ?? 0),
      commits: ({ context }) => context.commits + 1,
      failures: 0,
      lastError: null,
    }),
    follow: assign({
      live: ({ context }, params: { live: boolean }) => context.live || params.live,
    }),
    recover: assign({ failures: 0, lastError: null }),
    rememberError: assign({
      failures: ({ context }) => context.failures + 1,
      lastError: (_, params: { error: BridgeError }) => params.error.message,
      lastErrorCode: (_, params: { error: BridgeError }) => params.error.code,
    }),
    rememberDeletion: assign({ end: 'deleted' }),
    reportCaughtUp: report(({ path }) => ({ type: 'tail.caughtUp', path })),
    reportFailure: report(({ path, lastError, lastErrorCode }) => ({
      type: 'tail.failed',
      path,
      code: lastErrorCode,
      message: lastError ?? 'unknown',
    })),
    reportRecovery: report(({ path }) => ({ type: 'tail.recovered', path })),
  },
  guards: {
    isLive: ({ context }) => context.live,
    isOurs: ({ context, event }) => 'jobId' in event && event.jobId === context.jobId,
    isOursForGood: ({ context, event }) =>
      event.type === 'write.failed' && event.jobId === context.jobId && !event.error.retryable,
  },
  delays: {
    /** As long as Codex may think between two lines; then only the cursor is kept. */
    QUIET_LIMIT: 10 * 60_000,
    RETRY: ({ context }) => Math.min(LAST_RETRY, FIRST_RETRY * 2 ** (context.failures - 1)),
  },
}).createMachine({
  id: 'tail',
  context: ({ input }) => ({
    ...input,
    jobId: null,
    offset: 0,
    nextOffset: 0,
    commits: 0,
    failures: 0,
    lastError: null,
    lastErrorCode: 'internal',
    end: 'quiet',
  }),
  output: ({ context }) => ({ path: context.path, reason: context.end }),
  invoke: {
    src: 'reader',
    id: 'reader',
    input: ({ context }) => ({ path: context.path, tailId: context.id }),
  },
  initial: 'reading',
  states: {
    reading: {
      initial: 'chunk',
      on: {
        'tail.read': {
          actions: { type: 'follow', params: ({ event }) => ({ live: event.live }) },
        },
        'file.gone': { target: 'gone', actions: 'rememberDeletion' },
        'file.failed': {
          target: 'backingOff',
          actions: { type: 'rememberError', params: ({ event }) => ({ error: event.error }) },
        },
      },
      states: {
        chunk: {
          entry: 'readOn',
          on: {
            'batch.ready': { target: 'committing', actions: ['rememberJob', 'submit'] },
            'file.caughtUp': [
              { guard: 'isLive', target: '#tail.waiting', actions: 'recover' },
              { target: '#tail.gone' },
            ],
          },
        },
        committing: {
          on: {
            // The batch again, for a writer that has restarted, or what is left of a refused one.
            'batch.ready': { actions: ['rememberJob', 'submit'] },
            'writer.started': { actions: 'readOn' },
            'write.done': {
              guard: 'isOurs',
              target: 'chunk',
              actions: [
                { type: 'settle', params: ({ event }) => event.result },
                { type: 'confirm', params: ({ event }) => event.result },
              ],
            },
            'write.failed': [
              {
                guard: 'isOursForGood',
                actions: { type: 'setAside', params: ({ event }) => ({ error: event.error }) },
              },
              {
                guard: 'isOurs',
                target: '#tail.backingOff',
                actions: { type: 'rememberError', params: ({ event }) => ({ error: event.error }) },
              },
            ],
          },
        },
      },
    },
    waiting: {
      entry: 'reportCaughtUp',
      on: { 'tail.read': 'reading', 'tail.retire': 'gone' },
      after: { QUIET_LIMIT: 'gone' },
    },
    backingOff: {
      entry: 'reportFailure',
      on: {
        'tail.read': {
          target: 'reading',
          actions: { type: 'follow', params: ({ event }) => ({ live: event.live }) },
        },
        'tail.retire': 'gone',
      },
      after: { RETRY: { actions: 'reportRecovery' } },
    },
    gone: { type: 'final' },
  },
});

function report(event: (context: TailContext) => TailEvent) {
  return tell<TailContext, Event>(SYSTEM.sessions, ({ context }) => event(context));
}
