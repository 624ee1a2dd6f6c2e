/** The validators that tables, arguments and results share, so that each shape is said once. */
import { v } from 'convex/values';

export const threadSource = v.union(v.literal('app'), v.literal('bridge'), v.literal('external'));

/** Who gave the thread its title: earlier ones here beat later ones. */
export const titleSource = v.union(
  v.literal('user'),
  v.literal('agent'),
  v.literal('prompt'),
  v.literal('default'),
);

export const itemKind = v.union(
  v.literal('message'),
  v.literal('reason'),
  v.literal('cmd'),
  v.literal('file'),
  v.literal('search'),
  v.literal('mcp'),
  v.literal('todo'),
  v.literal('turn'),
  v.literal('error'),
  v.literal('preface'),
);

export const messageRole = v.union(v.literal('user'), v.literal('assistant'), v.literal('system'));

/** As Codex keeps a session; `migrated`: it was kept the other way before, or there is a copy that is. */
export const historyMode = v.union(v.literal('legacy'), v.literal('paginated'));
export const threadHistoryMode = v.union(...historyMode.members, v.literal('migrated'));

/**
 * Taken back: the rows from before `at` (milliseconds) of this ordinal or a higher one; in a file
 * that does not number its lines, of this line or a later one. One of the two.
 */
export const revert = v.object({
  ordinal: v.optional(v.number()),
  line: v.optional(v.number()),
  at: v.number(),
});

export const runStatus = v.union(
  v.literal('pending'),
  v.literal('processing'),
  v.literal('done'),
  v.literal('error'),
  v.literal('interrupted'),
);

/** What a run does whose session is open in another process. */
export const onConflict = v.union(v.literal('fail'), v.literal('wait'), v.literal('fork'));

/** How far a run has come, by what was seen of it; the bridge's `bridge.run`. */
export const runProgress = {
  /** As in `bridge.run`: `running`, `stalled`, … */
  state: v.optional(v.string()),
  /** The last sign of life, and when it was seen. */
  evidence: v.optional(v.object({ what: v.string(), at: v.number() })),
  cwd: v.optional(v.string()),
  driver: v.optional(v.union(v.literal('exec'), v.literal('app-server'))),
  pid: v.optional(v.number()),
  /** Codex's id of its session. */
  sessionId: v.optional(v.string()),
  /** Who has the session open that it waits for. */
  holder: v.optional(v.string()),
  /** Milliseconds since the epoch. */
  spawnedAt: v.optional(v.number()),
  sessionAt: v.optional(v.number()),
  turnAt: v.optional(v.number()),
};

export const sandboxMode = v.union(
  v.literal('read-only'),
  v.literal('workspace-write'),
  v.literal('danger-full-access'),
);

export const approvalMode = v.union(
  v.literal('never'),
  v.literal('on-request'),
  v.literal('on-failure'),
  v.literal('untrusted'),
);

export const approvalDecision = v.union(
  v.literal('accept'),
  v.literal('acceptForSession'),
  v.literal('decline'),
  v.literal('cancel'),
);

/** Something that Codex may not do without being allowed to; the bridge's `ApprovalFrame`. */
export const approvalFields = {
  /** Codex's own, made unique by the run. */
  approvalId: v.string(),
  runId: v.id('runs'),
  threadDocId: v.id('threads'),
  threadId: v.optional(v.string()),
  kind: v.union(v.literal('command'), v.literal('fileChange')),
  command: v.optional(v.string()),
  cwd: v.optional(v.string()),
  changes: v.optional(
    v.array(
      v.object({
        path: v.string(),
        kind: v.union(v.literal('add'), v.literal('update'), v.literal('delete')),
        movePath: v.optional(v.string()),
        diff: v.optional(v.string()),
        content: v.optional(v.string()),
      }),
    ),
  ),
  reason: v.optional(v.string()),
  turnId: v.string(),
  /** The row of the item that waits has the key `<turnId>/<itemId>`. */
  itemId: v.string(),
  /** `expired`: nobody answered, and it was declined. `withdrawn`: Codex waits no more. */
  state: v.union(
    v.literal('open'),
    v.literal('answered'),
    v.literal('expired'),
    v.literal('withdrawn'),
  ),
  decision: v.optional(approvalDecision),
  /** A client of the bridge's socket, or an app, as its token names it. */
  decidedBy: v.optional(v.string()),
  explanation: v.optional(v.string()),
  /** Milliseconds since the epoch. */
  requestedAt: v.number(),
  expiresAt: v.number(),
  decidedAt: v.optional(v.number()),
};

/** Tokens. */
export const tokenUsage = v.object({
  inputTokens: v.number(),
  cachedInputTokens: v.number(),
  outputTokens: v.number(),
  reasoningOutputTokens: v.number(),
  totalTokens: v.number(),
});

/** How many bytes there are of something that was cut, and where the whole is. */
export const truncated = v.object({ bytes: v.number(), path: v.string(), offset: v.number() });

/** JSON of a shape that the item's kind decides. */
export const itemData = v.record(v.string(), v.any());

/** One item of a conversation as the bridge hands it over; the bridge's `ThreadItem`. */
export const threadItem = v.object({
  key: v.string(),
  kind: itemKind,
  role: v.optional(messageRole),
  text: v.optional(v.string()),
  data: v.optional(itemData),
  /** Milliseconds since the epoch. */
  ts: v.number(),
  ordinal: v.optional(v.number()),
  line: v.optional(v.number()),
  revision: v.optional(v.number()),
  turnId: v.optional(v.string()),
  itemId: v.optional(v.string()),
  provisional: v.optional(v.boolean()),
  partial: v.optional(v.boolean()),
  runId: v.optional(v.string()),
  claims: v.optional(v.string()),
  truncated: v.optional(truncated),
  redactions: v.optional(v.number()),
});

/** What a session file or a run says about its thread; the bridge's `ThreadPatch`. */
export const threadPatch = v.object({
  threadId: v.optional(v.string()),
  resumeId: v.optional(v.string()),
  source: threadSource,
  rolloutPath: v.optional(v.string()),
  archived: v.optional(v.boolean()),
  projectId: v.optional(v.string()),
  parentThreadId: v.optional(v.string()),
  cwd: v.optional(v.string()),
  model: v.optional(v.string()),
  cliVersion: v.optional(v.string()),
  title: v.optional(v.object({ text: v.string(), source: titleSource })),
  usage: v.optional(tokenUsage),
  createdAt: v.optional(v.number()),
  historyMode: v.optional(historyMode),
  reverts: v.optional(v.array(revert)),
  rolloutDeletedAt: v.optional(v.number()),
});

export const quarantinedLine = v.object({
  offset: v.number(),
  length: v.number(),
  sha256: v.string(),
  reason: v.string(),
  parserVersion: v.number(),
});

/** Where the reading of one session file stands; the bridge's `FileCursor`. */
export const fileCursor = v.object({
  path: v.string(),
  fingerprint: v.string(),
  device: v.string(),
  inode: v.string(),
  offset: v.number(),
  tailHash: v.string(),
  generation: v.number(),
  resumeId: v.optional(v.string()),
  threadId: v.optional(v.string()),
  quarantine: v.array(quarantinedLine),
  parserVersion: v.number(),
  deleted: v.optional(v.literal(true)),
});

/** By what a stored cursor is known again. */
export const cursorPlace = fileCursor.pick('path', 'generation', 'offset', 'tailHash');

/** What one batch did to its thread. */
export const ingestResult = v.object({
  threadDocId: v.id('threads'),
  threadId: v.string(),
  inserted: v.number(),
  known: v.number(),
  claimed: v.number(),
  /** Only if the cursor of the batch did not move: the one that is stored; null where none is. */
  stored: v.optional(v.union(fileCursor, v.null())),
});

/** What a `PROJECT.md` says; the bridge's `Project`, with an absolute directory. */
export const projectFields = v.object({
  id: v.string(),
  name: v.string(),
  workingDir: v.string(),
  repo: v.optional(
    v.object({
      provider: v.optional(v.string()),
      remote: v.optional(v.string()),
      url: v.optional(v.string()),
      branch: v.optional(v.string()),
    }),
  ),
  agentFile: v.optional(v.string()),
  instructions: v.optional(v.string()),
  model: v.optional(v.string()),
  sandbox: v.optional(sandboxMode),
  approvals: v.optional(approvalMode),
  redact: v.optional(v.boolean()),
});

/** Where a skill comes from: a person's own, the package's, or a project's `skills` folder. */
export const skillSource = v.union(v.literal('user'), v.literal('registry'), v.literal('project'));

/** What a `SKILL.md` says; the bridge's `ScopedSkill`. */
export const skillFields = v.object({
  skillId: v.string(),
  name: v.string(),
  description: v.string(),
  license: v.optional(v.string()),
  allowedTools: v.optional(v.array(v.string())),
  metadata: v.optional(v.record(v.string(), v.any())),
  source: skillSource,
  projectId: v.optional(v.string()),
  path: v.optional(v.string()),
});

/** What a thread says about its rows of kind `message`: how many that were not taken back, and when the newest was. */
export const threadCounters = v.object({ messageCount: v.number(), lastMessageAt: v.number() });

/** What a repair did; `left` are rows that have changed since they were compared. */
export const repairResult = v.object({
  replaced: v.number(),
  removed: v.number(),
  recounted: v.boolean(),
  left: v.number(),
});
