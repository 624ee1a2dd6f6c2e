import type { Commit, ReadSet } from '../executor.ts';

/**
 * The newest commits, to judge a result that was computed a moment ago. It remembers a bounded
 * number of writes; about older ones it says the safe thing.
 */
export class CommitLog {
  readonly #maxWrites: number;
  #commits: Commit[] = [];
  #writes = 0;
  /** Everything after this is known. */
  #knownSince: bigint;

  /** The default is a few seconds of heavy writing, and about 2 MB. */
  constructor(ts: bigint, maxWrites = 20_000) {
    this.#knownSince = ts;
    this.#maxWrites = maxWrites;
  }

  add(commit: Commit): void {
    this.#commits.push(commit);
    this.#writes += weight(commit);
    if (this.#writes > this.#maxWrites) this.#forgetOldest();
  }

  /**
   * The timestamp of the first commit after `ts` that changed something in the read set, or
   * null. Where that is not known any more, the earliest that it can have been.
   */
  firstChange(readSet: ReadSet, ts: bigint): bigint | null {
    if (ts < this.#knownSince) return ts + 1n;
    // Nearly always nothing or very little came later, so look from the end.
    let first: bigint | null = null;
    for (let at = this.#commits.length - 1; at >= 0; at--) {
      const commit = this.#commits[at];
      if (commit === undefined || commit.ts <= ts) break;
      if (touches(commit, readSet)) first = commit.ts;
    }
    return first;
  }

  /** Something up to `ts` was missed, so nothing until then is known. */
  forget(ts: bigint): void {
    this.#commits = [];
    this.#writes = 0;
    this.#knownSince = ts;
  }

  /** Half at a time, so that forgetting costs little for each commit. */
  #forgetOldest(): void {
    let forgotten = 0;
    while (this.#writes > this.#maxWrites / 2 && forgotten < this.#commits.length) {
      const commit = this.#commits[forgotten++];
      if (commit === undefined) break;
      this.#writes -= weight(commit);
      this.#knownSince = commit.ts;
    }
    this.#commits = this.#commits.slice(forgotten);
  }
}

/** A commit without writes (one that only records a request) takes room as well. */
function weight(commit: Commit): number {
  return commit.writes.length + 1;
}

function touches(commit: Commit, readSet: ReadSet): boolean {
  return commit.writes.some(({ index, key }) =>
    readSet.some(
      (interval) =>
        interval.index === index &&
        Buffer.compare(interval.from, key) <= 0 &&
        (interval.to === null || Buffer.compare(interval.to, key) > 0),
    ),
  );
}
