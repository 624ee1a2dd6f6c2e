/**
 * What the sessions watcher does within one turn. Nothing here may throw: an action
 * that throws takes its machine down and leaves the children running.
 */
import { setup, stopChild, type AnyActorRef, type EventObject } from 'xstate';
import type { ControlError } from '../control/frames.ts';
import { toBridgeError } from '../errors.ts';
import { callbackPort, promisePort } from './port.ts';
import { SYSTEM, type GatewayCommand } from './protocol.ts';
import type { ImportEvent } from './backfill-events.ts';
import type { DiscoveryCommand, DiscoveryInput } from './sessions-events.ts';
import {
  detailedStatus,
  type SessionsContext,
  type SessionsEvent,
  type SessionsInput,
} from './sessions-status.ts';
import { tail } from './tail.ts';

export const DISCOVERY = 'discovery';
/** The ids of tails begin so; the path below the root follows. */
const TAIL = 'tail:';
/** So begin those of files in the archive, beside the root; the whole path follows. */
const ARCHIVED_TAIL = 'tail@';
/** The ids of savings begin so; the id of the request follows. */
const SAVING = 'saving:';

export const sessionsSetup = setup({
  types: {
    context: {} as SessionsContext,
    events: {} as SessionsEvent,
    input: {} as SessionsInput,
  },
  actors: {
    /** Knows all files, and says which is due. */
    discovery: callbackPort<DiscoveryCommand, DiscoveryInput>('discovery'),
    tail,
    /** Keeps the choice over restarts. */
    saveChoice: promisePort<void, { enabled: boolean }>('saveChoice'),
  },
});

/** What XState hands to an action. */
export type Turn = Parameters<Parameters<typeof sessionsSetup.enqueueActions>[0]>[0];

export function isTail(actorId: string): boolean {
  return actorId.startsWith(TAIL) || actorId.startsWith(ARCHIVED_TAIL);
}

export function isSaving(actorId: string): boolean {
  return actorId.startsWith(SAVING);
}

/** Starts a tail for the file that is due, or wakes the one it has. */
export function readFile(turn: Turn): void {
  const { context, event, enqueue } = turn;
  if (event.type !== 'file.due') return;
  const { path, live } = event;
  const id = tailId(context, path);
  const existing = childOf(turn, id);
  if (existing === undefined) enqueue.spawnChild('tail', { id, input: { id, path, live } });
  else enqueue.sendTo(existing, { type: 'tail.read', live });
}

export function retireTail(turn: Turn): void {
  const { context, event } = turn;
  if (event.type === 'file.retired')
    toChild(turn, tailId(context, event.path), { type: 'tail.retire' });
}

/** Ends a tail whatever it is at; what the writer has in hand it writes all the same. */
export function dropFile(turn: Turn): void {
  const { context, event, enqueue } = turn;
  if (event.type !== 'file.dropped') return;
  const id = tailId(context, event.path);
  if (childOf(turn, id) === undefined) return;
  enqueue(stopChild(id));
  toDiscovery(turn, { type: 'tail.ended', path: event.path, reason: 'quiet' });
}

/** Takes a tail that has ended out of the list, and tells discovery that its place is free. */
export function dropTail(turn: Turn): void {
  const { context, event, enqueue } = turn;
  if (!('actorId' in event)) return;
  enqueue(stopChild(event.actorId));
  const path = tailPath(context, event.actorId);
  // XState types the output of any child as unknown; only a tail has such an id.
  const reason =
    'error' in event ? 'crashed' : (event.output as { reason: 'deleted' | 'quiet' }).reason;
  toDiscovery(turn, { type: 'tail.ended', path, reason });
}

/** Whatever the writer says goes to the tail whose job it was; a job id is `<tail>#<number>`. */
export function routeReply(turn: Turn): void {
  const { event } = turn;
  if (event.type === 'writer.started') {
    for (const id of Object.keys(childrenOf(turn))) if (isTail(id)) toChild(turn, id, event);
  } else if (event.type === 'write.done' || event.type === 'write.failed') {
    const id = event.jobId.slice(0, event.jobId.lastIndexOf('#'));
    toChild(turn, id, event);
    if (event.type === 'write.failed') return;
    const { inserted, claimed, known } = event.result;
    const path = tailPath(turn.context, id);
    toDiscovery(turn, { type: 'tail.wrote', path, inserted: inserted + claimed, known });
  }
}

/** Ends discovery and all tails; what the writer has in hand it writes all the same. */
export function stopReading(turn: Turn): void {
  for (const id of Object.keys(childrenOf(turn))) {
    if (id === DISCOVERY || isTail(id)) turn.enqueue(stopChild(id));
  }
}

export function rememberError({ event, enqueue }: Turn): void {
  if ('error' in event) enqueue.assign({ lastError: toBridgeError(event.error).message });
  else if (event.type === 'tail.failed') enqueue.assign({ lastError: event.message });
}

export function saveChoice(turn: Turn): void {
  const { event, enqueue } = turn;
  if (event.type !== 'control.request' || event.request.control !== 'sessions.watch') return;
  const { enabled } = event.request;
  enqueue.assign({ enabled });
  enqueue.spawnChild('saveChoice', { id: SAVING + event.requestId, input: { enabled } });
}

/** Answers the request whose choice was saved, or could not be. */
export function answerSaved(turn: Turn): void {
  const { context, event, enqueue } = turn;
  if (!('actorId' in event)) return;
  enqueue(stopChild(event.actorId));
  const requestId = event.actorId.slice(SAVING.length);
  if (!('error' in event)) {
    toGateway(turn, { type: 'control.reply', requestId, frame: detailedStatus(context) });
    return;
  }
  const error: ControlError = {
    code: 'internal',
    message: `Watching is ${context.enabled ? 'on' : 'off'} now, but the choice could not be saved and will be forgotten with a restart: ${toBridgeError(event.error).message}`,
  };
  toGateway(turn, { type: 'control.failed', requestId, error });
}

export function answerStatus(turn: Turn): void {
  const { context, event } = turn;
  if (event.type !== 'control.request') return;
  const { requestId } = event;
  toGateway(turn, { type: 'control.reply', requestId, frame: detailedStatus(context) });
}

export function toDiscovery(turn: Turn, command: DiscoveryCommand): void {
  toChild(turn, DISCOVERY, command);
}

/** As `tell`: dropped while the backfill restarts; it says again what it wants. */
export function toBackfill({ system, enqueue }: Turn, event: ImportEvent): void {
  const backfill: AnyActorRef | undefined = system.get(SYSTEM.backfill);
  if (backfill !== undefined) enqueue.sendTo(backfill, event);
}

/** As `tell`: dropped while the gateway restarts; whoever asked asks again. */
export function toGateway({ system, enqueue }: Turn, command: GatewayCommand): void {
  const gateway: AnyActorRef | undefined = system.get(SYSTEM.gateway);
  if (gateway !== undefined) enqueue.sendTo(gateway, command);
}

function toChild(turn: Turn, id: string, event: EventObject): void {
  const child = childOf(turn, id);
  if (child !== undefined) turn.enqueue.sendTo(child, event);
}

function childOf(turn: Turn, id: string): AnyActorRef | undefined {
  return childrenOf(turn)[id];
}

/**
 * By names that the types do not know: tails are as many as there are files. There are
 * none where the machine is only computed, by XState's own tools, and does not live.
 */
function childrenOf({ self }: Turn): Partial<Record<string, AnyActorRef>> {
  const { children }: { children?: Partial<Record<string, AnyActorRef>> } = self.getSnapshot();
  return children ?? {};
}

/** The path is in it, so that two files of one name have two tails. */
function tailId({ root }: SessionsContext, path: string): string {
  const isBelow = path.startsWith(root) && /^[\\/]/.test(path.slice(root.length));
  return isBelow ? TAIL + path.slice(root.length) : ARCHIVED_TAIL + path;
}

function tailPath({ root }: SessionsContext, id: string): string {
  return id.startsWith(TAIL) ? root + id.slice(TAIL.length) : id.slice(ARCHIVED_TAIL.length);
}
