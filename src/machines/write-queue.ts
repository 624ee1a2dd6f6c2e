/**
 * The writer's queue, pure: what waits, in order of arrival, and what may go next.
 * Work of one thread (its lane) never overtakes itself; among threads, live work
 * overtakes history.
 */
import { SYSTEM, type SystemId, type WriteJob } from './protocol.ts';

export interface QueuedJob {
  job: WriteJob;
  /** Who is answered; null for what the writer gave itself to do. */
  from: SystemId | null;
  /** The run whose unconfirmed rows this job settles; it has no items of its own. */
  settles?: string;
}

export interface WriteQueue {
  waiting: readonly QueuedJob[];
  bytes: number;
}

export const emptyQueue: WriteQueue = { waiting: [], bytes: 0 };

export function append(queue: WriteQueue, entry: QueuedJob): WriteQueue {
  return { waiting: [...queue.waiting, entry], bytes: queue.bytes + entry.job.bytes };
}

/** What only a run can give: session files are read again, and after them runs are settled again. */
export function ofRuns(queue: WriteQueue): WriteQueue {
  const waiting = queue.waiting.filter(
    ({ from, settles }) => from !== SYSTEM.sessions && settles === undefined,
  );
  return { waiting, bytes: waiting.reduce((bytes, { job }) => bytes + job.bytes, 0) };
}

/** What may be taken now: a busy lane waits, and history may be told to wait. */
export interface Openings {
  laneOf: (entry: QueuedJob) => string;
  busyLanes: ReadonlySet<string>;
  historyToo: boolean;
}

export function takeNext(
  queue: WriteQueue,
  openings: Openings,
): { entry: QueuedJob; queue: WriteQueue } | null {
  const index = nextIndex(queue.waiting, openings);
  const entry = queue.waiting[index];
  if (entry === undefined) return null;
  return {
    entry,
    queue: { waiting: queue.waiting.toSpliced(index, 1), bytes: queue.bytes - entry.job.bytes },
  };
}

function nextIndex(
  waiting: readonly QueuedJob[],
  { laneOf, busyLanes, historyToo }: Openings,
): number {
  /** The first of each lane that is free: nothing else may go. */
  const heads = new Map<string, number>();
  for (const [index, entry] of waiting.entries()) {
    const lane = laneOf(entry);
    if (busyLanes.has(lane)) continue;
    if (!heads.has(lane)) heads.set(lane, index);
    // Live work behind history of its own thread takes that history along.
    if (entry.job.priority === 'live') return heads.get(lane) ?? index;
  }
  const [oldest] = heads.values();
  return historyToo && oldest !== undefined ? oldest : -1;
}
