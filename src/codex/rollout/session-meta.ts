/** What the first line of a session file says about its thread. Pure. */
import { z } from 'zod';
import type { ThreadPatch } from '../thread-item.ts';

const text = z.string().optional().catch(undefined);
const anyObject = z.looseObject({}).optional().catch(undefined);

export const sessionMeta = z.object({
  id: z.string(),
  timestamp: text,
  cwd: text,
  cli_version: text,
  model: text,
  parent_thread_id: text,
  forked_from_id: text,
  source: z.string().or(anyObject).optional().catch(undefined),
  agent_nickname: text,
  /** Lines before this ordinal were copied from the parent. */
  subagent_history_start_ordinal: z.number().optional().catch(undefined),
  /** Where the history before this file ends: a fork's in its parent, else in a file of the same thread. */
  history_base: z.object({ end_ordinal_exclusive: z.number() }).optional().catch(undefined),
});
export type SessionMeta = z.infer<typeof sessionMeta>;

/** `{ subagent: { thread_spawn: { parent_thread_id } } }`: the parent, in files that say it nowhere else. */
const spawned = z.object({
  subagent: z.object({ thread_spawn: z.object({ parent_thread_id: z.string() }) }),
});

export function threadOfMeta(meta: SessionMeta): ThreadPatch {
  const thread: ThreadPatch = { resumeId: meta.id, source: 'external' };
  const createdAt = meta.timestamp === undefined ? Number.NaN : Date.parse(meta.timestamp);
  const parent =
    meta.parent_thread_id ??
    spawned.safeParse(meta.source).data?.subagent.thread_spawn.parent_thread_id ??
    meta.forked_from_id;
  if (parent !== undefined && parent !== meta.id) thread.parentThreadId = parent;
  if (meta.cwd !== undefined) thread.cwd = meta.cwd;
  if (meta.model !== undefined) thread.model = meta.model;
  if (meta.cli_version !== undefined) thread.cliVersion = meta.cli_version;
  if (!Number.isNaN(createdAt)) thread.createdAt = createdAt;
  if (meta.agent_nickname !== undefined) {
    thread.title = { text: meta.agent_nickname, source: 'default' };
  }
  return thread;
}

const FILE_NAME =
  /rollout-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/i;

/** After `thread/revert` a thread goes on in a further file, named by its thread and itself. */
export function isSegmentPath(path: string): boolean {
  return /_[0-9a-f]{8}-[0-9a-f-]{27}\.jsonl(?:\.zst)?$/i.test(path);
}

/** Codex's thread id from a session file's name. */
export function threadIdOfPath(path: string): string | undefined {
  return FILE_NAME.exec(path)?.[1];
}
