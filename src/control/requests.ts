/** Every request a client may send, one schema a verb. Unknown extra fields are ignored. */
import { z } from 'zod';
import { projectItem } from './library.ts';
import { approvalDecision, approvalMode, onConflict, sandboxMode } from './modes.ts';

const id = z.union([z.string().max(256), z.number()]).optional();

/** `threadDocId` etc. are opaque ids: short, and never a path. */
const opaqueId = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]*$/, 'letters, digits, ".", "_", ":" and "-" only')
  // Things are looked up by it in plain objects, which have "constructor" and its like by birth.
  .refine((id) => !(id in {}), 'no such id can be');

/** Which session files; without any of these, all of them. */
export const backfillSelection = z.object({
  /** Only so many, the newest. */
  limit: z.int().min(1).optional(),
  /** Only what changed then or later: milliseconds since the epoch, or ISO 8601 (a date alone is UTC). */
  since: z
    .union([
      z.number().min(0).max(8.64e15),
      z.union([z.iso.date(), z.iso.datetime({ offset: true })]).transform(Date.parse),
    ])
    .optional(),
  /** A session file or a directory on the machine of the bridge; absolute, no link. */
  path: z.string().min(1).max(4_096).optional(),
});

/** Codex takes no more in one piece; sent on stdin, never as an argument. */
const promptText = z.string().min(1).max(1_000_000);

const echoFields = { id, payload: z.json().optional(), tag: z.string().max(256).optional() };

export const controlRequest = z.discriminatedUnion('control', [
  z.object({ control: z.literal('echo'), ...echoFields }),
  z.object({ control: z.literal('debug.echo'), ...echoFields }),
  z.object({ control: z.literal('debug.ping'), ...echoFields }),
  z.object({ control: z.literal('bridge.status'), id }),
  z.object({ control: z.literal('convex.status'), id }),
  z.object({ control: z.literal('convex.token'), id }),
  z.object({ control: z.literal('pair.open'), id }),
  z.object({
    control: z.literal('convex.backfill'),
    id,
    ...backfillSelection.shape,
  }),
  z.object({ control: z.literal('convex.backfill_cancel'), id, jobId: opaqueId }),
  z.object({ control: z.literal('convex.backfill_status'), id }),
  z.object({ control: z.literal('sessions.watch_status'), id }),
  z.object({ control: z.literal('sessions.watch'), id, enabled: z.boolean() }),
  z.object({
    control: z.literal('run.submit'),
    /** A text is remembered for a day: the same again is the same run. Numbers only count requests. */
    id,
    threadDocId: opaqueId,
    text: promptText,
    projectId: opaqueId.optional(),
    /** A Codex session id, `"new"`/`"none"` for a fresh one, `"last"` (default) for the thread's own. */
    resumeId: opaqueId.optional(),
    model: z
      .string()
      .min(1)
      .max(128)
      .regex(/^[^-\s]\S*$/)
      .optional(),
    sandbox: sandboxMode.optional(),
    approvals: approvalMode.optional(),
    onConflict: onConflict.optional(),
  }),
  /** Another text for a run that still waits. */
  z.object({ control: z.literal('run.edit'), id, runId: opaqueId, text: promptText }),
  /** More words for a turn that goes on. */
  z.object({ control: z.literal('run.steer'), id, runId: opaqueId, text: promptText }),
  z.object({ control: z.literal('run.status'), id, runId: opaqueId }),
  z.object({
    control: z.literal('runs.list'),
    id,
    state: z.string().max(64).optional(),
    limit: z.int().min(1).max(500).optional(),
  }),
  z.object({
    control: z.literal('interrupt'),
    id,
    runId: opaqueId.optional(),
    threadDocId: opaqueId.optional(),
  }),
  z
    .object({
      control: z.literal('sessions.verify'),
      id,
      /** Exactly one of these four. A thread by its document's id, its `threadId` or Codex's id. */
      all: z.literal(true).optional(),
      thread: opaqueId.optional(),
      path: z.string().min(1).max(4096).optional(),
      cancel: z.literal(true).optional(),
      /** Inserts what is missing, patches what differs, corrects counters. */
      repair: z.boolean().optional(),
      /** With `repair`: also deletes rows that neither a file nor a run accounts for. */
      removeExtra: z.boolean().optional(),
    })
    .refine(
      (request) =>
        [request.all, request.thread, request.path, request.cancel].filter(
          (target) => target !== undefined,
        ).length === 1,
      'give exactly one of all, thread, path and cancel',
    ),
  z.object({ control: z.literal('approvals.list'), id }),
  z.object({
    control: z.literal('approval.answer'),
    id,
    approvalId: opaqueId,
    decision: approvalDecision,
  }),
  z.object({ control: z.literal('machines.list'), id }),
  z.object({
    control: z.literal('machines.history'),
    id,
    /** As `machines.list` names it; without it all of them. */
    actorId: z.string().min(1).max(4_200).optional(),
  }),
  z.object({
    control: z.literal('machines.watch'),
    id,
    /** Only the actors with these ids. A second watch of a connection takes the place of the first. */
    ids: z.array(z.string().min(1).max(4_200)).max(1_000).optional(),
    /** `replay`: whole events, as recordings hold them, instead of summaries. */
    detail: z.enum(['summary', 'replay']).optional(),
  }),
  z.object({ control: z.literal('machines.unwatch'), id }),
  z.object({ control: z.literal('projects'), id }),
  /** Written to its file first, and mirrored from there; keys that are no fields and the body stay. */
  z.object({ control: z.literal('project.save'), id, project: projectItem }),
  /** Without `projectId` the request's own `id` is the project's, as older clients send it. */
  z.object({ control: z.literal('project.delete'), id, projectId: opaqueId.optional() }),
  z.object({ control: z.literal('skills'), id, projectId: opaqueId.optional() }),
  z.object({
    control: z.literal('message.full'),
    id,
    messageId: opaqueId,
    /** Which part of an item that does not fit into one frame, from 0. */
    part: z.int().min(0).optional(),
  }),
]);

export type ControlRequest = z.infer<typeof controlRequest>;
export type ControlVerb = ControlRequest['control'];
