/** What a run and the keeper of all runs (`runs`) tell one another. */
import type { StreamedPiece } from '../codex/app-server/growing-item.ts';
import type { ThreadItem, TokenUsage } from '../codex/thread-item.ts';
import type { RunState } from '../control/frames.ts';
import type { ApprovalDecision, ApprovalMode, OnConflict, SandboxMode } from '../control/modes.ts';
import type { BridgeError } from '../errors.ts';
import type { Approval } from './approvals.ts';
import type { CodexDriver, RunPlan } from './codex-process-events.ts';

/** What is asked of a run; what is left out is as its project has it, or as usual. */
export interface RunRequest {
  text: string;
  projectId?: string;
  /** An id of Codex, "new", "none" or "last". */
  resumeId?: string;
  model?: string;
  sandbox?: SandboxMode;
  approvals?: ApprovalMode;
  onConflict?: OnConflict;
}

/** A run that is not over, as its row in Convex has it. */
export interface OpenRun extends RunRequest {
  runId: string;
  threadDocId: string;
  status: 'pending' | 'processing';
  /** The machine that shall run it, or that runs it; without one any may. */
  machineId?: string;
  /** Somebody wants it ended. */
  cancelled?: true;
  /** Codex's id of its session, and when it was taken, of one that went on in an earlier life. */
  sessionId?: string;
  startedAt?: number;
  /** Milliseconds since the epoch. */
  createdAt: number;
}

/** From the keeper to a run. */
export type RunCommand =
  /** It is its turn. */
  | { type: 'run.start'; lastSessions: LastSessions }
  /** Its row is over, or another machine's: it is nobody's business here any more. */
  | { type: 'run.gone' }
  /** `hurry`: the bridge itself is ending. */
  | { type: 'run.interrupt'; reason: string; hurry?: boolean }
  /** More words for the turn; answered by `run.steered`. */
  | { type: 'run.steer'; requestId: string; text: string }
  /** Somebody has decided what Codex has asked. */
  | { type: 'approval.answer'; approvalId: string; decision: ApprovalDecision; decidedBy: string };

/** The Codex sessions that this bridge ran last; newer than what Convex may know. */
export interface LastSessions {
  ofThread?: string;
  byDirectory: Readonly<Record<string, string>>;
}

/** From a run to the keeper. */
export type RunReport =
  | { type: 'run.changed'; runId: string; state: RunState; facts: RunFacts }
  /** A sign of life, now and then. */
  | { type: 'run.alive'; runId: string; facts: RunFacts }
  | { type: 'run.planned'; plan: RunPlan; startedAt: number }
  | { type: 'run.sessionKnown'; runId: string; resumeId: string }
  | { type: 'run.printed'; runId: string; items: ThreadItem[]; bytes: number }
  | { type: 'run.streamed'; threadId: string; pieces: StreamedPiece[] }
  /** An approval is asked for, or is decided. */
  | { type: 'run.approval'; approval: Approval }
  | { type: 'run.steered'; runId: string; requestId: string; error?: string };

/** What `bridge.run` shows besides the state. */
export interface RunFacts {
  threadId?: string;
  resumeId?: string;
  cwd?: string;
  model?: string;
  sandbox?: SandboxMode;
  approvals?: ApprovalMode;
  driver?: CodexDriver;
  pid?: number;
  evidence?: Evidence;
  holder?: string;
  spawnedAt?: number;
  sessionAt?: number;
  turnAt?: number;
}

/** A sign of life of a run. */
export interface Evidence {
  what: string;
  /** Milliseconds since the epoch. */
  at: number;
}

/** How a run ended. */
export interface RunOutcome {
  runId: string;
  state: Extract<RunState, 'completed' | 'failed' | 'interrupted' | 'timedOut'>;
  exitCode: number | null;
  signal: string | null;
  error?: { code: BridgeError['code']; message: string };
  usage?: TokenUsage;
  /** All that was seen of it; of a run of an earlier life its row has that already. */
  facts?: RunFacts;
  /** The run is another machine's, or was over already: its row is not ours to write. */
  taken?: true;
}
