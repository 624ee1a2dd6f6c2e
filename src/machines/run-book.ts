/** All runs that the bridge knows of: those that wait, those that go on, and the last that ended. Pure. */
import type { RunFrame, RunState } from '../control/frames.ts';
import type { ApprovalMode, SandboxMode } from '../control/modes.ts';
import type { OpenRun, RunFacts, RunOutcome } from './run-events.ts';

/**
 * waiting  in the queue
 * active   prepared, running or being ended: it takes one of the places
 * left     it went on in an earlier life; what became of it is being found out
 * ended    kept for whoever asks
 */
export type RunPhase = 'waiting' | 'active' | 'left' | 'ended';

export interface RunEntry {
  phase: RunPhase;
  frame: RunFrame;
  /** Whether Convex has listed its row as open: one that is not listed any more is over. */
  listed?: true;
  /** What the writer was told to expect, so that it can be told again. */
  expected?: { cwd: string; startedAt: number };
}

/** By run id, in the order in which the runs came. */
export type RunBook = Readonly<Record<string, RunEntry>>;

/** Ended runs that are remembered. */
const MAX_ENDED = 500;

/** Listed when no limit is asked for. */
const USUAL_RUNS = 50;

export function withRun(
  book: RunBook,
  run: OpenRun,
  threadId: string | undefined,
  usual: RunPolicy,
): RunBook {
  const { runId, threadDocId, createdAt, model } = run;
  const frame: RunFrame = {
    type: 'bridge.run',
    runId,
    threadDocId,
    state: 'queued',
    ...(threadId === undefined ? {} : { threadId }),
    ...(model === undefined ? {} : { model }),
    ...policyOf(run, usual),
    createdAt,
    since: createdAt,
  };
  return { ...book, [runId]: { phase: 'waiting', frame } };
}

/** What a run may do. */
export interface RunPolicy {
  sandbox: SandboxMode;
  approvals: ApprovalMode;
}

/** As the request says, else as is usual here. */
export function policyOf(
  { sandbox, approvals }: Pick<OpenRun, 'sandbox' | 'approvals'>,
  usual: RunPolicy,
): RunPolicy {
  return { sandbox: sandbox ?? usual.sandbox, approvals: approvals ?? usual.approvals };
}

export function withPhase(book: RunBook, runId: string, phase: RunPhase): RunBook {
  return changed(book, runId, (entry) => ({ ...entry, phase }));
}

export function withState(
  book: RunBook,
  runId: string,
  state: RunState,
  facts: RunFacts,
  now: number,
): RunBook {
  return changed(book, runId, (entry) => ({
    ...entry,
    frame: {
      ...withoutHolder(entry.frame),
      ...facts,
      state,
      since: entry.frame.state === state ? entry.frame.since : now,
    },
  }));
}

/** It is known that it is open in Convex. */
export function withListed(book: RunBook, runId: string): RunBook {
  return book[runId]?.listed ? book : changed(book, runId, (entry) => ({ ...entry, listed: true }));
}

export function withExpected(
  book: RunBook,
  runId: string,
  expected: NonNullable<RunEntry['expected']>,
): RunBook {
  return changed(book, runId, (entry) => ({ ...entry, expected }));
}

export function withOutcome(book: RunBook, outcome: RunOutcome, now: number): RunBook {
  const { runId, state, exitCode, error, usage } = outcome;
  const next = changed(book, runId, (entry) => ({
    ...entry,
    phase: 'ended',
    frame: {
      ...withoutHolder(entry.frame),
      state,
      exitCode,
      ...(error ? { error } : {}),
      ...(usage ? { usage } : {}),
      endedAt: now,
      since: now,
    },
  }));
  const ended = Object.values(next).filter(({ phase }) => phase === 'ended');
  const forgotten = new Set(
    ended.slice(0, Math.max(0, ended.length - MAX_ENDED)).map(({ frame }) => frame.runId),
  );
  return forgotten.size === 0
    ? next
    : Object.fromEntries(Object.entries(next).filter(([id]) => !forgotten.has(id)));
}

/** Whose turn it is: the oldest of each thread that has none going on, while there are places. */
export function nextToStart(book: RunBook, places: number): RunEntry[] {
  const active = inPhase(book, 'active');
  // One that waits for its session does nothing; when that is free, it goes on beside the others.
  const taken = active.filter(({ frame }) => frame.state !== 'waiting').length;
  const busy = new Set([...active, ...inPhase(book, 'left')].map(({ frame }) => frame.threadDocId));
  const starting: RunEntry[] = [];
  for (const entry of inPhase(book, 'waiting')) {
    if (taken + starting.length >= places) break;
    if (busy.has(entry.frame.threadDocId)) continue;
    busy.add(entry.frame.threadDocId);
    starting.push(entry);
  }
  return starting;
}

/** Oldest first. */
export function inPhase(book: RunBook, phase: RunPhase): RunEntry[] {
  return Object.values(book)
    .filter((entry) => entry.phase === phase)
    .toSorted((one, other) => one.frame.createdAt - other.frame.createdAt);
}

/** The run that a request names; without a name the newest that goes on, else that waits. */
export function runNamed(
  book: RunBook,
  { runId, threadDocId }: { runId?: string | undefined; threadDocId?: string | undefined },
): RunEntry | undefined {
  if (runId !== undefined) return book[runId];
  const fits = ({ frame }: RunEntry) =>
    threadDocId === undefined ||
    frame.threadDocId === threadDocId ||
    frame.threadId === threadDocId;
  return inPhase(book, 'active').findLast(fits) ?? inPhase(book, 'waiting').findLast(fits);
}

/** Newest first. */
export function listed(
  book: RunBook,
  { state, limit = USUAL_RUNS }: { state?: string | undefined; limit?: number | undefined },
): Omit<RunFrame, 'type'>[] {
  return Object.values(book)
    .map(({ frame }) => {
      const { type: _, ...fields } = frame;
      return fields;
    })
    .filter((fields) => state === undefined || fields.state === state)
    .toSorted((one, other) => other.createdAt - one.createdAt)
    .slice(0, limit);
}

function withoutHolder(frame: RunFrame): RunFrame {
  const { holder: _, ...others } = frame;
  return others;
}

function changed(book: RunBook, runId: string, change: (entry: RunEntry) => RunEntry): RunBook {
  const entry = book[runId];
  return entry === undefined ? book : { ...book, [runId]: change(entry) };
}
