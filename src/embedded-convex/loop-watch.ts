import type { Worker } from 'node:worker_threads';
import type { ExecutionLimits } from './executor-options.ts';
import type { Heartbeat } from './heartbeat.ts';

/**
 * Notices, from the main thread, code that does not give the engine's thread back. It asks for
 * the processor time of that thread, so that a busy machine or a sleeping laptop fails nobody.
 */
export class LoopWatch {
  readonly #worker: Worker;
  readonly #heartbeat: Heartbeat;
  readonly #limits: ExecutionLimits;
  readonly #onLoop: (kind: 'transaction' | 'action') => void;
  #timer: NodeJS.Timeout | undefined;
  /** `cpuMs` is null when the engine was still getting somewhere. */
  #seen: { count: number; cpuMs: number | null } | null = null;
  #isChecking = false;

  constructor(
    worker: Worker,
    heartbeat: Heartbeat,
    limits: ExecutionLimits,
    onLoop: (kind: 'transaction' | 'action') => void,
  ) {
    this.#worker = worker;
    this.#heartbeat = heartbeat;
    this.#limits = limits;
    this.#onLoop = onLoop;
  }

  /** Only while something is asked of the engine: an idle one costs nothing. */
  setActive(isActive: boolean): void {
    if (isActive === (this.#timer !== undefined)) return;
    clearInterval(this.#timer);
    this.#seen = null;
    this.#timer = isActive
      ? setInterval(() => void this.#check(), this.#limits.transactionMs / checksPerLimit).unref()
      : undefined;
  }

  async #check(): Promise<void> {
    const { count } = this.#heartbeat;
    const seen = this.#seen;
    if (seen?.count !== count) this.#seen = { count, cpuMs: null };
    if (seen?.count !== count || this.#isChecking) return;
    this.#isChecking = true;
    const cpuMs = await threadTime(this.#worker);
    this.#isChecking = false;
    // Something may have moved while the answer was on its way.
    if (this.#seen !== seen || this.#heartbeat.count !== count) return;
    seen.cpuMs ??= cpuMs;
    this.#judge(cpuMs - seen.cpuMs);
  }

  #judge(usedMs: number): void {
    const { transactionMs } = this.#limits;
    // Top-level code has a limit of its own, and the building of an index takes what it takes.
    if (usedMs < transactionMs || this.#heartbeat.isReloading) return;
    if (this.#heartbeat.isRunning) this.#onLoop('transaction');
    else if (usedMs >= transactionMs * actionAllowance) this.#onLoop('action');
  }
}

/** A run is found out this much of its limit too late at most. */
const checksPerLimit = 4;
/** An action may compute in one piece for this many times what a transaction may run in all. */
const actionAllowance = 10;
/** Where the thread's own time is not to be had, the clock stands in, with a wide margin. */
const clockMargin = 5;

async function threadTime(worker: Worker): Promise<number> {
  // Node has it since 24.6.
  if (typeof worker.cpuUsage !== 'function') return performance.now() / clockMargin;
  try {
    const { user, system } = await worker.cpuUsage();
    return (user + system) / 1000;
  } catch {
    // The thread has just ended.
    return 0;
  }
}
