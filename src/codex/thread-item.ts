/**
 * The one normalised shape in the middle of the bridge. Everything that makes a
 * ThreadItem knows Codex; everything that takes one knows Convex; nothing knows both.
 */
export interface ThreadItem {
  /**
   * Identity within its thread: Codex's own where it has one, else derived from
   * content. Never a line number, byte offset or ordinal (those change).
   */
  key: string;
  kind: ItemKind;
  role?: 'user' | 'assistant' | 'system';
  /** What a person reads: the message, the reasoning, the command line, the error. */
  text?: string;
  /** What a machine reads, per kind: see `item-data.ts`. JSON only. */
  data?: JsonObject;
  /** Milliseconds since the epoch. */
  ts: number;
  /** Which line of its thread's history told of it first, as Codex numbers them: see `Revert`. */
  ordinal?: number;
  /** The same in a file that does not number its lines: how many there are before it. */
  line?: number;
  /** How many ends its file told of before this one; absent for the first. The last one counts. */
  revision?: number;
  turnId?: string;
  itemId?: string;
  /** Seen in the stream of a run, not yet in its session file. */
  provisional?: boolean;
  /** It goes on: the same key comes again when its end has been seen. */
  partial?: boolean;
  runId?: string;
  /** The provisional key of the row that this item turns into its final self. */
  claims?: string;
  /** Set when text or data was cut: how much there is, and where the whole is. */
  truncated?: { bytes: number; path: string; offset: number };
  /** Secrets that were taken out of text and data; absent when there were none. */
  redactions?: number;
}

export type ItemKind =
  | 'message'
  | 'reason'
  | 'cmd'
  | 'file'
  | 'search'
  | 'mcp'
  | 'todo'
  | 'turn'
  | 'error'
  | 'preface';

/** What a session file or a run says about its thread. Absent fields leave the row as it is. */
export interface ThreadPatch {
  /** Set when the row is known (a run of ours); else found by `resumeId`. */
  threadId?: string;
  /** Codex's own thread id. */
  resumeId?: string;
  source: 'app' | 'bridge' | 'external';
  rolloutPath?: string;
  /** Where its file lies says so; absent when it says nothing new. */
  archived?: boolean;
  projectId?: string;
  parentThreadId?: string;
  cwd?: string;
  model?: string;
  cliVersion?: string;
  title?: { text: string; source: 'user' | 'agent' | 'prompt' | 'default' };
  usage?: TokenUsage;
  createdAt?: number;
  /** How Codex keeps its history: lines are numbered (`paginated`, since 0.148) or not. */
  historyMode?: 'legacy' | 'paginated';
  /** All that its file takes back, in order. */
  reverts?: Revert[];
  /** Set when the file at `rolloutPath` was found to be gone. Milliseconds since the epoch. */
  rolloutDeletedAt?: number;
}

/**
 * Taken back: what was written before `at`, from the line with this ordinal on, or from this
 * line on where they are not numbered. One of the two: a migration numbers a file anew.
 */
interface Revert {
  ordinal?: number;
  line?: number;
  /** Milliseconds since the epoch. */
  at: number;
}

/** Tokens, summed over the whole thread. */
export interface TokenUsage {
  inputTokens: number;
  cachedInputTokens: number;
  outputTokens: number;
  reasoningOutputTokens: number;
  totalTokens: number;
}

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}
