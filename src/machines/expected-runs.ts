/**
 * The runs whose items the writer sees twice, pure: in their stream, and in the
 * session file that belongs to the same thread.
 */
import type { RunSightingEvent, WriteJob } from './protocol.ts';
import type { QueuedJob } from './write-queue.ts';

export interface ExpectedRun {
  runId: string;
  threadId: string;
  /** Unknown for a run of an earlier life whose thread has no directory. */
  cwd?: string;
  /** Milliseconds since the epoch. */
  startedAt: number;
  /** Codex's id of its session; absent until Codex has told it. */
  resumeId?: string;
  ended: boolean;
  /** Whether anything of its session file has come by. */
  fileSeen: boolean;
  /** Whether the rows that its file lacks have been declared final. */
  settled: boolean;
}

export type ExpectedRuns = Readonly<Record<string, ExpectedRun>>;

/** Ended runs that are remembered, in case their file is read late. */
const MAX_ENDED_RUNS = 200;

export function withSighting(runs: ExpectedRuns, event: RunSightingEvent): ExpectedRuns {
  const known = runs[event.runId];
  switch (event.type) {
    case 'run.expected': {
      const { type: _, ...facts } = event;
      return {
        ...runs,
        [event.runId]: { fileSeen: false, settled: false, ...known, ...facts, ended: false },
      };
    }
    case 'run.session':
      return known ? { ...runs, [event.runId]: { ...known, resumeId: event.resumeId } } : runs;
    case 'run.ended':
      return known ? withoutOldest({ ...runs, [event.runId]: { ...known, ended: true } }) : runs;
    default:
      return event satisfies never;
  }
}

/** Adds what Convex still knows of an earlier life; what is known now stays. */
export function withRecalled(runs: ExpectedRuns, recalled: readonly ExpectedRun[]): ExpectedRuns {
  return withoutOldest({ ...Object.fromEntries(recalled.map((run) => [run.runId, run])), ...runs });
}

/** Notes that the session file of these runs is being read. */
export function withFileSeen(runs: ExpectedRuns, resumeId: string | undefined): ExpectedRuns {
  const seen = runsOfSession(runs, resumeId).filter((run) => !run.fileSeen);
  if (seen.length === 0) return runs;
  return {
    ...runs,
    ...Object.fromEntries(seen.map((run) => [run.runId, { ...run, fileSeen: true }])),
  };
}

export function withSettled(
  runs: ExpectedRuns,
  runId: string | undefined,
  settled = true,
): ExpectedRuns {
  const run = runs[runId ?? ''];
  return run ? { ...runs, [run.runId]: { ...run, settled } } : runs;
}

export function runsOfSession(runs: ExpectedRuns, resumeId: string | undefined): ExpectedRun[] {
  if (resumeId === undefined) return [];
  return Object.values(runs).filter((run) => run.resumeId === resumeId);
}

/**
 * A session that may be that of a run whose Codex has not told its id yet: written
 * now, it would become a second thread beside the run's own.
 */
export function mustWait(runs: ExpectedRuns, job: WriteJob): boolean {
  const { cwd, resumeId, threadId, createdAt } = job.thread;
  if (job.origin !== 'file' || threadId !== undefined || cwd === undefined) return false;
  if (runsOfSession(runs, resumeId).length > 0) return false;
  return Object.values(runs).some(
    (run) =>
      run.resumeId === undefined &&
      !run.ended &&
      run.cwd === cwd &&
      (createdAt ?? run.startedAt) >= run.startedAt,
  );
}

/** The job with its thread named, where a run says whose session it is. */
export function withThread(runs: ExpectedRuns, job: WriteJob): WriteJob {
  const [run] = runsOfSession(runs, job.thread.resumeId);
  if (run === undefined || job.thread.threadId !== undefined) return job;
  return { ...job, thread: { ...job.thread, threadId: run.threadId } };
}

/** What must not be written side by side: one thread, by whichever id it is known. */
export function laneOf(runs: ExpectedRuns, { job }: QueuedJob): string {
  const { threadId, resumeId, rolloutPath } = job.thread;
  return (
    threadId ?? runsOfSession(runs, resumeId)[0]?.threadId ?? resumeId ?? rolloutPath ?? job.id
  );
}

function withoutOldest(runs: ExpectedRuns): ExpectedRuns {
  const ended = Object.values(runs).filter((run) => run.ended);
  if (ended.length <= MAX_ENDED_RUNS) return runs;
  const oldestFirst = ended.toSorted((one, other) => one.startedAt - other.startedAt);
  return oldestFirst
    .slice(0, ended.length - MAX_ENDED_RUNS)
    .reduce((kept, run) => withoutRun(kept, run.runId), runs);
}

function withoutRun(runs: ExpectedRuns, runId: string): ExpectedRuns {
  const { [runId]: _, ...others } = runs;
  return others;
}

/** Nothing says that a row is final without the run's file, unless there is no file. */
export function maySettle(run: ExpectedRun): boolean {
  return run.ended && !run.settled && (run.resumeId === undefined || run.fileSeen);
}

/** Gives the rows that nobody confirmed their final keys. */
export function settlingJob(run: ExpectedRun): QueuedJob {
  const job: WriteJob = {
    id: `settle-${run.runId}`,
    origin: 'run',
    priority: 'live',
    thread: { threadId: run.threadId, source: 'bridge' },
    items: [],
    bytes: 0,
  };
  return { job, from: null, settles: run.runId };
}
