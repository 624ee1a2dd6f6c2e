/**
 * What a running Codex tells, and is told, whatever drives it: `codex exec` or an
 * app-server. A driver is an actor; nothing here depends on how it speaks to Codex.
 */
import type { StreamedPiece } from '../codex/app-server/growing-item.ts';
import type { ThreadItem, TokenUsage } from '../codex/thread-item.ts';
import type { ApprovalDecision, ApprovalMode, SandboxMode } from '../control/modes.ts';
import type { BridgeError } from '../errors.ts';
import type { ApprovalRequest } from './approvals.ts';

export type CodexProcessEvent =
  | { type: 'process.spawned'; pid: number }
  /** It could not be started at all. */
  | { type: 'process.refused'; error: BridgeError }
  /** Lines of Codex's own output, verbatim, without their newlines. */
  | { type: 'process.lines'; stream: 'stdout' | 'stderr'; lines: string[] }
  /** Another process has the session open: Codex refuses to go on with it, and ends. */
  | { type: 'process.conflict' }
  /** Codex has told the id of its session. */
  | { type: 'process.session'; resumeId: string }
  /** `bytes` is their rough size. */
  | { type: 'process.items'; items: ThreadItem[]; bytes: number }
  /** How far items have come that are still being written. */
  | { type: 'process.pieces'; pieces: StreamedPiece[] }
  /** Codex asks whether it may; it waits until it is answered. */
  | { type: 'process.approval'; request: ApprovalRequest }
  /** Codex does not wait for this answer any more. */
  | { type: 'process.approvalGone'; approvalId: string }
  /** What became of a `process.steer`: without an error the turn has the text. */
  | { type: 'process.steered'; requestId: string; error?: string }
  | { type: 'process.turnStarted' }
  | { type: 'process.turnEnded'; turn: TurnEnd }
  /** Nothing comes after this. `error` is what Codex last complained of, if it did. */
  | { type: 'process.exited'; exitCode: number | null; signal: string | null; error?: string };

export interface TurnEnd {
  status: 'completed' | 'failed' | 'interrupted';
  error?: string;
  usage?: TokenUsage;
}

export type CodexProcessCommand =
  | { type: 'process.signal'; signal: KillSignal }
  /** End the turn in your own way; only drivers that can be asked get this. */
  | { type: 'process.interrupt' }
  | { type: 'process.answer'; approvalId: string; decision: ApprovalDecision }
  /** Answered by `process.steered`. */
  | { type: 'process.steer'; requestId: string; text: string };

/** The ladder of an interrupt, gentlest first. */
export type KillSignal = 'SIGINT' | 'SIGTERM' | 'SIGKILL';

/**
 * exec        `codex exec --json`, which every Codex has: a prompt in, items out
 * app-server  `codex app-server`: every token, approvals, more words for a turn that goes on
 */
export type CodexDriver = 'exec' | 'app-server';

/** All that is needed to start Codex for one run. */
export interface RunPlan {
  runId: string;
  threadId: string;
  driver: CodexDriver;
  /** Goes to Codex on stdin. */
  prompt: string;
  cwd: string;
  /** Codex's id of the session to go on with; without one a new session begins. */
  resumeId?: string;
  /** A session of its own begins, as a copy of that one. */
  fork?: true;
  /** What the session had used before, where Codex only tells totals. */
  usedBefore?: TokenUsage;
  model?: string;
  projectId?: string;
  /** What the project tells every run of it. */
  instructions?: string;
  /** Read as AGENTS.md is, where there is no AGENTS.md. */
  agentFile?: string;
  sandbox: SandboxMode;
  approvals: ApprovalMode;
  /** Milliseconds until an approval that nobody answers is declined. */
  approvalTimeout: number;
  /** Milliseconds without a sign of life after which it is shown as stalled. */
  stallAfter: number;
  /** Milliseconds after which it is ended. */
  runLimit: number;
}
