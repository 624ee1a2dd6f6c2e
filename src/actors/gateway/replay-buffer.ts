/** The recent past of the broadcast, for clients that come or come back. */
import type { Announcement } from './announcements.ts';

export interface ReplayEntry extends Announcement {
  seq: number;
  isLine: boolean;
}

/** Lines kept, as the control protocol promises. */
const MAX_LINES = 2_000;
/** Entries kept in all: broadcast events ride along, but a flood of them must not grow the buffer. */
const MAX_ENTRIES = 4_000;
/** Bytes kept, of what is wrapped: lines can be megabytes long, and the buffer lives in memory. */
const MAX_BYTES = 16 * 1024 * 1024;

export class ReplayBuffer {
  #entries: ReplayEntry[] = [];
  #lines = 0;
  #bytes = 0;
  #seq: number;

  /**
   * Sequence numbers begin at the clock (milliseconds × 1000), so that a client's
   * `since` from an earlier life of the daemon is below every new one.
   */
  constructor(now: number) {
    this.#seq = now * 1000;
  }

  nextSeq(): number {
    this.#seq += 1;
    return this.#seq;
  }

  push(entry: ReplayEntry): void {
    this.#entries.push(entry);
    this.#lines += entry.isLine ? 1 : 0;
    this.#bytes += entry.wrapped.length;
    while (
      this.#lines > MAX_LINES ||
      this.#entries.length > MAX_ENTRIES ||
      (this.#bytes > MAX_BYTES && this.#entries.length > 1)
    ) {
      const dropped = this.#entries.shift();
      if (dropped === undefined) return;
      this.#lines -= dropped.isLine ? 1 : 0;
      this.#bytes -= dropped.wrapped.length;
    }
  }

  /**
   * Entries after `since`, oldest first; all there are when `since` is not given, or is of an
   * earlier life whose clock was ahead of ours.
   */
  after(since: number | undefined): readonly ReplayEntry[] {
    if (since === undefined || since > this.#seq) return this.#entries;
    const start = this.#entries.findIndex((entry) => entry.seq > since);
    return start === -1 ? [] : this.#entries.slice(start);
  }

  get range(): { from: number; to: number } {
    return { from: this.#entries[0]?.seq ?? 0, to: this.#entries.at(-1)?.seq ?? 0 };
  }
}
