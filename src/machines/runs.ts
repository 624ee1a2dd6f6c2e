/**
 * The keeper of all runs: takes them from clients and from Convex, lets one at a time
 * go on in each thread and so many over all, and tells everyone what becomes of them.
 *
 * recovering          ending the Codex processes that a killed bridge has left
 * serving.idle        nothing to enqueue
 * serving.submitting  writing one submitted run into Convex; the others wait in order
 * stopping            runs that go on are interrupted, at most STOP_LIMIT; those that wait stay rows
 * stopped             final
 */
import type { ControlError } from '../control/frames.ts';
import { BridgeError, toBridgeError } from '../errors.ts';
import { SYSTEM } from './protocol.ts';
import { inPhase, listed, runNamed, withOutcome, withRun, withState } from './run-book.ts';
import type { RunOutcome } from './run-events.ts';
import { acknowledged, emptyOutbox } from './run-outbox.ts';
import type { RunsContext, RunsEvent, RunsSummary, Submitted } from './runs-events.ts';
import {
  answerApproval,
  listApprovals,
  noteApproval,
  noteRecorded,
  noteSteered,
  noteUnrecorded,
  recordAgain,
  steer,
  takeAnswers,
  withdrawLeft,
} from './runs-approvals.ts';
import {
  admit,
  failedRun,
  noteAlive,
  noteChange,
  noteEnd,
  noteJudged,
  notePlan,
  noteSession,
  noteSettled,
  noteUnsettled,
  refuse,
  reply,
  runsSetup,
  settleAgain,
  startDue,
  stopAll,
  takeOpenRuns,
  tellWriterAgain,
  childId,
  unknownRun,
  writePieces,
  writePrinted,
  post,
  type Turn,
} from './runs-steps.ts';
import { fromPrompt, fromRequest } from './submit-request.ts';

const { assign, enqueueActions } = runsSetup;

type On<Type extends RunsEvent['type']> = Extract<RunsEvent, { type: Type }>;

/** A step that is only ever taken on one kind of event. */
function on<Type extends RunsEvent['type']>(
  type: Type,
  step: (turn: Turn, event: On<Type>) => void,
) {
  return enqueueActions((turn) => {
    // The machine names the action under this event alone.
    if (turn.event.type === type) step(turn, turn.event as On<Type>);
  });
}

const machine = runsSetup.extend({
  actions: {
    askForConvex: enqueueActions((turn) =>
      post(turn, SYSTEM.convex, { type: 'convex.state?', from: SYSTEM.runs }),
    ),
    noteOnline: assign({ online: true }),
    noteOffline: assign({ online: false }),
    takeRequest: on('control.request', takeRequest),
    takePrompt: on('prompt.submitted', (turn, { requestId, prompt }) =>
      submitLater(turn, requestId, () => fromPrompt(prompt, turn.context)),
    ),
    refuseRequest: enqueueActions((turn) => {
      if ('requestId' in turn.event) refuse(turn, turn.event.requestId, restarting);
    }),
    takeOpenRuns: on('rows.open', (turn, { runs }) => takeOpenRuns(turn, runs)),
    noteChange: on('run.changed', noteChange),
    noteAlive: on('run.alive', noteAlive),
    noteJudged: enqueueActions((turn) => {
      const runId = idBehind('left-', turn.event);
      if (runId === null) return;
      const { event } = turn;
      // The output of `judgeLeft`.
      if ('output' in event) noteJudged(turn, event.output as RunOutcome);
    }),
    noteEdited: enqueueActions((turn) => {
      const requestId = idBehind('edit-', turn.event);
      const { event } = turn;
      // The output of `edit`.
      if (requestId !== null && 'output' in event)
        noteEdited(turn, requestId, event.output as BridgeError | null);
    }),
    notePlan: on('run.planned', notePlan),
    noteSession: on('run.sessionKnown', noteSession),
    writePrinted: on('run.printed', writePrinted),
    writePieces: on('run.streamed', writePieces),
    noteApproval: on('run.approval', noteApproval),
    noteSteered: on('run.steered', noteSteered),
    takeAnswers: on('rows.answered', (turn, { answers }) => takeAnswers(turn, answers)),
    withdrawLeft: enqueueActions((turn) => {
      const runId = idBehind('run-', turn.event);
      if (runId !== null) withdrawLeft(turn, runId);
    }),
    noteRecorded: enqueueActions((turn) => {
      const approvalId = idBehind('approval-', turn.event);
      // The output of `recordApproval`.
      if (approvalId !== null && 'output' in turn.event)
        noteRecorded(turn, approvalId, turn.event.output);
    }),
    noteUnrecorded: enqueueActions((turn) => {
      const approvalId = idBehind('approval-', turn.event);
      if (approvalId !== null) noteUnrecorded(turn, approvalId, errorOf(turn.event));
    }),
    recordAgain: on('record.retry', (turn, { approvalId }) => recordAgain(turn, approvalId)),
    tellWriterAgain: enqueueActions(tellWriterAgain),
    acknowledge: assign(({ context, event }) =>
      'jobId' in event ? { outbox: acknowledged(context.outbox, event.jobId) } : {},
    ),
    noteRefusal: assign(({ event }) => ({ lastError: toBridgeError(errorOf(event)).message })),
    startDue: enqueueActions((turn) => {
      turn.enqueue.assign({ book: startDue(turn, turn.context.book) });
    }),
    noteEnd: enqueueActions((turn) => {
      const runId = idBehind('run-', turn.event);
      if (runId === null) return;
      const { event } = turn;
      // The output of `codexRun`, which XState does not type for a wildcard.
      noteEnd(
        turn,
        'output' in event ? (event.output as RunOutcome) : failedRun(runId, errorOf(event)),
      );
    }),
    noteSettled: enqueueActions((turn) => {
      const runId = idBehind('settle-', turn.event);
      if (runId !== null) noteSettled(turn, runId);
    }),
    noteUnsettled: enqueueActions((turn) => {
      const runId = idBehind('settle-', turn.event);
      if (runId !== null) noteUnsettled(turn, runId, errorOf(turn.event));
    }),
    settleAgain: on('settle.retry', (turn, { runId }) => settleAgain(turn, runId)),
    accept: enqueueActions((turn) => {
      // The output of `submit`.
      if ('output' in turn.event) accept(turn, turn.event.output as Submitted);
    }),
    refuseSubmission: enqueueActions((turn) => {
      const [first, ...submissions] = turn.context.submissions;
      if (first === undefined) return;
      // Without an error in the event it took too long.
      refuse(turn, first.requestId, controlErrorOf(errorOf(turn.event) ?? overdue));
      turn.enqueue.assign({ submissions });
    }),
    stopAll: enqueueActions(stopAll),
  },
  guards: {
    hasSubmission: ({ context }) => context.submissions.length > 0,
    isOfRun: ({ event }) => idBehind('run-', event) !== null,
    isOfJudging: ({ event }) => idBehind('left-', event) !== null,
    isOfEditing: ({ event }) => idBehind('edit-', event) !== null,
    isOfSettling: ({ event }) => idBehind('settle-', event) !== null,
    isOfRecording: ({ event }) => idBehind('approval-', event) !== null,
    isQuiet: ({ context }) =>
      inPhase(context.book, 'active').length === 0 && Object.keys(context.unsettled).length === 0,
  },
});

const restarting: ControlError = {
  code: 'unavailable',
  message: 'The bridge is just starting or ending; try again in a moment.',
};

const overdue = new BridgeError('convex_unavailable', 'it did not answer in time');

/** What is done when a child has ended. */
const childEnds = {
  'xstate.done.actor.*': [
    { guard: 'isOfRun', actions: ['withdrawLeft', 'noteEnd', 'startDue'] },
    { guard: 'isOfJudging', actions: ['noteJudged', 'startDue'] },
    { guard: 'isOfEditing', actions: 'noteEdited' },
    { guard: 'isOfSettling', actions: 'noteSettled' },
    { guard: 'isOfRecording', actions: 'noteRecorded' },
  ],
  'xstate.error.actor.*': [
    { guard: 'isOfRun', actions: ['withdrawLeft', 'noteEnd', 'startDue'] },
    { guard: 'isOfSettling', actions: 'noteUnsettled' },
    { guard: 'isOfRecording', actions: 'noteUnrecorded' },
  ],
} as const;

/** The same while all is being ended: what was not judged yet is left to the next start. */
const lastChildEnds = {
  'xstate.done.actor.*': [
    { guard: 'isOfRun', actions: ['withdrawLeft', 'noteEnd'] },
    { guard: 'isOfSettling', actions: 'noteSettled' },
    { guard: 'isOfRecording', actions: 'noteRecorded' },
  ],
  'xstate.error.actor.*': [
    { guard: 'isOfRun', actions: ['withdrawLeft', 'noteEnd'] },
    { guard: 'isOfSettling', actions: 'noteUnsettled' },
    { guard: 'isOfRecording', actions: 'noteUnrecorded' },
  ],
} as const;

export const runs = machine.createMachine({
  id: 'runs',
  context: ({ input }) => ({
    ...input,
    book: {},
    outbox: emptyOutbox(String(input.now())),
    submissions: [],
    unsettled: {},
    edits: {},
    approvals: {},
    unrecorded: {},
    lastSessions: { byThread: {}, byDirectory: {} },
    promptThreads: {},
    lastThreadDocId: null,
    online: false,
    lastError: null,
  }),
  entry: 'askForConvex',
  invoke: { src: 'progress', id: 'progress' },
  initial: 'recovering',
  on: {
    'convex.online': { actions: 'noteOnline' },
    'convex.offline': { actions: 'noteOffline' },
    'control.request': { actions: 'refuseRequest' },
    'prompt.submitted': { actions: 'refuseRequest' },
    'run.changed': { actions: 'noteChange' },
    'run.alive': { actions: 'noteAlive' },
    'run.planned': { actions: 'notePlan' },
    'run.sessionKnown': { actions: 'noteSession' },
    'run.printed': { actions: 'writePrinted' },
    'run.streamed': { actions: 'writePieces' },
    'run.approval': { actions: 'noteApproval' },
    'run.steered': { actions: 'noteSteered' },
    'writer.started': { actions: 'tellWriterAgain' },
    'write.done': { actions: 'acknowledge' },
    'write.failed': { actions: ['acknowledge', 'noteRefusal'] },
    'settle.retry': { actions: 'settleAgain' },
    'record.retry': { actions: 'recordAgain' },
  },
  states: {
    recovering: {
      invoke: { src: 'settleProcesses', onDone: 'serving', onError: 'serving' },
      on: { shutdown: 'stopped' },
    },
    serving: {
      invoke: [
        {
          src: 'openRuns',
          id: 'openRuns',
          input: ({ context }) => ({ machineId: context.machineId }),
        },
        { src: 'approvalAnswers', id: 'approvalAnswers' },
      ],
      initial: 'idle',
      on: {
        shutdown: 'stopping',
        'control.request': { actions: 'takeRequest' },
        'prompt.submitted': { actions: 'takePrompt' },
        'rows.open': { actions: 'takeOpenRuns' },
        'rows.answered': { actions: 'takeAnswers' },
        ...childEnds,
      },
      states: {
        idle: { always: { guard: 'hasSubmission', target: 'submitting' } },
        submitting: {
          invoke: {
            src: 'submit',
            id: 'submit',
            input: ({ context }) => submissionAt(context),
            onDone: { target: 'idle', actions: ['accept', 'startDue'] },
            onError: { target: 'idle', actions: 'refuseSubmission' },
          },
          after: { SUBMIT_LIMIT: { target: 'idle', actions: 'refuseSubmission' } },
        },
      },
    },
    stopping: {
      entry: 'stopAll',
      on: lastChildEnds,
      always: { guard: 'isQuiet', target: 'stopped' },
      after: { STOP_LIMIT: 'stopped' },
    },
    stopped: { type: 'final' },
  },
});

/** For `bridge.status`. */
export function runsSummary({ book, lastThreadDocId }: RunsContext): RunsSummary {
  return {
    active: inPhase(book, 'active').length,
    queued: inPhase(book, 'waiting').length,
    lastThreadId: lastThreadDocId,
  };
}

function takeRequest(turn: Turn, event: On<'control.request'>): void {
  const { requestId, request } = event;
  const { book, machineId } = turn.context;
  switch (request.control) {
    case 'run.submit':
      submitLater(turn, requestId, () => fromRequest(request, machineId));
      return;
    case 'run.status': {
      const entry = book[request.runId];
      if (entry === undefined) refuse(turn, requestId, unknownRun);
      else reply(turn, requestId, entry.frame);
      return;
    }
    case 'runs.list':
      reply(turn, requestId, { type: 'bridge.runs', items: listed(book, request) });
      return;
    case 'interrupt':
      interrupt(turn, requestId, request);
      return;
    case 'run.edit':
      edit(turn, requestId, request);
      return;
    case 'run.steer':
      steer(turn, requestId, request);
      return;
    case 'approvals.list':
      listApprovals(turn, requestId);
      return;
    case 'approval.answer':
      answerApproval(turn, event, request);
      return;
    default:
      refuse(turn, requestId, {
        code: 'unknown_control',
        message: `"${request.control}" is not answered here.`,
      });
  }
}

function submitLater(
  turn: Turn,
  requestId: string,
  wanted: () => RunsContext['submissions'][number]['wanted'],
): void {
  const { context, enqueue } = turn;
  if (!context.online) {
    refuse(turn, requestId, controlErrorOf(new BridgeError('convex_unavailable', '')));
    return;
  }
  enqueue.assign({ submissions: [...context.submissions, { requestId, wanted: wanted() }] });
}

function interrupt(
  turn: Turn,
  requestId: string,
  target: { runId?: string | undefined; threadDocId?: string | undefined },
): void {
  const entry = runNamed(turn.context.book, target);
  if (entry === undefined) {
    refuse(turn, requestId, unknownRun);
    return;
  }
  const { frame, phase } = entry;
  if (phase === 'ended' || phase === 'left') {
    reply(turn, requestId, frame);
    return;
  }
  turn.enqueue.sendTo(childId(frame.runId), {
    type: 'run.interrupt',
    reason: 'a client asked for it',
  });
  // What it becomes at once; how it ended comes as a broadcast.
  reply(turn, requestId, {
    ...frame,
    state: phase === 'waiting' ? 'interrupted' : 'interrupting',
  });
}

function edit(
  turn: Turn,
  requestId: string,
  { runId, text }: { runId: string; text: string },
): void {
  const { context, enqueue } = turn;
  const entry = context.book[runId];
  if (entry === undefined) {
    refuse(turn, requestId, unknownRun);
  } else if (entry.phase !== 'waiting') {
    refuse(turn, requestId, controlErrorOf(new BridgeError('run_begun', '')));
  } else {
    const { threadDocId } = entry.frame;
    enqueue.spawnChild('edit', {
      id: `edit-${requestId}`,
      input: { run: { runId, threadDocId }, text },
    });
    enqueue.assign({ edits: { ...context.edits, [requestId]: runId } });
  }
}

function noteEdited(turn: Turn, requestId: string, error: BridgeError | null): void {
  const { context, enqueue } = turn;
  enqueue.stopChild(`edit-${requestId}`);
  const { [requestId]: runId, ...edits } = context.edits;
  enqueue.assign({ edits });
  const entry = context.book[runId ?? ''];
  if (error !== null) refuse(turn, requestId, controlErrorOf(error));
  else if (entry === undefined) refuse(turn, requestId, unknownRun);
  else reply(turn, requestId, entry.frame);
}

function accept(turn: Turn, { run, threadId, outcome }: Submitted): void {
  const { context, enqueue } = turn;
  const [first, ...submissions] = context.submissions;
  if (first === undefined) return;
  const { runId, threadDocId } = run;
  // Its row may have been seen before the answer to the mutation.
  const isKnown = runId in context.book;
  const { state = 'queued' } = context.book[runId]?.frame ?? {};
  const book = isKnown
    ? withState(context.book, runId, state, { threadId }, context.now())
    : outcome === undefined
      ? admit(turn, context.book, run, threadId)
      : withOutcome(
          withRun(context.book, run, threadId, context.usualPolicy),
          outcome,
          context.now(),
        );
  const entry = book[runId];
  if (entry !== undefined) reply(turn, first.requestId, entry.frame);
  const cwd = 'docId' in first.wanted.thread ? undefined : first.wanted.thread.cwd;
  enqueue.assign({
    submissions,
    book,
    lastThreadDocId: threadDocId,
    ...(cwd === undefined
      ? {}
      : { promptThreads: { ...context.promptThreads, [cwd]: threadDocId } }),
  });
}

function submissionAt({ submissions, machineId }: RunsContext) {
  return submissions[0]?.wanted ?? { machineId, thread: {}, text: '' };
}

/** What a client is told. */
function controlErrorOf(thrown: unknown): ControlError {
  const { code, message, retryable } = toBridgeError(thrown);
  switch (code) {
    case 'thread_unknown':
    case 'project_unknown':
      return { code: 'not_found', message };
    case 'receipt_reused':
    case 'run_begun':
      return { code: 'conflict', message };
    case 'convex_rejected':
      return { code: 'invalid_request', message };
    default:
      return { code: retryable ? 'unavailable' : 'internal', message };
  }
}

/** The run that a child with this kind of id belongs to, or null for another child. */
function idBehind(prefix: string, event: RunsEvent): string | null {
  if (!('actorId' in event) || !event.actorId.startsWith(prefix)) return null;
  return event.actorId.slice(prefix.length);
}

function errorOf(event: RunsEvent): unknown {
  return 'error' in event ? event.error : undefined;
}
