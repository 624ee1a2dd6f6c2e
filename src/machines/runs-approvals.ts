/** What the keeper of all runs does about approvals, and about words for runs that go on. */
import type { ApprovalFrame } from '../control/frames.ts';
import type { ControlRequest } from '../control/requests.ts';
import { toBridgeError } from '../errors.ts';
import { decided } from './approvals.ts';
import { SYSTEM, type ControlRequestEvent } from './protocol.ts';
import type { RunReport } from './run-events.ts';
import type { AnsweredApproval, RunsContext } from './runs-events.ts';
import { childId, post, refuse, reply, unknownRun, type Turn } from './runs-steps.ts';

type Approvals = RunsContext['approvals'];
type Request<Verb extends ControlRequest['control']> = Extract<ControlRequest, { control: Verb }>;

/** Decided approvals that are remembered, for whoever answers too late. */
const MAX_DECIDED = 200;

export function listApprovals(turn: Turn, requestId: string): void {
  const items = openIn(turn.context.approvals).map((approval) => {
    const { type: _, ...fields } = approval;
    return fields;
  });
  reply(turn, requestId, { type: 'bridge.approvals', items });
}

export function answerApproval(
  turn: Turn,
  { requestId, clientId }: ControlRequestEvent,
  { approvalId, decision }: Request<'approval.answer'>,
): void {
  const { approvals, now } = turn.context;
  const approval = approvals[approvalId];
  if (approval === undefined) {
    refuse(turn, requestId, { code: 'not_found', message: 'There is no such approval.' });
    return;
  }
  if (approval.state !== 'open') {
    const { state, decidedBy, decision: taken } = approval;
    const by = decidedBy === undefined ? '' : ` ("${taken}", by ${decidedBy})`;
    refuse(turn, requestId, { code: 'conflict', message: `It is ${state} already${by}.` });
    return;
  }
  const decidedBy = clientId;
  const frame = {
    ...approval,
    ...decided(approval, { state: 'answered', decision, decidedBy }, now()),
  };
  // At once, so that the next client that answers in this moment is told.
  turn.enqueue.assign({ approvals: { ...approvals, [approvalId]: frame } });
  handOn(turn, approval.runId, { approvalId, decision, decidedBy });
  reply(turn, requestId, frame);
}

/** What apps have answered in Convex. */
export function takeAnswers(turn: Turn, answers: readonly AnsweredApproval[]): void {
  for (const answer of answers) {
    const approval = turn.context.approvals[answer.approvalId];
    if (approval?.state === 'open') handOn(turn, approval.runId, answer);
  }
}

export function noteApproval(
  turn: Turn,
  { approval }: Extract<RunReport, { type: 'run.approval' }>,
): void {
  const { context, enqueue } = turn;
  const entry = context.book[approval.runId];
  if (entry === undefined) return;
  const { threadDocId, threadId } = entry.frame;
  const frame: ApprovalFrame = {
    ...approval,
    type: 'bridge.approval',
    threadDocId,
    ...(threadId === undefined ? {} : { threadId }),
  };
  enqueue.assign({ approvals: remembered(context.approvals, [frame]) });
  publish(turn, [frame]);
}

/** The run has ended, in whatever way: nobody waits for an answer. */
export function withdrawLeft(turn: Turn, runId: string): void {
  const { approvals, now } = turn.context;
  const left = openIn(approvals)
    .filter((approval) => approval.runId === runId)
    .map((approval) => ({ ...approval, ...decided(approval, { state: 'withdrawn' }, now()) }));
  if (left.length === 0) return;
  turn.enqueue.assign({ approvals: remembered(approvals, left) });
  publish(turn, left);
}

/** What is recorded may have changed while it was on its way. */
export function noteRecorded(turn: Turn, approvalId: string, state: unknown): void {
  const { context, enqueue } = turn;
  enqueue.stopChild(recorderId(approvalId));
  const { [approvalId]: newest, ...others } = context.unrecorded;
  if (newest !== undefined && newest.state !== state) record(turn, newest);
  else enqueue.assign({ unrecorded: others });
}

export function noteUnrecorded(turn: Turn, approvalId: string, thrown: unknown): void {
  const { context, enqueue } = turn;
  const error = toBridgeError(thrown);
  enqueue.stopChild(recorderId(approvalId));
  enqueue.assign({ lastError: error.message });
  if (error.retryable) {
    enqueue.raise({ type: 'record.retry', approvalId }, { delay: 'SETTLE_RETRY' });
    return;
  }
  const { [approvalId]: _, ...others } = context.unrecorded;
  enqueue.assign({ unrecorded: others });
}

export function recordAgain(turn: Turn, approvalId: string): void {
  const newest = turn.context.unrecorded[approvalId];
  if (newest !== undefined) record(turn, newest);
}

export function steer(turn: Turn, requestId: string, { runId, text }: Request<'run.steer'>): void {
  const entry = turn.context.book[runId];
  if (entry === undefined) {
    refuse(turn, requestId, unknownRun);
  } else if (entry.phase === 'active') {
    turn.enqueue.sendTo(childId(runId), { type: 'run.steer', requestId, text });
  } else {
    const message = entry.phase === 'ended' ? 'The run has ended.' : 'The run has not begun.';
    refuse(turn, requestId, { code: 'conflict', message });
  }
}

export function noteSteered(
  turn: Turn,
  { runId, requestId, error }: Extract<RunReport, { type: 'run.steered' }>,
): void {
  const entry = turn.context.book[runId];
  if (error !== undefined) refuse(turn, requestId, { code: 'conflict', message: error });
  else if (entry !== undefined) reply(turn, requestId, entry.frame);
}

function recorderId(approvalId: string): string {
  return `approval-${approvalId}`;
}

function handOn(turn: Turn, runId: string, answer: AnsweredApproval): void {
  if (turn.context.book[runId]?.phase !== 'active') return;
  turn.enqueue.sendTo(childId(runId), { type: 'approval.answer', ...answer });
}

function publish(turn: Turn, frames: readonly ApprovalFrame[]): void {
  const { unrecorded } = turn.context;
  for (const frame of frames) {
    post(turn, SYSTEM.gateway, { type: 'broadcast', frame });
    if (!(frame.approvalId in unrecorded)) record(turn, frame);
  }
  turn.enqueue.assign({
    unrecorded: { ...unrecorded, ...Object.fromEntries(frames.map((f) => [f.approvalId, f])) },
  });
}

function record(turn: Turn, frame: ApprovalFrame): void {
  const id = recorderId(frame.approvalId);
  turn.enqueue.spawnChild('recordApproval', { id, input: frame });
}

function openIn(approvals: Approvals): ApprovalFrame[] {
  return Object.values(approvals).filter(({ state }) => state === 'open');
}

function remembered(approvals: Approvals, frames: readonly ApprovalFrame[]): Approvals {
  const all = { ...approvals, ...Object.fromEntries(frames.map((f) => [f.approvalId, f])) };
  const closed = Object.values(all).filter(({ state }) => state !== 'open');
  const forgotten = new Set(
    closed.slice(0, Math.max(0, closed.length - MAX_DECIDED)).map(({ approvalId }) => approvalId),
  );
  return Object.fromEntries(Object.entries(all).filter(([id]) => !forgotten.has(id)));
}
