/** What the backfill is told, what it keeps in mind, and what it says of itself. */
import type { DoneActorEvent, ErrorActorEvent } from 'xstate';
import type { BackfillFrame, BackfillState } from '../control/frames.ts';
import type { ImportEvent, ImportJob, ImportProgress } from './backfill-events.ts';
import { rateOf, timeFor, type RateSample } from './import-rate.ts';
import type { ControlRequestEvent } from './protocol.ts';

/** `startup`: what the sessions watcher found by itself, and reads anyway. */
export interface Job extends ImportJob {
  kind: 'startup' | 'request';
  /** Milliseconds since the epoch. */
  startedAt: number;
}

export interface BackfillInput {
  /** The job of an earlier life that did not end. */
  job: Job | null;
  createId: () => string;
  /** Milliseconds since the epoch. */
  now: () => number;
}

export type BackfillEvent =
  | ControlRequestEvent
  | ImportEvent
  /** From itself: the next progress may be broadcast. */
  | { type: 'announcement.cooled' }
  | DoneActorEvent
  | ErrorActorEvent;

export interface BackfillContext extends BackfillInput {
  state: BackfillState;
  /** When that state was entered; milliseconds since the epoch. */
  since: number;
  /** Of the request that began the job, while its answer is owed. */
  requestId: string | null;
  progress: ImportProgress;
  samples: RateSample[];
  /** The job of the start, while one that was asked for goes first. */
  waiting: { job: Job; progress: ImportProgress } | null;
  lastError: string | null;
  /** Answers to those who cancelled a job that is being forgotten. */
  owed: { actorId: string; requestId: string; frame: BackfillFrame }[];
  /** `cooling`: one was broadcast just now. `due`: and there is news since. */
  announcement: 'none' | 'cooling' | 'due';
}

export const NO_PROGRESS: ImportProgress = {
  files: { total: 0, done: 0, failed: 0 },
  bytes: { total: 0, done: 0 },
  messages: { inserted: 0, known: 0 },
  failures: [],
};

export function initialContext(input: BackfillInput): BackfillContext {
  return {
    ...input,
    state: 'idle',
    since: input.now(),
    requestId: null,
    progress: NO_PROGRESS,
    samples: [],
    waiting: null,
    lastError: null,
    owed: [],
    announcement: 'none',
  };
}

export function backfillFrameOf(context: BackfillContext): BackfillFrame {
  const { state, since, job, progress, samples, lastError } = context;
  const isImporting = state === 'importing';
  const { bytes } = progress;
  const rate = isImporting ? rateOf(samples, { at: context.now(), bytes: bytes.done }) : null;
  return {
    ...jobPart(job, progress),
    state,
    bytesPerSecond: rate,
    etaMs: timeFor(bytes.total - bytes.done, rate),
    lastError,
    since,
  };
}

/** Of the startup job while it is not the present one. */
export function waitingFrame(
  { waiting, now }: BackfillContext,
  state: 'paused' | 'cancelled',
): BackfillFrame {
  return {
    ...jobPart(waiting?.job ?? null, waiting?.progress ?? NO_PROGRESS),
    state,
    bytesPerSecond: null,
    etaMs: null,
    lastError: state === 'paused' ? 'another backfill goes first' : null,
    since: now(),
  };
}

function jobPart(job: Job | null, progress: ImportProgress) {
  return {
    type: 'bridge.convex_backfill' as const,
    jobId: job?.id ?? null,
    kind: job?.kind ?? null,
    selection: job?.selection ?? {},
    startedAt: job?.startedAt ?? null,
    ...progress,
  };
}
