/**
 * What a running Codex tells, whatever drives it: `codex exec` today, an app-server
 * later. The driver is an actor; nothing here depends on how it speaks to Codex.
 */
import type { ThreadItem, TokenUsage } from '../codex/thread-item.ts';
import type { ApprovalMode, SandboxMode } from '../control/modes.ts';
import type { BridgeError } from '../errors.ts';

export type CodexProcessEvent =
  | { type: 'process.spawned'; pid: number }
  /** It could not be started at all. */
  | { type: 'process.refused'; error: BridgeError }
  /** One line of Codex's own output, verbatim, without its newline. */
  | { type: 'process.line'; stream: 'stdout' | 'stderr'; line: string }
  /** Codex has told the id of its session. */
  | { type: 'process.session'; resumeId: string }
  /** `bytes` is their rough size. */
  | { type: 'process.items'; items: ThreadItem[]; bytes: number }
  | { type: 'process.turnEnded'; turn: TurnEnd }
  /** Nothing comes after this. `error` is what Codex last complained of, if it did. */
  | { type: 'process.exited'; exitCode: number | null; signal: string | null; error?: string };

export interface TurnEnd {
  status: 'completed' | 'failed';
  error?: string;
  usage?: TokenUsage;
}

export type CodexProcessCommand = { type: 'process.signal'; signal: KillSignal };

/** The ladder of an interrupt, gentlest first. */
export type KillSignal = 'SIGINT' | 'SIGTERM' | 'SIGKILL';

/** All that is needed to start Codex for one run. */
export interface RunPlan {
  runId: string;
  threadId: string;
  /** Goes to Codex on stdin. */
  prompt: string;
  cwd: string;
  /** Codex's id of the session to go on with; without one a new session begins. */
  resumeId?: string;
  model?: string;
  sandbox: SandboxMode;
  approvals: ApprovalMode;
}
