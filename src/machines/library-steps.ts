/**
 * What the watcher of projects or skills does within one turn. Nothing here may throw: an
 * action that throws takes its machine down and leaves the children running.
 */
import {
  setup,
  stopChild,
  type AnyActorRef,
  type DoneActorEvent,
  type ErrorActorEvent,
} from 'xstate';
import type { ControlError } from '../control/frames.ts';
import type { ControlRequest } from '../control/requests.ts';
import { toBridgeError, type ErrorCode } from '../errors.ts';
import type {
  FolderChangesCommand,
  FolderChangesEvent,
  LibraryAnswer,
  LibrarySync,
} from './library-events.ts';
import { callbackPort, promisePort } from './port.ts';
import {
  SYSTEM,
  type ControlRequestEvent,
  type ConvexLinkEvent,
  type GatewayCommand,
  type ShutdownEvent,
  type SystemId,
} from './protocol.ts';

export interface LibraryInput {
  /** Its own name in the system. */
  id: Extract<SystemId, 'projects' | 'skills'>;
  enabled: boolean;
}

export interface LibraryContext extends LibraryInput {
  items: number;
  problems: number;
  /** Rows since the start. */
  written: number;
  removed: number;
  /** Files changed while nobody could look, or while they were being read. */
  again: boolean;
  /** Why changes are seen late; null while the kernel tells. */
  degraded: string | null;
  lastError: string | null;
}

export type LibraryEvent =
  | ConvexLinkEvent
  | ControlRequestEvent
  | FolderChangesEvent
  | ShutdownEvent
  | DoneActorEvent
  | ErrorActorEvent;

/** The ids of answers begin so; the id of the request follows. */
const ANSWER = 'answer:';
const CHANGES = 'changes';

export const librarySetup = setup({
  types: {
    context: {} as LibraryContext,
    events: {} as LibraryEvent,
    input: {} as LibraryInput,
  },
  actors: {
    /** Says when something in the folders changed. */
    changes: callbackPort<FolderChangesCommand>('changes'),
    /** Reads all files, and makes Convex equal to them. */
    sync: promisePort<LibrarySync, { fresh: boolean }>('sync'),
    /** Does what a verb asks for. */
    answer: promisePort<LibraryAnswer, ControlRequest>('answer'),
  },
});

/** What XState hands to an action. */
type Turn = Parameters<Parameters<typeof librarySetup.enqueueActions>[0]>[0];

export function startWatching({ enqueue }: Turn): void {
  enqueue(stopChild(CHANGES));
  enqueue.spawnChild('changes', { id: CHANGES });
}

export function stopWatching({ enqueue }: Turn): void {
  enqueue(stopChild(CHANGES));
}

export function noteSync(turn: Turn, sync: LibrarySync): void {
  const { context, enqueue, self } = turn;
  enqueue.assign({
    items: sync.items,
    problems: sync.problems,
    written: context.written + sync.written,
    removed: context.removed + sync.removed,
    lastError: null,
  });
  // None where the machine is only computed, by XState's own tools, and does not live.
  const { children }: { children?: Partial<Record<string, AnyActorRef>> } = self.getSnapshot();
  const changes = children?.[CHANGES];
  if (changes !== undefined) {
    enqueue.sendTo(changes, { type: 'folders.watch', folders: sync.folders });
  }
  if (sync.news !== null) toGateway(turn, { type: 'broadcast', frame: sync.news });
}

export function isAnswer(actorId: string): boolean {
  return actorId.startsWith(ANSWER);
}

export function startAnswer({ event, enqueue }: Turn): void {
  if (event.type !== 'control.request') return;
  enqueue.spawnChild('answer', { id: ANSWER + event.requestId, input: event.request });
}

export function reply(turn: Turn): void {
  const { event, enqueue } = turn;
  if (!('actorId' in event)) return;
  enqueue(stopChild(event.actorId));
  const requestId = event.actorId.slice(ANSWER.length);
  if ('error' in event) {
    const error = controlError(event.error);
    toGateway(turn, { type: 'control.failed', requestId, error });
    return;
  }
  // XState types the output of any child as unknown; only an answer has such an id.
  const { frame, changed } = event.output as LibraryAnswer;
  toGateway(turn, { type: 'control.reply', requestId, frame });
  // Not left to the kernel: whoever saved wants to see it.
  if (changed) enqueue.raise({ type: 'library.changed' });
}

/** As `tell`: dropped while the gateway restarts; whoever asked asks again. */
function toGateway({ system, enqueue }: Turn, command: GatewayCommand): void {
  const gateway: AnyActorRef | undefined = system.get(SYSTEM.gateway);
  if (gateway !== undefined) enqueue.sendTo(gateway, command);
}

const CODES: Partial<Record<ErrorCode, ControlError['code']>> = {
  project_invalid: 'invalid_request',
  working_directory_refused: 'invalid_request',
  project_unknown: 'not_found',
  library_unreadable: 'unavailable',
};

function controlError(thrown: unknown): ControlError {
  const { code, message } = toBridgeError(thrown);
  return { code: CODES[code] ?? 'internal', message };
}
