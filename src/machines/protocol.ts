/**
 * The events that actors of different machines send one another. An actor is
 * found by its systemId (`SYSTEM`), never by reaching into a parent.
 */
import type { PromptFrame } from '../control/parse-frame.ts';
import type { ControlRequest } from '../control/requests.ts';
import type { Broadcast, ControlError, ReplyFrame } from '../control/frames.ts';
import type { StreamedPiece } from '../codex/app-server/growing-item.ts';
import type { ThreadItem, ThreadPatch } from '../codex/thread-item.ts';
import type { BridgeError } from '../errors.ts';

/** The singletons of the tree, by the name under which `machines.list` shows them. */
export const SYSTEM = {
  convex: 'convex',
  writer: 'writer',
  sessions: 'sessions',
  backfill: 'backfill',
  runs: 'runs',
  gateway: 'gateway',
  messages: 'messages',
  projects: 'projects',
  skills: 'skills',
  verifier: 'verifier',
  registry: 'registry',
} as const;
export type SystemId = (typeof SYSTEM)[keyof typeof SYSTEM];

/** Where the reading of one session file stands; a row of the table `cursors`. */
export interface FileCursor {
  path: string;
  /** SHA-256, hex, of the first 256 bytes (or of what there is). */
  fingerprint: string;
  /** Hints only: both are reused by file systems. Decimal strings (64 bit). */
  device: string;
  inode: string;
  /** Bytes consumed; always just behind a newline. */
  offset: number;
  /** SHA-256, hex, of the up to 1 KiB before `offset`: shows a rewrite. */
  tailHash: string;
  /** Rises by one each time the file was found rewritten or truncated. */
  generation: number;
  resumeId?: string;
  threadId?: string;
  quarantine: QuarantinedLine[];
  parserVersion: number;
  /** The file was found to be gone. */
  deleted?: true;
}

export type CursorPlace = Pick<FileCursor, 'path' | 'generation' | 'offset' | 'tailHash'>;

/** A line that could not be understood: counted, shown, and tried again by a newer parser. */
export interface QuarantinedLine {
  offset: number;
  length: number;
  sha256: string;
  reason: string;
  parserVersion: number;
}

/** One transaction's worth of work for the writer. */
export interface WriteJob {
  /** Unique in the process; the acknowledgement carries it. */
  id: string;
  /** `run`: seen in a run's stream. `file`: read from its session file. */
  origin: 'run' | 'file';
  /** Live work overtakes history. */
  priority: 'live' | 'history';
  thread: ThreadPatch;
  items: ThreadItem[];
  /** How many items, the first ones, were read before their file said in which directory it works. */
  withoutDirectory?: number;
  cursor?: FileCursor;
  /** The stored cursor as the sender knows it; absent: there is none. If another is stored, `cursor` does not move. */
  after?: CursorPlace;
  /** Rough size, for bounding what is in memory. */
  bytes: number;
}

export interface WriteResult {
  threadDocId: string;
  threadId: string;
  inserted: number;
  known: number;
  claimed: number;
  /** Items that Convex refused for what they are; the rest of the job is in. */
  rejected: { key: string; reason: string }[];
  /** Only if the cursor did not move: the one that is stored; null where none is. */
  stored?: FileCursor | null;
}

/** To the writer. The sender names itself, is answered once, and sends again when the writer restarts. */
export type WriterCommand = { type: 'write.submit'; job: WriteJob; from: SystemId };

/**
 * To the writer: how far items of a run have come. Nobody is answered: a newer piece says
 * all that an older one did, and the item's end comes as a job.
 */
export type PiecesEvent = {
  type: 'write.pieces';
  threadId: string;
  pieces: StreamedPiece[];
};

/** From the writer, to whoever sent the job. `writer.started` asks for all that is unacknowledged. */
export type WriterReply =
  | { type: 'write.done'; jobId: string; result: WriteResult }
  | { type: 'write.failed'; jobId: string; error: BridgeError }
  | { type: 'writer.started' };

/** From the Convex link, to everyone who writes or reads there. */
export type ConvexLinkEvent =
  | { type: 'convex.online' }
  | { type: 'convex.offline'; reason: string };

/** To the Convex link, from an actor that (re)starts: it is answered with the present ConvexLinkEvent. */
export type ConvexStateQuery = { type: 'convex.state?'; from: SystemId };

/** From the gateway to the owner of a verb; answered with `control.reply` or `control.failed`. */
export type ControlRequestEvent = {
  type: 'control.request';
  requestId: string;
  /** Who asks: as `bridge.client_connected` names it. */
  clientId: string;
  request: ControlRequest;
};

/** A prompt of the older client, which knows no verbs; answered like a request. */
export type PromptEvent = { type: 'prompt.submitted'; requestId: string; prompt: PromptFrame };

/** To the gateway. */
export type GatewayCommand =
  | { type: 'control.reply'; requestId: string; frame: ReplyFrame }
  | { type: 'control.failed'; requestId: string; error: ControlError }
  | { type: 'broadcast'; frame: Broadcast }
  /** Lines of Codex's own output, verbatim. */
  | {
      type: 'broadcast.lines';
      runId: string;
      threadId: string;
      stream: 'stdout' | 'stderr';
      lines: readonly string[];
    };

/**
 * Runs tell the writer what to expect, so that one row serves both sightings of an
 * item. For every run that is not over they say it again after `writer.started`,
 * before anything else: the writer forgets with its restart.
 */
export type RunSightingEvent =
  | {
      type: 'run.expected';
      runId: string;
      threadId: string;
      cwd: string;
      startedAt: number;
      resumeId?: string;
    }
  | { type: 'run.session'; runId: string; resumeId: string }
  | { type: 'run.ended'; runId: string };

/** The orderly end: an actor finishes what it has in hand and reaches a final state. */
export type ShutdownEvent = { type: 'shutdown' };
