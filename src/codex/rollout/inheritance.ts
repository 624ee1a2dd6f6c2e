/**
 * Which lines of a file were copied from a parent thread: the parent's own file has
 * them. Pure.
 */
import { z } from 'zod';
import { timeOfUuid } from '../time-of-uuid.ts';
import type { RolloutLine } from './line.ts';

/** A copy is written in one go; what follows it was typed or waited for. */
const COPY_LIMIT_MS = 1_000;

const turnIds = z.object({
  turn_id: z.string().optional().catch(undefined),
  internal_chat_message_metadata_passthrough: z
    .object({ turn_id: z.string().optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

interface Copy {
  /** Milliseconds since the epoch, as all times here. */
  threadMadeAt: number;
  firstTs: number | undefined;
  sawTurns: boolean;
}

export class Inheritance {
  /** Files that number their lines say where their own begin. */
  #firstOwnOrdinal = 0;
  /** Set while lines of a fork of the older generation are read that may be copies. */
  #copied: Copy | undefined;

  /** After the file's own session meta. */
  begin(firstOwnOrdinal: number | undefined): void {
    this.#firstOwnOrdinal = firstOwnOrdinal ?? 0;
  }

  /** After another thread's session meta right behind the own one: its lines follow, copied. */
  copyBegins(threadMadeAt: number, ts: number | undefined): void {
    this.#copied = { threadMadeAt, firstTs: ts, sawTurns: false };
  }

  covers(line: RolloutLine): boolean {
    if (line.ordinal !== undefined && line.ordinal < this.#firstOwnOrdinal) return true;
    if (!this.#copied || line.type === 'session_meta') return false;
    if (this.#isCopy(this.#copied, line)) return true;
    this.#copied = undefined;
    return false;
  }

  /**
   * A copied line keeps its turn's id, which holds the time at which the turn was
   * made: before this thread was. Releases before 0.101 have no such ids.
   */
  #isCopy(copied: Copy, line: RolloutLine): boolean {
    const parsed = turnIds.safeParse(line.payload);
    const turnId =
      parsed.data?.turn_id ?? parsed.data?.internal_chat_message_metadata_passthrough?.turn_id;
    const madeAt = turnId === undefined ? undefined : timeOfUuid(turnId);
    if (madeAt !== undefined) {
      copied.sawTurns = true;
      return madeAt < copied.threadMadeAt;
    }
    if (copied.sawTurns || line.ts === undefined) return true;
    copied.firstTs ??= line.ts;
    return line.ts - copied.firstTs <= COPY_LIMIT_MS;
  }
}
