/** Whose code runs: the request's ticket and, in a batch of queries, the place. */
export interface RunPlace {
  ticket: number;
  part: number;
}

/**
 * A few numbers that both threads see at any time, also while the engine's thread is caught in
 * a loop. The engine writes what it is doing; the main thread may turn `running` into
 * `givenUp`, and only one of the two wins that race.
 */
export class Heartbeat {
  readonly buffer: SharedArrayBuffer;
  readonly #fields: Int32Array;

  constructor(buffer = new SharedArrayBuffer(fieldCount * Int32Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#fields = new Int32Array(buffer);
  }

  /** Engine: code of this request gets the thread. */
  started(ticket: number, part: number): void {
    Atomics.store(this.#fields, ticketField, ticket);
    Atomics.store(this.#fields, partField, part);
    Atomics.add(this.#fields, beatField, 1);
    Atomics.store(this.#fields, stateField, running);
  }

  /** Engine: it has given the thread back. Never returns when the run was given up before. */
  finished(): void {
    const before = Atomics.compareExchange(this.#fields, stateField, running, idle);
    // Whoever gave the run up ends this thread; until then nothing more may come of it.
    if (before === givenUp) Atomics.wait(this.#fields, stateField, givenUp);
    Atomics.add(this.#fields, beatField, 1);
  }

  /** Engine: the event loop turns. */
  beat(): void {
    Atomics.add(this.#fields, beatField, 1);
  }

  /** Engine: takes its time with what is not a function's code, and is not to be disturbed. */
  whileReloading<Result>(run: () => Result): Result {
    Atomics.store(this.#fields, stateField, reloading);
    try {
      return run();
    } finally {
      Atomics.store(this.#fields, stateField, idle);
      Atomics.add(this.#fields, beatField, 1);
    }
  }

  /** Main thread: whether that is so. */
  get isReloading(): boolean {
    return Atomics.load(this.#fields, stateField) === reloading;
  }

  /** Main thread: changes whenever the engine gets anywhere. */
  get count(): number {
    return Atomics.load(this.#fields, beatField);
  }

  /** Main thread: whether a query's or mutation's code has the thread. */
  get isRunning(): boolean {
    return Atomics.load(this.#fields, stateField) === running;
  }

  /** Main thread: whose code runs, or null; from here on it can only be the loser. */
  giveUp(): RunPlace | null {
    const before = Atomics.compareExchange(this.#fields, stateField, running, givenUp);
    if (before !== running) return null;
    return {
      ticket: Atomics.load(this.#fields, ticketField),
      part: Atomics.load(this.#fields, partField),
    };
  }
}

const stateField = 0;
const ticketField = 1;
const partField = 2;
const beatField = 3;
const fieldCount = 4;

const idle = 0;
const running = 1;
const givenUp = 2;
const reloading = 3;
