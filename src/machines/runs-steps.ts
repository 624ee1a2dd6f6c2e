/**
 * What the keeper of all runs does within one turn. Nothing here may throw: an action
 * that throws takes its machine down, and every run with it.
 */
import { setup, type EventObject } from 'xstate';
import { titleOf } from '../codex/title.ts';
import type { ThreadPatch } from '../codex/thread-item.ts';
import type { ApprovalFrame, ControlError, ReplyFrame } from '../control/frames.ts';
import { toBridgeError, type BridgeError } from '../errors.ts';
import { codexRun } from './codex-run.ts';
import { callbackPort, promisePort } from './port.ts';
import {
  SYSTEM,
  type ConvexStateQuery,
  type GatewayCommand,
  type PiecesEvent,
  type RunSightingEvent,
  type SystemId,
  type WriterCommand,
} from './protocol.ts';
import {
  inPhase,
  nextToStart,
  withExpected,
  withListed,
  withOutcome,
  withPhase,
  withRun,
  withState,
  type RunBook,
  type RunEntry,
} from './run-book.ts';
import type { OpenRun, RunOutcome, RunReport } from './run-events.ts';
import { posted } from './run-outbox.ts';
import type {
  EditInput,
  ProgressEvent,
  RunsContext,
  RunsEvent,
  RunsInput,
  Submitted,
  SubmitInput,
} from './runs-events.ts';

export const runsSetup = setup({
  types: {
    context: {} as RunsContext,
    events: {} as RunsEvent,
    input: {} as RunsInput,
  },
  actors: {
    codexRun,
    /** Finds or makes the thread, and writes the run's row and its prompt. */
    submit: promisePort<Submitted, SubmitInput>('submit'),
    /** Writes into Convex how a run ended. */
    settleRow: promisePort<void, RunOutcome>('settleRow'),
    /** Says why it was not done: `run_begun` when it is too late. Never rejects. */
    edit: promisePort<BridgeError | null, EditInput>('edit'),
    /** What became of a run that went on in an earlier life, as its file shows. Never rejects. */
    judgeLeft: promisePort<RunOutcome, OpenRun>('judgeLeft'),
    /** Writes into Convex how far runs have come. */
    progress: callbackPort<ProgressEvent>('progress'),
    /** Sends `rows.open`. */
    openRuns: callbackPort<EventObject, { machineId: string }>('openRuns'),
    /** Writes into Convex what has become of an approval; says which state it has written. */
    recordApproval: promisePort<ApprovalFrame['state'], ApprovalFrame>('recordApproval'),
    /** Sends `rows.answered`. */
    approvalAnswers: callbackPort<EventObject>('approvalAnswers'),
    /** Ends the Codex processes of an earlier life. */
    settleProcesses: promisePort<{ ended: string[] }>('settleProcesses'),
  },
  delays: {
    /** Two mutations take milliseconds; a client that waits longer is told. */
    SUBMIT_LIMIT: 15_000,
    /** While Convex is away; it loses nothing but time. */
    SETTLE_RETRY: 3_000,
    /** The hurried ladder of a run takes 3 s; the whole bridge ends within 10 s. */
    STOP_LIMIT: 3_500,
  },
});

/** What XState hands to an action. */
export type Turn = Parameters<Parameters<typeof runsSetup.enqueueActions>[0]>[0];

export function childId(runId: string): string {
  return `run-${runId}`;
}

export const unknownRun: ControlError = {
  code: 'not_found',
  message: 'There is no such run among those that this bridge remembers.',
};

export function reply(turn: Turn, requestId: string, frame: ReplyFrame): void {
  post(turn, SYSTEM.gateway, { type: 'control.reply', requestId, frame });
}

export function refuse(turn: Turn, requestId: string, error: ControlError): void {
  post(turn, SYSTEM.gateway, { type: 'control.failed', requestId, error });
}

type Posted = GatewayCommand | WriterCommand | PiecesEvent | RunSightingEvent | ConvexStateQuery;

/** To a sibling that may just be restarting: then it is dropped, and asked for again. */
export function post({ system, enqueue }: Turn, target: SystemId, event: Posted): void {
  const ref = system.get(target);
  if (ref !== undefined) enqueue.sendTo(ref, event);
}

/** Takes a run into the book, with an actor of its own. */
export function admit(turn: Turn, book: RunBook, run: OpenRun, threadId?: string): RunBook {
  turn.enqueue.spawnChild('codexRun', {
    id: childId(run.runId),
    input: { run, now: turn.context.now },
  });
  const next = withRun(book, run, threadId, turn.context.usualPolicy);
  announce(turn, next, run.runId);
  return next;
}

/** Starts whatever can go on now. */
export function startDue({ context, enqueue }: Turn, book: RunBook): RunBook {
  const { byThread, byDirectory } = context.lastSessions;
  return nextToStart(book, context.maxRuns).reduce((next, { frame }) => {
    const ofThread = byThread[frame.threadDocId];
    enqueue.sendTo(childId(frame.runId), {
      type: 'run.start',
      lastSessions: { byDirectory, ...(ofThread === undefined ? {} : { ofThread }) },
    });
    return withPhase(next, frame.runId, 'active');
  }, book);
}

/** Rows that are not over: new ones are taken, those of an earlier life are closed. */
export function takeOpenRuns(turn: Turn, rows: readonly OpenRun[]): void {
  const { context, enqueue } = turn;
  let book = context.book;
  for (const run of rows.toSorted((one, other) => one.createdAt - other.createdAt)) {
    const isMine = run.machineId === context.machineId;
    if (run.runId in book) {
      book = withListed(book, run.runId);
      heed(turn, book, run);
      continue;
    }
    if (!(isMine || (run.status === 'pending' && run.machineId === undefined))) continue;
    if (run.status === 'pending') {
      book = withListed(admit(turn, book, run), run.runId);
      continue;
    }
    // Until it is judged, nothing else goes on in its thread.
    book = withPhase(withRun(book, run, undefined, context.usualPolicy), run.runId, 'left');
    // The writer may have been told to expect it, by a keeper that has failed since.
    post(turn, SYSTEM.writer, { type: 'run.ended', runId: run.runId });
    enqueue.spawnChild('judgeLeft', { id: `left-${run.runId}`, input: run });
  }
  if (rows.length < ALL_ROWS) dismissGone(turn, book, rows);
  enqueue.assign({ book: startDue(turn, book) });
}

/** More rows than Convex lists at once: then one that is not listed may be there all the same. */
const ALL_ROWS = 500;

/** What its row says of a run that is known. */
function heed({ enqueue, context }: Turn, book: RunBook, row: OpenRun): void {
  const entry = book[row.runId];
  if (entry?.phase === 'waiting') {
    const isOthers = row.status === 'processing' && row.machineId !== context.machineId;
    if (isOthers) enqueue.sendTo(childId(row.runId), { type: 'run.gone' });
  } else if (entry?.phase === 'active' && row.cancelled && !isBeingEnded(entry)) {
    enqueue.sendTo(childId(row.runId), { type: 'run.interrupt', reason: 'an app asked for it' });
  }
}

function isBeingEnded({ frame }: RunEntry): boolean {
  return frame.state === 'interrupting';
}

/** Withdrawn in Convex, or ended by somebody else, while they waited here. */
function dismissGone({ enqueue }: Turn, book: RunBook, rows: readonly OpenRun[]): void {
  const open = new Set(rows.map(({ runId }) => runId));
  for (const { frame, listed } of inPhase(book, 'waiting')) {
    if (listed && !open.has(frame.runId)) {
      enqueue.sendTo(childId(frame.runId), { type: 'run.gone' });
    }
  }
}

/** What became of a run of an earlier life. Its child had no say in it. */
export function noteJudged(turn: Turn, outcome: RunOutcome): void {
  turn.enqueue.stopChild(`left-${outcome.runId}`);
  noteEnd(turn, outcome);
}

export function noteChange(turn: Turn, report: Extract<RunReport, { type: 'run.changed' }>): void {
  const { context, enqueue } = turn;
  const { runId, state, facts } = report;
  const book = withState(context.book, runId, state, facts, context.now());
  enqueue.assign({ book });
  announce(turn, book, runId);
}

/** Nothing has changed but when it was seen. */
export function noteAlive(turn: Turn, report: Extract<RunReport, { type: 'run.alive' }>): void {
  const { context, enqueue } = turn;
  const { runId, facts } = report;
  const state = context.book[runId]?.frame.state;
  if (state === undefined) return;
  const book = withState(context.book, runId, state, facts, context.now());
  enqueue.assign({ book });
  writeProgress(turn, book, runId);
}

export function notePlan(turn: Turn, report: Extract<RunReport, { type: 'run.planned' }>): void {
  const { plan, startedAt } = report;
  const { runId, threadId, cwd, model, prompt, resumeId, projectId } = plan;
  const book = withExpected(turn.context.book, runId, { cwd, startedAt });
  const expected: RunSightingEvent = {
    type: 'run.expected',
    runId,
    threadId,
    cwd,
    startedAt,
    ...(resumeId === undefined ? {} : { resumeId }),
  };
  post(turn, SYSTEM.writer, expected);
  const title = titleOf(prompt);
  write(turn, {
    threadId,
    source: 'bridge',
    cwd,
    ...(model === undefined ? {} : { model }),
    ...(projectId === undefined ? {} : { projectId }),
    ...(title === undefined ? {} : { title: { text: title, source: 'prompt' } }),
  });
  turn.enqueue.assign({ book });
}

export function noteSession(
  turn: Turn,
  { runId, resumeId }: Extract<RunReport, { type: 'run.sessionKnown' }>,
): void {
  const { context, enqueue } = turn;
  const entry = context.book[runId];
  if (entry === undefined) return;
  post(turn, SYSTEM.writer, { type: 'run.session', runId, resumeId });
  write(turn, { ...threadOf(entry), resumeId });
  const { byThread, byDirectory } = context.lastSessions;
  const cwd = entry.expected?.cwd;
  enqueue.assign({
    lastSessions: {
      byThread: { ...byThread, [entry.frame.threadDocId]: resumeId },
      byDirectory: cwd === undefined ? byDirectory : { ...byDirectory, [cwd]: resumeId },
    },
  });
}

export function writePrinted(
  turn: Turn,
  { runId, items, bytes }: Extract<RunReport, { type: 'run.printed' }>,
): void {
  const entry = turn.context.book[runId];
  if (entry !== undefined) write(turn, threadOf(entry), items, bytes);
}

/** Nobody waits for them: a writer that is just restarting gets the next ones. */
export function writePieces(
  turn: Turn,
  { threadId, pieces }: Extract<RunReport, { type: 'run.streamed' }>,
): void {
  post(turn, SYSTEM.writer, { type: 'write.pieces', threadId, pieces });
}

/** A writer that has just started knows of nothing. */
export function tellWriterAgain(turn: Turn): void {
  for (const { frame, expected } of inPhase(turn.context.book, 'active')) {
    if (expected === undefined || frame.threadId === undefined) continue;
    post(turn, SYSTEM.writer, {
      type: 'run.expected',
      runId: frame.runId,
      threadId: frame.threadId,
      ...expected,
      ...(frame.resumeId === undefined ? {} : { resumeId: frame.resumeId }),
    });
  }
  for (const job of turn.context.outbox.jobs) submitJob(turn, job);
}

/** A run has come to its end, or its actor has failed. */
export function noteEnd(turn: Turn, outcome: RunOutcome): void {
  const { context, enqueue } = turn;
  const { runId } = outcome;
  enqueue.stopChild(childId(runId));
  const entry = context.book[runId];
  if (entry === undefined) return;
  if (entry.expected !== undefined) {
    post(turn, SYSTEM.writer, { type: 'run.ended', runId });
  }
  const book = withOutcome(context.book, outcome, context.now());
  announce(turn, book, runId);
  if (!outcome.taken) {
    enqueue.spawnChild('settleRow', { id: `settle-${runId}`, input: outcome });
    enqueue.assign({ unsettled: { ...context.unsettled, [runId]: outcome } });
  }
  enqueue.assign({ book });
}

export function noteSettled(turn: Turn, runId: string): void {
  const { [runId]: _, ...unsettled } = turn.context.unsettled;
  turn.enqueue.stopChild(`settle-${runId}`);
  turn.enqueue.assign({ unsettled });
}

export function noteUnsettled(turn: Turn, runId: string, thrown: unknown): void {
  const { enqueue } = turn;
  const error = toBridgeError(thrown);
  if (!error.retryable) {
    noteSettled(turn, runId);
    enqueue.assign({ lastError: error.message });
    return;
  }
  enqueue.stopChild(`settle-${runId}`);
  enqueue.assign({ lastError: error.message });
  enqueue.raise({ type: 'settle.retry', runId }, { delay: 'SETTLE_RETRY' });
}

export function settleAgain({ context, enqueue }: Turn, runId: string): void {
  const outcome = context.unsettled[runId];
  if (outcome === undefined) return;
  enqueue.spawnChild('settleRow', { id: `settle-${runId}`, input: outcome });
}

/** The bridge ends: what goes on is ended; what waits stays a row for the next start. */
export function stopAll({ context, enqueue }: Turn): void {
  for (const { frame } of inPhase(context.book, 'waiting')) {
    enqueue.stopChild(childId(frame.runId));
  }
  for (const { frame } of inPhase(context.book, 'active')) {
    enqueue.sendTo(childId(frame.runId), {
      type: 'run.interrupt',
      reason: 'the bridge was stopped',
      hurry: true,
    });
  }
}

export function failedRun(runId: string, thrown: unknown): RunOutcome {
  const { code, message } = toBridgeError(thrown);
  return { runId, state: 'failed', exitCode: null, signal: null, error: { code, message } };
}

function announce(turn: Turn, book: RunBook, runId: string): void {
  const entry = book[runId];
  if (entry === undefined) return;
  post(turn, SYSTEM.gateway, { type: 'broadcast', frame: entry.frame });
  writeProgress(turn, book, runId);
}

function writeProgress({ enqueue }: Turn, book: RunBook, runId: string): void {
  const entry = book[runId];
  if (entry?.phase === 'active') {
    enqueue.sendTo('progress', { type: 'progress.note', frame: entry.frame });
  }
}

function threadOf({ frame }: RunEntry): ThreadPatch {
  const { threadId = frame.threadDocId, resumeId } = frame;
  return { threadId, source: 'bridge', ...(resumeId === undefined ? {} : { resumeId }) };
}

function write(
  turn: Turn,
  thread: ThreadPatch,
  items: Parameters<typeof posted>[2] = [],
  bytes = 0,
): void {
  const { outbox, job } = posted(turn.context.outbox, thread, items, bytes);
  turn.enqueue.assign({ outbox });
  if (job !== null) submitJob(turn, job);
}

function submitJob(turn: Turn, job: NonNullable<ReturnType<typeof posted>['job']>): void {
  post(turn, SYSTEM.writer, { type: 'write.submit', job, from: SYSTEM.runs });
}
