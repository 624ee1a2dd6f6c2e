/** Gets one job into Convex: in as few transactions as its limits allow, and around what it refuses. */
import type { FunctionArgs, FunctionReturnType } from 'convex/server';
import { getConvexSize } from 'convex/values';
import type { api } from '../../../convex/_generated/api.js';
import type { ThreadItem } from '../../codex/thread-item.ts';
import type { BridgeError } from '../../errors.ts';
import type { WriteJob, WriteResult } from '../../machines/protocol.ts';
import { convexFailure } from './convex-failure.ts';
import { storableItem } from './storable-item.ts';
import { withoutBegun, type WithoutBegun } from './without-begun.ts';

type Ingest = typeof api.messages.ingest;
export type IngestBatch = FunctionArgs<Ingest>;

/** One transaction; rejects with a BridgeError. */
export type IngestPort = (batch: IngestBatch) => Promise<FunctionReturnType<Ingest>>;

/** Of one transaction. Bytes as Convex counts them. */
const BOUNDS = {
  /** As `messages:ingest` bounds a batch. */
  live: { items: 500, bytes: 4 * 1024 * 1024 },
  /** Some 30 ms of the backend's time: a live line waits behind at most two of them. */
  history: { items: 250, bytes: 512 * 1024 },
};

/**
 * Writes the items in order; the cursor moves with the last of them. Items that
 * Convex refuses for what they are come back as `rejected`, everything else is in.
 * Rejects with a BridgeError when nothing can be written now (`convex_unavailable`)
 * or the job as a whole is refused (`convex_rejected`). Doing it again is safe.
 */
export async function commitJob(
  ingest: IngestPort,
  machineId: string,
  job: WriteJob,
): Promise<WriteResult> {
  const { items, begun } = withoutBegun(job.items.map(storableItem));
  // Where the file is goes with its cursor, as well.
  const { rolloutPath: _, archived: __, ...placeless } = job.thread;
  const write = async (items: ThreadItem[], moves: boolean): Promise<WriteResult> => {
    const written = await ingest({
      machineId,
      thread: moves ? job.thread : placeless,
      items,
      ...(moves && job.cursor ? { cursor: job.cursor } : {}),
      ...(moves && job.after ? { after: job.after } : {}),
    });
    // Counted as they were read: an end finds its row there.
    const ended = items.filter((item) => begun.has(item)).length;
    return { ...written, known: written.known + ended, rejected: [] };
  };
  const writer = { write, begun };
  const batches = inBatches(items, BOUNDS[job.priority]);
  let result: WriteResult | undefined;
  for (const [index, batch] of batches.entries()) {
    const written = await writeAround(writer, batch, index === batches.length - 1);
    result = result ? sum(result, written) : written;
  }
  return result ?? (await write([], true));
}

type Write = (items: ThreadItem[], movesCursor: boolean) => Promise<WriteResult>;
type Writer = Pick<WithoutBegun, 'begun'> & { write: Write };

/** Halves what is refused until the single bad item is found. */
async function writeAround(
  writer: Writer,
  items: ThreadItem[],
  movesCursor: boolean,
): Promise<WriteResult> {
  const { write, begun } = writer;
  try {
    return await write(items, movesCursor);
  } catch (thrown) {
    const error = convexFailure(thrown);
    const [first] = items;
    if (error.retryable || first === undefined) throw error;
    const beginning = begun.get(first);
    if (items.length === 1 && beginning !== undefined) {
      // The end may be to blame, and the beginning not.
      begun.delete(first);
      return await writeAround(writer, [beginning, first], movesCursor);
    }
    if (items.length === 1) return await writeWithout(write, first, movesCursor, error);
    const middle = items.length >> 1;
    const head = await writeAround(writer, items.slice(0, middle), false);
    return sum(head, await writeAround(writer, items.slice(middle), movesCursor));
  }
}

/**
 * The item is to blame only if it is refused again, and the same batch without it
 * is taken: a backend that refuses everything for a while must cost nobody a line.
 */
async function writeWithout(
  write: Write,
  item: ThreadItem,
  movesCursor: boolean,
  error: BridgeError,
): Promise<WriteResult> {
  try {
    return await write([item], movesCursor);
  } catch (again) {
    if (convexFailure(again).retryable) throw again;
  }
  let rest: WriteResult;
  try {
    rest = await write([], movesCursor);
  } catch (thrown) {
    const failure = convexFailure(thrown);
    throw failure.retryable ? failure : error;
  }
  return { ...rest, rejected: [{ key: item.key, reason: error.message }] };
}

function inBatches(items: ThreadItem[], bounds: { items: number; bytes: number }): ThreadItem[][] {
  const batches: ThreadItem[][] = [];
  let bytes = 0;
  for (const item of items) {
    const size = getConvexSize({ text: item.text, data: item.data });
    const last = batches.at(-1);
    if (last && last.length < bounds.items && bytes + size <= bounds.bytes) {
      last.push(item);
      bytes += size;
    } else {
      batches.push([item]);
      bytes = size;
    }
  }
  return batches;
}

function sum(one: WriteResult, other: WriteResult): WriteResult {
  return {
    threadDocId: other.threadDocId,
    threadId: other.threadId,
    inserted: one.inserted + other.inserted,
    known: one.known + other.known,
    claimed: one.claimed + other.claimed,
    rejected: [...one.rejected, ...other.rejected],
    ...(other.stored === undefined ? {} : { stored: other.stored }),
  };
}
