import { defineSchema, defineTable } from 'convex/server';
import { v } from 'convex/values';
import {
  approvalDecision,
  approvalFields,
  approvalMode,
  fileCursor,
  itemData,
  itemKind,
  messageRole,
  onConflict,
  projectFields,
  revert,
  runProgress,
  runStatus,
  sandboxMode,
  skillFields,
  threadHistoryMode,
  threadSource,
  titleSource,
  tokenUsage,
  truncated,
} from './validators.ts';

export default defineSchema({
  /**
   * One conversation. Written by `messages:ingest`, `messages:repair` and
   * `threads:upsertFromStream` (the bridge), by `threads:create`, `threads:rename` and `runs:enqueue` (apps).
   * Read by every list of conversations. Never deleted.
   */
  threads: defineTable({
    /** What messages refer to: Codex's thread id, or the own document id if an app made the thread. */
    threadId: v.string(),
    title: v.string(),
    titleSource,
    /** Codex's id of the session that the next run continues. */
    resumeId: v.optional(v.string()),
    rolloutPath: v.optional(v.string()),
    /** When the file at `rolloutPath` was found to be gone; absent while it is there. */
    rolloutDeletedAt: v.optional(v.number()),
    historyMode: v.optional(threadHistoryMode),
    /** What Codex has taken back, with rising ordinals: also rows that come later, from older files. */
    reverts: v.optional(v.array(revert)),
    projectId: v.optional(v.string()),
    /** Empty until a bridge has taken the thread. */
    machineId: v.string(),
    source: threadSource,
    cwd: v.optional(v.string()),
    model: v.optional(v.string()),
    cliVersion: v.optional(v.string()),
    parentThreadId: v.optional(v.string()),
    /** Rows of kind `message` that were not taken back. */
    messageCount: v.number(),
    usage: v.optional(tokenUsage),
    /** Secrets that the bridge took out of its rows before they came here. */
    redactions: v.optional(v.number()),
    /** Of the newest row of kind `message`; 0 while there is none. Milliseconds since the epoch. */
    lastMessageAt: v.number(),
    archived: v.boolean(),
    createdAt: v.number(),
    /** When something last happened in the conversation, not when the row was written. */
    updatedAt: v.number(),
  })
    .index('by_thread_id', ['threadId'])
    .index('by_resume_id', ['resumeId'])
    .index('by_updated_at', ['updatedAt'])
    .index('by_project', ['projectId', 'updatedAt'])
    /** Leaves out threads without messages by its range alone. */
    .index('by_last_message_at', ['lastMessageAt']),

  /**
   * One item of a conversation. Written by `messages:ingest`, `upsertStreamed`,
   * `finalizeStreamed`, `repair` and `create` (the bridge), and by `runs:enqueue` (the
   * prompt). Read by whoever shows the conversation. Deleted only by `messages:repair`.
   */
  messages: defineTable({
    threadId: v.string(),
    /** Unique in its thread. */
    key: v.string(),
    /** Seen in the stream of a run, not yet in its session file. */
    provisional: v.optional(v.boolean()),
    kind: itemKind,
    role: v.optional(messageRole),
    text: v.optional(v.string()),
    data: v.optional(itemData),
    ts: v.number(),
    /** Of the line that told of it first, where Codex numbers them. */
    ordinal: v.optional(v.number()),
    /** The same in a file that does not number them. After a migration a row has both. */
    line: v.optional(v.number()),
    /** How many ends its file told of before this one. */
    revision: v.optional(v.number()),
    /** Codex has taken it back (`thread/revert`, or a rollback before 0.148). */
    reverted: v.optional(v.literal(true)),
    turnId: v.optional(v.string()),
    itemId: v.optional(v.string()),
    runId: v.optional(v.string()),
    /** It goes on: its text grows, or its outcome is still to come. */
    partial: v.optional(v.boolean()),
    /** Of the newest piece; older ones that arrive late are ignored. */
    seq: v.optional(v.number()),
    truncated: v.optional(truncated),
    /** Secrets that the bridge took out of text and data. */
    redactions: v.optional(v.number()),
    createdAt: v.number(),
    updatedAt: v.optional(v.number()),
  })
    /** What Codex has taken back stands apart: a page of the rest does not read it, however much it is. */
    .index('by_thread_ts', ['threadId', 'reverted', 'ts'])
    .index('by_thread_key', ['threadId', 'key'])
    /** `provisional` first: a bridge that starts asks for all that are left. */
    .index('by_provisional_run', ['provisional', 'runId'])
    .searchIndex('search_text', { searchField: 'text', filterFields: ['threadId', 'kind'] }),

  /**
   * One prompt to be answered by Codex. Written by `runs:enqueue`, `edit` and `cancel` (apps
   * and the bridge) and by `lease`, `progress`, `complete`, `fail`, `interrupt` (the bridge).
   * Read by the bridge and by whoever shows what runs. Never deleted.
   */
  runs: defineTable({
    threadDocId: v.id('threads'),
    text: v.string(),
    role: messageRole,
    projectId: v.optional(v.string()),
    resumeId: v.optional(v.string()),
    /** As submitted, so that a run that was queued over a restart keeps its limits. */
    model: v.optional(v.string()),
    sandbox: v.optional(sandboxMode),
    approvals: v.optional(approvalMode),
    onConflict: v.optional(onConflict),
    /** The client's own id of its request: asked for again within a day, it is this run. */
    receipt: v.optional(v.string()),
    /** The row of the prompt. */
    messageId: v.optional(v.id('messages')),
    status: runStatus,
    /** An app wants it ended; the bridge does it. */
    cancelRequestedAt: v.optional(v.number()),
    ...runProgress,
    machineId: v.optional(v.string()),
    /** Milliseconds since the epoch; past it another machine may take the run. */
    leaseUntil: v.optional(v.number()),
    /** When a machine took it; older turns of the same session are not its own. */
    startedAt: v.optional(v.number()),
    endedAt: v.optional(v.number()),
    error: v.optional(v.string()),
    exitCode: v.optional(v.number()),
    usage: v.optional(tokenUsage),
    createdAt: v.number(),
    updatedAt: v.number(),
  })
    .index('by_status', ['status', 'createdAt'])
    .index('by_created_at', ['createdAt'])
    .index('by_receipt', ['receipt', 'createdAt'])
    .index('by_thread', ['threadDocId', 'createdAt']),

  /**
   * A `PROJECT.md` of one machine. Written and deleted by `projects:upsertFromFs` and
   * `projects:remove` (the bridge of that machine), never by apps: the file is the record.
   * Read by every list of projects, and by the bridge before a run.
   */
  projects: defineTable({
    ...projectFields.fields,
    machineId: v.string(),
    createdAt: v.number(),
    updatedAt: v.number(),
  })
    .index('by_project_id', ['id', 'machineId'])
    .index('by_name', ['name'])
    .index('by_machine', ['machineId', 'id']),

  /**
   * A `SKILL.md` of one machine. Written and deleted by `skills:upsertFromFs`,
   * `bulkUpsertFromFs` and `removeByScope` (the bridge of that machine). Read by whoever
   * shows what agents can do.
   */
  skills: defineTable({
    ...skillFields.fields,
    machineId: v.string(),
    createdAt: v.number(),
    updatedAt: v.number(),
  })
    .index('by_skill', ['skillId', 'source', 'projectId'])
    .index('by_source', ['source', 'skillId'])
    .index('by_project', ['projectId', 'source', 'skillId'])
    .index('by_machine_scope', ['machineId', 'source', 'projectId', 'skillId']),

  /**
   * What Codex may not do without being allowed to, and who has decided. Written by
   * `approvals:record` and with the end of a run (the bridge), and by `approvals:answer`
   * (apps). Read by whoever may decide, and by the bridge, for answers. Never deleted.
   */
  approvals: defineTable({
    ...approvalFields,
    /** What an app has decided, until the bridge has handed it on. */
    answer: v.optional(v.object({ decision: approvalDecision, by: v.string() })),
  })
    .index('by_approval_id', ['approvalId'])
    .index('by_state', ['state', 'requestedAt'])
    .index('by_run', ['runId', 'state'])
    .index('by_thread', ['threadDocId', 'requestedAt']),

  /**
   * How far each session file has been read. Written by `messages:ingest` alone,
   * in the transaction of the rows that it covers. Read by the bridge at start.
   * Never deleted: a file that comes back goes on where it stood.
   */
  cursors: defineTable({
    machineId: v.string(),
    ...fileCursor.fields,
    updatedAt: v.number(),
  })
    .index('by_machine_path', ['machineId', 'path'])
    .index('by_resume_id', ['resumeId']),
});
