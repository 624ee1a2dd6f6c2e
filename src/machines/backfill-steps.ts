/** What the backfill does within one turn. Nothing here may throw: see `sessions-steps.ts`. */
import { raise, setup, stopChild, type AnyActorRef } from 'xstate';
import type { ControlError } from '../control/frames.ts';
import { toBridgeError, type ErrorCode } from '../errors.ts';
import type { ImportCommand } from './backfill-events.ts';
import {
  backfillFrameOf,
  NO_PROGRESS,
  waitingFrame,
  type BackfillContext,
  type BackfillEvent,
  type BackfillInput,
  type Job,
} from './backfill-status.ts';
import { withSample } from './import-rate.ts';
import { promisePort } from './port.ts';
import { SYSTEM, type GatewayCommand } from './protocol.ts';

/** Milliseconds between broadcasts of progress: four a second look steady. */
const PROGRESS_INTERVAL = 250;
const COOLING = 'cooling';
/** The ids of the actors that forget a job begin so; the id of the job follows. */
const FORGETTING = 'forgetting:';

export const backfillSetup = setup({
  types: {
    context: {} as BackfillContext,
    events: {} as BackfillEvent,
    input: {} as BackfillInput,
  },
  actors: {
    /**
     * Looks at the path of the job, and keeps the job over restarts. Resolves with the job, its
     * path by its one name; rejects with `path_missing`, `path_refused`, or whatever kept it
     * from being written down.
     */
    openJob: promisePort<Job, Job>('openJob'),
    forgetJob: promisePort<void>('forgetJob'),
  },
});

/** What XState hands to an action. */
export type Turn = Parameters<Parameters<typeof backfillSetup.enqueueActions>[0]>[0];

/** A new job; that of the start, if it goes on, waits until this one has ended. */
export function takeRequest(turn: Turn): void {
  const { context, event, enqueue } = turn;
  if (event.type !== 'control.request' || event.request.control !== 'convex.backfill') return;
  const { job, progress, state } = context;
  const goesOn = state === 'scanning' || state === 'importing' || state === 'paused';
  const waiting = job?.kind === 'startup' && goesOn ? { job, progress } : null;
  if (waiting !== null) {
    const frame = waitingFrame({ ...context, waiting }, 'paused');
    toGateway(turn, { type: 'broadcast', frame });
  }
  const { limit, since, path } = event.request;
  enqueue.assign({
    job: {
      id: context.createId(),
      kind: 'request',
      selection: {
        ...(limit === undefined ? {} : { limit }),
        ...(since === undefined ? {} : { since }),
        ...(path === undefined ? {} : { path }),
      },
      startedAt: context.now(),
    },
    requestId: event.requestId,
    progress: NO_PROGRESS,
    samples: [],
    lastError: null,
    waiting,
  });
}

export function answerOpened(turn: Turn): void {
  const { context, event, enqueue } = turn;
  if (!('output' in event)) return;
  // XState types the output of any child as unknown; only `openJob` ends here.
  const job = event.output as Job;
  enqueue.assign({ job, requestId: null });
  answer(turn, context.requestId, { ...context, job });
}

export function answerRefused(turn: Turn): void {
  const { context, event, enqueue } = turn;
  if (!('error' in event)) return;
  const { code, message } = toBridgeError(event.error);
  enqueue.assign({ requestId: null });
  if (context.requestId === null) return;
  refuse(turn, context.requestId, { code: CONTROL_CODE[code] ?? 'internal', message });
}

export function answerConflict(turn: Turn): void {
  const { context, event } = turn;
  if (event.type !== 'control.request' || context.job === null) return;
  const { id } = context.job;
  const message = `The backfill ${id} is not over; wait for it, or cancel it.`;
  refuse(turn, event.requestId, { code: 'conflict', message, jobId: id });
}

export function answerUnknown(turn: Turn): void {
  const { event } = turn;
  if (event.type !== 'control.request') return;
  const message = 'No backfill with this id goes on.';
  refuse(turn, event.requestId, { code: 'not_found', message });
}

export function answerStatus(turn: Turn): void {
  if (turn.event.type === 'control.request') answer(turn, turn.event.requestId, turn.context);
}

/** Says to the watcher which files go first. What belongs to the start, it knows itself. */
export function beginImport(turn: Turn): void {
  const { job } = turn.context;
  if (job?.kind !== 'request') return;
  const { id, selection } = job;
  toSessions(turn, { type: 'import.begin', job: { id, selection } });
}

export function endImport(turn: Turn): void {
  const { job, state } = turn.context;
  if (job?.kind === 'request') toSessions(turn, { type: 'import.end', jobId: job.id });
  else if (state === 'cancelled') toSessions(turn, { type: 'import.leave' });
}

/** Of a job that has ended no restart shall know. Who cancelled it hears so when that is certain. */
export function forgetJob({ context, event, enqueue }: Turn): void {
  const { job } = context;
  // That of the start is not written down; only who cancels it waits to hear so.
  if (job === null || (job.kind === 'startup' && event.type !== 'control.request')) return;
  const actorId = FORGETTING + job.id;
  if (event.type === 'control.request') {
    const { requestId } = event;
    enqueue.assign({
      owed: [...context.owed, { actorId, requestId, frame: backfillFrameOf(context) }],
    });
  }
  enqueue.spawnChild('forgetJob', { id: actorId });
}

/** Who cancelled the job is answered, whether it could be forgotten or not. */
export function answerCancelled(turn: Turn): void {
  const { context, event, enqueue } = turn;
  if (!('actorId' in event) || !event.actorId.startsWith(FORGETTING)) return;
  const { actorId } = event;
  enqueue(stopChild(actorId));
  enqueue.assign({ owed: context.owed.filter((owed) => owed.actorId !== actorId) });
  const owed = context.owed.find((candidate) => candidate.actorId === actorId);
  if (owed === undefined) return;
  const { requestId, frame } = owed;
  if (!('error' in event)) return toGateway(turn, { type: 'control.reply', requestId, frame });
  const message = `It is cancelled now, but that could not be written down, and it will go on after a restart: ${toBridgeError(event.error).message}`;
  refuse(turn, requestId, { code: 'internal', message });
}

export function cancelWaiting(turn: Turn): void {
  const { context, event, enqueue } = turn;
  if (event.type !== 'control.request') return;
  const frame = waitingFrame(context, 'cancelled');
  toGateway(turn, { type: 'control.reply', requestId: event.requestId, frame });
  toGateway(turn, { type: 'broadcast', frame });
  toSessions(turn, { type: 'import.leave' });
  enqueue.assign({ waiting: null });
}

export function count({ context, event, enqueue }: Turn): void {
  if (event.type !== 'import.counted') return;
  const { progress } = event;
  const sample = { at: context.now(), bytes: progress.bytes.done };
  enqueue.assign({ progress, samples: withSample(context.samples, sample) });
}

/** Every file is read, or has failed. */
export function isOver(event: BackfillEvent): boolean {
  if (event.type !== 'import.counted') return false;
  const { total, done, failed } = event.progress.files;
  return done + failed >= total;
}

/** And nothing more for a moment, except a change of the state. */
export function broadcastNow(turn: Turn): void {
  const { context, enqueue } = turn;
  toGateway(turn, { type: 'broadcast', frame: backfillFrameOf(context) });
  enqueue.cancel(COOLING);
  enqueue(raise({ type: 'announcement.cooled' }, { id: COOLING, delay: PROGRESS_INTERVAL }));
  enqueue.assign({ announcement: 'cooling' });
}

const CONTROL_CODE: Partial<Record<ErrorCode, ControlError['code']>> = {
  path_missing: 'not_found',
  path_refused: 'invalid_request',
};

function answer(turn: Turn, requestId: string | null, context: BackfillContext): void {
  if (requestId === null) return;
  toGateway(turn, { type: 'control.reply', requestId, frame: backfillFrameOf(context) });
}

function refuse(turn: Turn, requestId: string, error: ControlError): void {
  toGateway(turn, { type: 'control.failed', requestId, error });
}

/** As `tell`: dropped while the watcher restarts; it says `sessions.started`. */
function toSessions({ system, enqueue }: Turn, command: ImportCommand): void {
  const sessions: AnyActorRef | undefined = system.get(SYSTEM.sessions);
  if (sessions !== undefined) enqueue.sendTo(sessions, command);
}

/** As `tell`: dropped while the gateway restarts; whoever asked asks again. */
function toGateway({ system, enqueue }: Turn, command: GatewayCommand): void {
  const gateway: AnyActorRef | undefined = system.get(SYSTEM.gateway);
  if (gateway !== undefined) enqueue.sendTo(gateway, command);
}
