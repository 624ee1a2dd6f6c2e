/** What the sessions watcher is told, what it keeps in mind, and what it says of itself. */
import type { DoneActorEvent, ErrorActorEvent } from 'xstate';
import type { WatchStatusFrame } from '../control/frames.ts';
import type {
  ControlRequestEvent,
  ConvexLinkEvent,
  ShutdownEvent,
  WriterReply,
} from './protocol.ts';
import type { ImportCommand, ImportJob } from './backfill-events.ts';
import type { DiscoveryEvent, FileCounts, SetAsideLine, TailEvent } from './sessions-events.ts';

export interface SessionsInput {
  /** Codex's directory of sessions; it need not be there yet. */
  root: string;
  /** Whether to watch at all; a client may change it. */
  enabled: boolean;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** The lines that were set aside last, the newest first. */
  setAside: () => SetAsideLine[];
}

export type SessionsEvent =
  | ConvexLinkEvent
  | ControlRequestEvent
  | WriterReply
  | DiscoveryEvent
  | TailEvent
  | ImportCommand
  | ShutdownEvent
  /** From itself: the next status may be broadcast. */
  | { type: 'announcement.cooled' }
  | DoneActorEvent
  | ErrorActorEvent;

export interface SessionsContext extends SessionsInput {
  /** Of the backfill, whose files go before other history. */
  job: ImportJob | null;
  /** Somebody has cancelled the import of what was found at the start. */
  leavesFound: boolean;
  /** Dotted, as in the protocol. */
  state: string;
  /** When that state was entered; milliseconds since the epoch. */
  since: number;
  counts: FileCounts;
  inserted: number;
  known: number;
  lastError: string | null;
  /** Of parts of this machine: tails that crashed, and scans that failed. */
  restarts: number;
  /** `cooling`: one was broadcast just now. `due`: and the state has changed since. */
  announcement: 'none' | 'cooling' | 'due';
}

const NO_FILES: FileCounts = {
  known: 0,
  behind: 0,
  tailing: 0,
  reading: 0,
  quarantined: 0,
  bytesRead: 0,
  bytesPending: 0,
  rejected: 0,
  lastEventAt: null,
  degraded: null,
};

export function initialContext(input: SessionsInput): SessionsContext {
  return {
    ...input,
    job: null,
    leavesFound: false,
    state: 'disabled',
    since: input.now(),
    counts: NO_FILES,
    inserted: 0,
    known: 0,
    lastError: null,
    restarts: 0,
    announcement: 'none',
  };
}

/** The status for one who asks: also with the lines that were set aside last. */
export function detailedStatus(context: SessionsContext): WatchStatusFrame {
  return { ...watchStatus(context), setAside: context.setAside() };
}

/** The status as clients see it in broadcasts. */
export function watchStatus(context: SessionsContext): WatchStatusFrame {
  const { counts } = context;
  return {
    type: 'bridge.sessions_watch_status',
    enabled: context.enabled,
    state: context.state,
    root: context.root,
    files: {
      known: counts.known,
      tailing: counts.tailing,
      behind: counts.behind,
      quarantined: counts.quarantined,
    },
    bytes: { read: counts.bytesRead, pending: counts.bytesPending },
    items: { inserted: context.inserted, known: context.known, rejected: counts.rejected },
    lastEventAt: counts.lastEventAt,
    lastError: context.lastError,
    degraded: counts.degraded,
    restarts: context.restarts,
    since: context.since,
  };
}
