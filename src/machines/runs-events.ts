/** What the keeper of all runs hears, keeps in mind, and needs done outside. */
import type { DoneActorEvent, ErrorActorEvent } from 'xstate';
import type { ApprovalFrame, RunFrame } from '../control/frames.ts';
import type { ApprovalDecision } from '../control/modes.ts';
import type {
  ControlRequestEvent,
  ConvexLinkEvent,
  PromptEvent,
  ShutdownEvent,
  WriterReply,
} from './protocol.ts';
import type { RunBook, RunPolicy } from './run-book.ts';
import type { LastSessions, OpenRun, RunOutcome, RunReport, RunRequest } from './run-events.ts';
import type { RunOutbox } from './run-outbox.ts';

/** From the watch of the open rows in Convex: at once, and after each change. */
export type OpenRunsEvent = { type: 'rows.open'; runs: OpenRun[] };

/** From the watch of the open approvals in Convex: those that an app has answered there. */
export type AnsweredEvent = { type: 'rows.answered'; answers: AnsweredApproval[] };

export interface AnsweredApproval {
  approvalId: string;
  decision: ApprovalDecision;
  decidedBy: string;
}

/** To whoever writes into Convex how far runs have come. */
export type ProgressEvent = { type: 'progress.note'; frame: RunFrame };

export type RunsEvent =
  | ControlRequestEvent
  | PromptEvent
  | RunReport
  | OpenRunsEvent
  | WriterReply
  | ConvexLinkEvent
  | ShutdownEvent
  | { type: 'settle.retry'; runId: string }
  | { type: 'record.retry'; approvalId: string }
  | AnsweredEvent
  | DoneActorEvent
  | ErrorActorEvent;

export interface RunsInput {
  machineId: string;
  /** How many may go on at once. */
  maxRuns: number;
  /** What a run may do that says nothing about it. */
  usualPolicy: RunPolicy;
  /** Milliseconds since the epoch. */
  now: () => number;
}

export interface RunsContext extends RunsInput {
  book: RunBook;
  outbox: RunOutbox;
  /** Waiting to be written, oldest first; the first of them while `submitting`. */
  submissions: readonly Submission[];
  /** Ends that Convex has not taken yet, by run id. */
  unsettled: Readonly<Record<string, RunOutcome>>;
  /** What Codex waits for, and what was decided last, by the id of the approval. */
  approvals: Readonly<Record<string, ApprovalFrame>>;
  /** Approvals whose newest state Convex has not taken yet, by their ids. */
  unrecorded: Readonly<Record<string, ApprovalFrame>>;
  lastSessions: { byThread: Readonly<Record<string, string>> } & Pick<LastSessions, 'byDirectory'>;
  /** Threads that were made for prompts of the older client, by directory. */
  promptThreads: Readonly<Record<string, string>>;
  /** Document id of the thread that was last submitted to. */
  lastThreadDocId: string | null;
  /** Requests for another text, by the id of the request: the run that is meant. */
  edits: Readonly<Record<string, string>>;
  online: boolean;
  lastError: string | null;
}

interface Submission {
  requestId: string;
  wanted: SubmitInput;
}

/** A run that a client asks for. */
export interface SubmitInput extends RunRequest {
  machineId: string;
  /** A thread that there is, or what is needed to find or make one. */
  thread: { docId: string } | { cwd?: string; sessionId?: string };
  /** The client's own id: the same again is the same run. */
  receipt?: string;
}

/** What has become of it: a row in Convex. */
export interface Submitted {
  run: OpenRun;
  threadId: string;
  /** It was asked for before, and is over. */
  outcome?: RunOutcome;
}

/** Another text for a run that waits. */
export interface EditInput {
  run: { runId: string; threadDocId: string };
  text: string;
}

/** How the registry describes it in `bridge.status`. */
export interface RunsSummary {
  active: number;
  queued: number;
  lastThreadId: string | null;
}
