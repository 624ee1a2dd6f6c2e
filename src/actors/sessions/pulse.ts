/** The regular looks at the file system, and the notice that the event loop stood still. */

export interface PulseTimes {
  /** Milliseconds between ticks; active files are looked at every second one. */
  tick: number;
  /** Milliseconds between looks at directories that cannot be watched. */
  poll: number;
  /** Milliseconds between looks at everything. */
  sweep: number;
}

export interface PulseHandlers {
  everySecond: () => void;
  everyPoll: () => void;
  everySweep: () => void;
  afterStall: () => void;
}

/**
 * A sweep of 20,000 files costs 0.1 s of work: once a minute it is 0.2% of a core.
 * Polling costs as much for the directories that it is needed for.
 */
const DEFAULT_TIMES: PulseTimes = { tick: 500, poll: 2_000, sweep: 60_000 };

/** Milliseconds by which a tick must be late for a stall that may have lost events. */
const STALL = 500;

export class Pulse {
  readonly #handlers: PulseHandlers;
  readonly #times: PulseTimes;
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #last = { monotonic: 0, wall: 0 };

  constructor(handlers: PulseHandlers, times: Partial<PulseTimes> = {}) {
    this.#handlers = handlers;
    this.#times = { ...DEFAULT_TIMES, ...times };
  }

  start(): void {
    this.#last = moment();
    this.#timer = setInterval(() => this.#tick(), this.#times.tick);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const { tick, poll, sweep } = this.#times;
    const present = moment();
    // The monotonic clock stands still while a laptop sleeps, the other one does not.
    const passed = Math.max(
      present.monotonic - this.#last.monotonic,
      present.wall - this.#last.wall,
    );
    this.#last = present;
    this.#ticks += 1;
    const isEvery = (interval: number) =>
      this.#ticks % Math.max(1, Math.round(interval / tick)) === 0;
    if (passed - tick > STALL) this.#handlers.afterStall();
    else if (isEvery(sweep)) this.#handlers.everySweep();
    else if (isEvery(poll)) this.#handlers.everyPoll();
    if (isEvery(2 * tick)) this.#handlers.everySecond();
  }
}

function moment(): { monotonic: number; wall: number } {
  return { monotonic: performance.now(), wall: Date.now() };
}
