/**
 * Flushes of all connections that are due in one turn of the event loop start together at
 * its end: several commits become one transition, and queries that several connections need
 * are asked for in one batch. It also lets the answer of a mutation, which arrives with its
 * commit, go out before the transition that shows it.
 */
export class FlushScheduler {
  #due = new Set<() => void>();

  schedule(flush: () => void): void {
    if (this.#due.size === 0) setImmediate(() => this.#run());
    this.#due.add(flush);
  }

  #run(): void {
    const due = this.#due;
    this.#due = new Set();
    for (const flush of due) flush();
  }
}
