/** Every frame that the daemon sends: replies, broadcasts and errors, with their schemas. */
import { z } from 'zod';
import { machineCause, machineHistoryFrame, watchingFrame } from './inspect-frames.ts';
import { projectsFrame, skillsFrame } from './library.ts';
import { sessionsVerifyFrame } from './verify-frames.ts';
import { approvalDecision } from './modes.ts';

/**
 * `stalled`: it runs, and shows no sign of life. `waiting`: for its session, which another
 * process has open. `interrupted` and `timedOut` are ends like
 * `failed`; nothing stays "running" for ever.
 */
export const runState = z.enum([
  'queued',
  'preparing',
  'spawning',
  'running',
  'stalled',
  'waiting',
  'interrupting',
  'completed',
  'failed',
  'interrupted',
  'timedOut',
]);
export type RunState = z.infer<typeof runState>;

export const controlErrorCode = z.enum([
  'invalid_json',
  'invalid_request',
  'unknown_control',
  'not_found',
  'conflict',
  'unavailable',
  'too_large',
  'rate_limited',
  'internal',
]);
export type ControlErrorCode = z.infer<typeof controlErrorCode>;

/** What an owner of a verb answers when it cannot do what was asked. */
export interface ControlError {
  code: ControlErrorCode;
  message: string;
  issues?: unknown[];
  /** With `conflict` of a backfill: the one that goes on. */
  jobId?: string;
}

/** Tokens; cached input is part of the input, reasoning of the output. */
const tokenUsage = z.object({
  inputTokens: z.number(),
  cachedInputTokens: z.number(),
  outputTokens: z.number(),
  reasoningOutputTokens: z.number(),
  totalTokens: z.number(),
});

/** One run, as `bridge.run` shows it in replies and in broadcasts. */
export const runFrame = z.object({
  type: z.literal('bridge.run'),
  runId: z.string(),
  threadDocId: z.string(),
  state: runState,
  threadId: z.string().optional(),
  resumeId: z.string().optional(),
  cwd: z.string().optional(),
  model: z.string().optional(),
  sandbox: z.string(),
  approvals: z.string(),
  /** How Codex is run; known once the run is prepared. */
  driver: z.enum(['exec', 'app-server']).optional(),
  pid: z.int().optional(),
  exitCode: z.int().nullable().optional(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  /** The last sign of life. */
  evidence: z.object({ what: z.string(), at: z.number() }).optional(),
  /** Who has the session open that it waits for. */
  holder: z.string().optional(),
  /** Tokens that the run used; known at its end. */
  usage: tokenUsage.optional(),
  /** Milliseconds since the epoch, each as soon as it is known: when its process was there,
   * Codex had a session, began the turn; and the end. */
  spawnedAt: z.number().optional(),
  sessionAt: z.number().optional(),
  turnAt: z.number().optional(),
  endedAt: z.number().optional(),
  /** Milliseconds since the epoch. */
  createdAt: z.number(),
  since: z.number(),
});
export type RunFrame = z.infer<typeof runFrame>;

export const runsFrame = z.object({
  type: z.literal('bridge.runs'),
  items: z.array(runFrame.omit({ type: true })),
});

/** Something that Codex may not do without being allowed to, in replies and in broadcasts. */
export const approvalFrame = z.object({
  type: z.literal('bridge.approval'),
  approvalId: z.string(),
  runId: z.string(),
  threadDocId: z.string(),
  threadId: z.string().optional(),
  /** A command to run, or files to change. */
  kind: z.enum(['command', 'fileChange']),
  /** As a person would type it. */
  command: z.string().optional(),
  cwd: z.string().optional(),
  changes: z
    .array(
      z.object({
        path: z.string(),
        kind: z.enum(['add', 'update', 'delete']),
        movePath: z.string().optional(),
        /** Unified diff of an update. */
        diff: z.string().optional(),
        /** Whole text of an added or deleted file. */
        content: z.string().optional(),
      }),
    )
    .optional(),
  /** Why Codex asks, in its own words. */
  reason: z.string().optional(),
  turnId: z.string(),
  /** Of the item that waits: its row has the key `<turnId>/<itemId>`. */
  itemId: z.string(),
  /**
   * open       it waits for an answer until `expiresAt`
   * answered   by `decidedBy`
   * expired    nobody answered: declined
   * withdrawn  Codex does not wait any more, because its turn has ended
   */
  state: z.enum(['open', 'answered', 'expired', 'withdrawn']),
  decision: approvalDecision.optional(),
  decidedBy: z.string().optional(),
  explanation: z.string().optional(),
  /** Milliseconds since the epoch. */
  requestedAt: z.number(),
  expiresAt: z.number(),
  decidedAt: z.number().optional(),
});
export type ApprovalFrame = z.infer<typeof approvalFrame>;

export const approvalsFrame = z.object({
  type: z.literal('bridge.approvals'),
  /** Those that are open, oldest first. */
  items: z.array(approvalFrame.omit({ type: true })),
});

export const echoFrame = z.object({
  type: z.literal('bridge.echo'),
  ts: z.number(),
  tag: z.string().optional(),
  payload: z.json().optional(),
});

export const machineItem = z.object({
  id: z.string(),
  sessionId: z.string(),
  parentId: z.string().nullable(),
  machine: z.string(),
  /** Dotted path of the active states, e.g. `watching.settled`. */
  state: z.string(),
  status: z.enum(['active', 'done', 'error', 'stopped']),
  since: z.number(),
  restarts: z.int(),
  lastError: z.string().nullable(),
  /** Null of an actor that is just being made. */
  lastEvent: machineCause.nullable(),
  /** A bounded, redacted summary. */
  context: z.record(z.string(), z.json()),
});
export type MachineItem = z.infer<typeof machineItem>;

export const machinesFrame = z.object({
  type: z.literal('bridge.machines'),
  items: z.array(machineItem),
});

export const convexStatusFrame = z.object({
  type: z.literal('bridge.convex_status'),
  mode: z.enum(['embedded', 'sidecar', 'remote']),
  state: z.string(),
  healthy: z.boolean(),
  url: z.string(),
  db: z.string().nullable(),
  tables: z.record(z.string(), z.number()).nullable(),
  since: z.number(),
  lastError: z.string().nullable(),
});
export type ConvexStatusFrame = z.infer<typeof convexStatusFrame>;

/** What an official Convex client passes to `setAuth`; it asks again when the token nears its end. */
export const convexTokenFrame = z.object({
  type: z.literal('bridge.convex_token'),
  /** Where this client reaches Convex. */
  url: z.string(),
  token: z.string(),
  /** Milliseconds since the epoch. */
  expiresAt: z.number(),
});
export type ConvexTokenFrame = z.infer<typeof convexTokenFrame>;

export const watchStatusFrame = z.object({
  type: z.literal('bridge.sessions_watch_status'),
  enabled: z.boolean(),
  state: z.string(),
  root: z.string(),
  files: z.object({ known: z.int(), tailing: z.int(), behind: z.int(), quarantined: z.int() }),
  bytes: z.object({ read: z.number(), pending: z.number() }),
  items: z.object({ inserted: z.int(), known: z.int(), rejected: z.int() }),
  lastEventAt: z.number().nullable(),
  lastError: z.string().nullable(),
  /** Why changes are seen by polling, or not at all in some directory; null when all is well. */
  degraded: z.string().nullable(),
  restarts: z.int(),
  since: z.number(),
  /** Only in replies: the lines that were set aside last, the newest first, at most 20. */
  setAside: z
    .array(
      z.object({
        path: z.string(),
        offset: z.number(),
        length: z.number(),
        /** Hex, of the line without its newline. */
        sha256: z.string(),
        reason: z.string(),
        parserVersion: z.int(),
      }),
    )
    .optional(),
});
export type WatchStatusFrame = z.infer<typeof watchStatusFrame>;

export const backfillState = z.enum([
  'idle',
  'scanning',
  'importing',
  'paused',
  'done',
  'cancelled',
  'failed',
]);
export type BackfillState = z.infer<typeof backfillState>;

/** One import of old session files, in replies and in broadcasts. */
export const backfillFrame = z.object({
  type: z.literal('bridge.convex_backfill'),
  /** Null while there was none since the bridge was started. */
  jobId: z.string().nullable(),
  /** `startup`: what the bridge found by itself. `request`: somebody asked for it. */
  kind: z.enum(['startup', 'request']).nullable(),
  state: backfillState,
  /** As it was asked for; `since` in milliseconds since the epoch. */
  selection: z.object({
    limit: z.int().optional(),
    since: z.number().optional(),
    path: z.string().optional(),
  }),
  files: z.object({ total: z.int(), done: z.int(), failed: z.int() }),
  bytes: z.object({ total: z.number(), done: z.number() }),
  /** Since this bridge process took up the job. */
  messages: z.object({ inserted: z.int(), known: z.int() }),
  /** Of the last seconds; null when nothing is imported, or too little yet. */
  bytesPerSecond: z.number().nullable(),
  etaMs: z.number().nullable(),
  /** The latest files that failed, at most 20. */
  failures: z.array(z.object({ path: z.string(), reason: z.string() })),
  /** Why it is paused, or has failed. */
  lastError: z.string().nullable(),
  /** Milliseconds since the epoch. */
  startedAt: z.number().nullable(),
  since: z.number(),
});
export type BackfillFrame = z.infer<typeof backfillFrame>;

export const bridgeStatusFrame = z.object({
  type: z.literal('bridge.status'),
  bind: z.string(),
  version: z.string(),
  pid: z.int(),
  uptimeMs: z.number(),
  codex: z.object({ bin: z.string(), version: z.string().nullable() }),
  runs: z.object({ active: z.int(), queued: z.int() }),
  lastThreadId: z.string().nullable(),
  convexUrl: z.string(),
  convexHealthy: z.boolean(),
  actors: z.array(
    machineItem.pick({
      id: true,
      sessionId: true,
      parentId: true,
      machine: true,
      state: true,
      status: true,
      since: true,
      restarts: true,
      lastError: true,
    }),
  ),
});
export type BridgeStatusFrame = z.infer<typeof bridgeStatusFrame>;

/** One item as its session file has it. */
export const messageFrame = z.object({
  type: z.literal('bridge.message'),
  messageId: z.string(),
  threadId: z.string(),
  /** Characters of the item's JSON. */
  length: z.int(),
  part: z.int(),
  parts: z.int(),
  /** The whole item, where that is one part: the row's fields, with base64 content as `data`. */
  item: z.json().optional(),
  /** Otherwise this part of the item's JSON: all parts, one after another, are the whole. */
  json: z.string().optional(),
});
export type MessageFrame = z.infer<typeof messageFrame>;

/** What a supervisor did, as every subscriber sees it. */
export const supervisorFrame = z.object({
  type: z.literal('bridge.supervisor'),
  supervisor: z.string(),
  event: z.enum(['child.started', 'child.failed', 'child.restarted', 'child.stopped', 'escalated']),
  child: z.string().optional(),
  error: z.string().optional(),
  attempt: z.int().optional(),
  /** Milliseconds that the restart waited. */
  delay: z.number().optional(),
});

/** A code that opens one door, once; `oa-bridge pair` shows its links as QR codes. */
export const pairingFrame = z.object({
  type: z.literal('bridge.pairing'),
  pairingId: z.string(),
  code: z.string(),
  /** Milliseconds since the epoch. */
  expiresAt: z.number(),
  /** The ways to this machine from others in its networks, the likeliest first. */
  addresses: z.array(z.object({ bridgeUrl: z.string(), convexUrl: z.string(), link: z.string() })),
});
export type PairingFrame = z.infer<typeof pairingFrame>;

/** All that a device gets that shows a code: with this it comes back as a client. */
export const pairedFrame = z.object({
  type: z.literal('bridge.paired'),
  bridgeId: z.string(),
  machineId: z.string(),
  token: z.string(),
  convexUrl: z.string(),
});
export type PairedFrame = z.infer<typeof pairedFrame>;

/** Somebody has shown the code. */
const clientPairedFrame = z.object({
  type: z.literal('bridge.client_paired'),
  pairingId: z.string(),
  /** Of the device. */
  address: z.string(),
});

const clientFrame = z.object({
  type: z.enum(['bridge.client_connected', 'bridge.client_disconnected']),
  clientId: z.string(),
  clients: z.int(),
});

/** A reply to one client; the gateway adds `replyTo`. */
export const replyFrame = z.discriminatedUnion('type', [
  echoFrame,
  bridgeStatusFrame,
  convexStatusFrame,
  convexTokenFrame,
  watchStatusFrame,
  backfillFrame,
  runFrame,
  runsFrame,
  approvalFrame,
  approvalsFrame,
  machinesFrame,
  machineHistoryFrame,
  watchingFrame,
  messageFrame,
  projectsFrame,
  skillsFrame,
  sessionsVerifyFrame,
  pairingFrame,
]);
export type ReplyFrame = z.infer<typeof replyFrame>;

/** A broadcast; the gateway adds `seq` and `ts`. */
export const broadcast = z.discriminatedUnion('type', [
  runFrame,
  approvalFrame,
  watchStatusFrame,
  backfillFrame,
  convexStatusFrame,
  supervisorFrame,
  clientFrame,
  clientPairedFrame,
  projectsFrame,
  skillsFrame,
  sessionsVerifyFrame,
]);
export type Broadcast = z.infer<typeof broadcast>;

/** A line as Codex printed it, for clients that connected with `?wrap=1`; others get `line` alone. */
export const codexLineFrame = z.object({
  type: z.literal('codex.line'),
  seq: z.number(),
  runId: z.string(),
  threadId: z.string(),
  stream: z.enum(['stdout', 'stderr']),
  line: z.string(),
});
export type CodexLineFrame = z.infer<typeof codexLineFrame>;

export const helloFrame = z.object({
  type: z.literal('bridge.hello'),
  protocol: z.literal(1),
  bridgeId: z.string(),
  machineId: z.string(),
  version: z.string(),
  convexUrl: z.string(),
  /** Sequence numbers of the oldest and newest line that can be replayed; 0 and 0 when there is none. */
  replay: z.object({ from: z.number(), to: z.number() }),
});
export type HelloFrame = z.infer<typeof helloFrame>;

export const errorFrame = z.object({
  type: z.literal('bridge.error'),
  replyTo: z.union([z.string(), z.number()]).optional(),
  code: controlErrorCode,
  message: z.string(),
  issues: z.array(z.unknown()).optional(),
  /** With `conflict` of a backfill: the one that goes on. */
  jobId: z.string().optional(),
});
