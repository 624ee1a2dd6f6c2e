/** What runs have printed and the writer has not acknowledged yet. Pure. */
import type { ThreadItem, ThreadPatch } from '../codex/thread-item.ts';
import type { WriteJob } from './protocol.ts';

export interface RunOutbox {
  jobs: readonly WriteJob[];
  /** Rough size of what is in the jobs. */
  bytes: number;
  /** Begins the ids of the jobs; tells them from those of an actor before this one. */
  life: string;
  /** All jobs ever; numbers them. */
  count: number;
  /** Items left out because too much was waiting; the session files have them. */
  dropped: number;
}

export function emptyOutbox(life: string): RunOutbox {
  return { jobs: [], bytes: 0, life, count: 0, dropped: 0 };
}

/**
 * The stream is for immediacy, the file is for truth: while Convex is away this much
 * is kept, and no more.
 */
const MAX_OUTBOX_BYTES = 8 * 1024 * 1024;
const MAX_OUTBOX_JOBS = 1_000;

/** Null as the job when there is no room for it. */
export function posted(
  outbox: RunOutbox,
  thread: ThreadPatch,
  items: ThreadItem[],
  bytes: number,
): { outbox: RunOutbox; job: WriteJob | null } {
  if (outbox.jobs.length >= MAX_OUTBOX_JOBS || outbox.bytes + bytes > MAX_OUTBOX_BYTES) {
    return { outbox: { ...outbox, dropped: outbox.dropped + items.length }, job: null };
  }
  const count = outbox.count + 1;
  const job: WriteJob = {
    id: `run-${outbox.life}-${count}`,
    origin: 'run',
    priority: 'live',
    thread,
    items,
    bytes,
  };
  return {
    outbox: { ...outbox, jobs: [...outbox.jobs, job], bytes: outbox.bytes + bytes, count },
    job,
  };
}

export function acknowledged(outbox: RunOutbox, jobId: string): RunOutbox {
  const job = outbox.jobs.find(({ id }) => id === jobId);
  if (job === undefined) return outbox;
  return {
    ...outbox,
    jobs: outbox.jobs.filter((other) => other !== job),
    bytes: outbox.bytes - job.bytes,
  };
}
