/**
 * What `ThreadItem.data` holds, per kind. The session file and the stream of a run
 * fill the same shapes, so that the two sightings of an item agree; a field that
 * only one of them knows is absent in the other.
 *
 * JSON that a tool or a model shaped (`arguments`, `result`, `action`) is kept as it
 * is where any store takes it, and otherwise as `{ json: "…" }` (`portable-json.ts`).
 */
import type { JsonValue, TokenUsage } from './thread-item.ts';

/** `interrupted`: its process ended before it did. */
export type WorkStatus = 'in_progress' | 'completed' | 'failed' | 'declined' | 'interrupted';

/** `message`; also of injected context (`preface`). */
export interface MessageData {
  images?: ImageReference[];
  /** Which part of an answer this is, as the provider names it, e.g. `final_answer`. */
  phase?: string;
  /** The caller's own id of a prompt (app-server's `clientUserMessageId`). */
  clientId?: string;
  /** Paths in the tree of agents, for what one agent wrote to another. */
  author?: string;
  recipient?: string;
  /** The body exists, but only the provider can read it. */
  encrypted?: boolean;
  /** What Codex says the parts are, e.g. `environments.environment_context`. */
  contentKinds?: string[];
  /** Cut off: its turn ended before it did. Also of reasoning. */
  interrupted?: boolean;
  /** For a notice of Codex itself, e.g. `context_compacted`. */
  event?: string;
  details?: JsonValue;
}

/** An image that was inside a message: by content, by path or by address. */
export interface ImageReference {
  mime?: string;
  bytes?: number;
  /** Hex, of the decoded bytes. */
  sha256?: string;
  path?: string;
  url?: string;
}

/** `cmd`. `text` is the command as a person would type it, without the shell around it. */
export interface CommandData {
  /** The arguments that were executed. */
  command: string[];
  cwd?: string;
  status: WorkStatus;
  exitCode?: number;
  /** Both outputs, as they came. Codex keeps at most 64 KiB of it in the session file. */
  output?: string;
  durationMs?: number;
}

/** `file`. `text` is one line a file. */
export interface FileData {
  changes: FileChange[];
  status: WorkStatus;
  /** Why the patch was not applied. */
  error?: string;
}

export interface FileChange {
  path: string;
  kind: 'add' | 'update' | 'delete';
  /** Where an updated file moved. */
  movePath?: string;
  /** Unified diff of an update. */
  diff?: string;
  /** Whole text of an added or deleted file. */
  content?: string;
}

/** `mcp`: any call of a tool that has no kind of its own; `server` only for MCP servers. */
export interface ToolData {
  server?: string;
  tool: string;
  arguments?: JsonValue;
  result?: JsonValue;
  error?: string;
  status: WorkStatus;
  durationMs?: number;
}

/** `search`. `text` is the query. */
export interface SearchData {
  query: string;
  action?: JsonValue;
  status: WorkStatus;
}

/** `todo`. `text` is the list as Markdown. */
export interface TodoData {
  items: TodoEntry[];
  explanation?: string;
  status: WorkStatus;
}

export interface TodoEntry {
  text: string;
  status: 'pending' | 'in_progress' | 'completed';
}

/** `turn`: one prompt and all that Codex did about it. */
export interface TurnData {
  status: 'in_progress' | 'completed' | 'failed' | 'interrupted';
  durationMs?: number;
  /** Tokens of this turn alone. */
  usage?: TokenUsage;
  /** Why it was interrupted, e.g. `interrupted`, `replaced`, `process_ended`. */
  reason?: string;
  error?: string;
}

/** `error`. `text` is the message. */
export interface ErrorData {
  /** True when it ended the turn; false for a warning or an attempt that is repeated. */
  fatal: boolean;
}
