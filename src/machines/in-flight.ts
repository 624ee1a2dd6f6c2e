/** The jobs that the writer has sent to Convex, or will send again; pure. */
import { type ExpectedRuns, laneOf } from './expected-runs.ts';
import { type QueuedJob, takeNext, type WriteQueue } from './write-queue.ts';

export interface InFlight extends QueuedJob {
  /** Counts from 1. */
  attempt: number;
  /** How often Convex has refused it as a whole. */
  refusals: number;
  /** False while it waits for its next attempt. */
  committing: boolean;
}

/** By the job's id. */
export type InFlightJobs = Readonly<Record<string, InFlight>>;

/** Two keep the backend busy, one being executed while one is on its way; more only queue there. */
const MAX_HISTORY_IN_FLIGHT = 2;
/** The rest is for live lines, so that a bulk import never stands in their way. */
const MAX_IN_FLIGHT = 6;
/** What may be sent to Convex now, if anything. */
export function pick(queue: WriteQueue, inFlight: InFlightJobs, runs: ExpectedRuns) {
  const entries = Object.values(inFlight);
  const committing = entries.filter((entry) => entry.committing);
  if (committing.length >= MAX_IN_FLIGHT) return null;
  const history = committing.filter((entry) => entry.job.priority === 'history');
  return takeNext(queue, {
    laneOf: (entry) => laneOf(runs, entry),
    busyLanes: new Set(entries.map((entry) => laneOf(runs, entry))),
    historyToo: history.length < MAX_HISTORY_IN_FLIGHT,
  });
}

/** The job waits for its next attempt; a refusal is counted. */
export function halted(inFlight: InFlightJobs, jobId: string, refused: boolean): InFlightJobs {
  const entry = inFlight[jobId];
  if (entry === undefined) return inFlight;
  const refusals = entry.refusals + (refused ? 1 : 0);
  return { ...inFlight, [jobId]: { ...entry, refusals, committing: false } };
}

export function without(inFlight: InFlightJobs, jobId: string): InFlightJobs {
  const { [jobId]: _, ...others } = inFlight;
  return others;
}
