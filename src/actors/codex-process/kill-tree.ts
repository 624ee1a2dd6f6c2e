/**
 * Signals for a process and all that it started. Codex gives each command a session
 * of its own, and when it dies by anything but SIGINT their children live on (seen
 * with 0.169), so signalling its own process group is not enough.
 */
import { execa } from 'execa';
import type { KillSignal } from '../../machines/codex-process-events.ts';
import {
  descendantsOf,
  listProcesses,
  processesWithEntry,
  type ProcessRow,
} from './process-table.ts';

export class ProcessTree {
  readonly #pid: number;
  /** What was seen below and is still there: it stays known when its parents are gone. */
  readonly #below = new Map<number, ProcessRow>();
  readonly #mark: string | undefined;
  #lookedAt = -Infinity;

  /**
   * `pid` must lead a process group. `mark` is an entry of its environment (`NAME=value`) that
   * no other process has but what it starts.
   */
  constructor(pid: number, mark?: string) {
    this.#pid = pid;
    this.#mark = mark;
  }

  /**
   * SIGINT goes to the process alone with its group, since Codex then ends its
   * commands itself, in order. The others go to all groups below as well.
   */
  async signal(signal: KillSignal): Promise<void> {
    if (process.platform === 'win32') {
      await endOnWindows(this.#pid);
      return;
    }
    if (signal !== 'SIGINT') await this.look();
    signalGroup(this.#pid, signal);
    if (signal === 'SIGINT') return;
    for (const group of this.#groups()) signalGroup(group, signal);
  }

  /**
   * Remembers what is below: when somebody else has killed the process, nobody can tell any more
   * what it had started.
   */
  async look(): Promise<void> {
    const table = await listProcesses().catch(() => null);
    if (table === null) return;
    const there = new Map(table.map((row) => [row.pid, row.startedAt]));
    for (const { pid, startedAt } of this.#below.values()) {
      if (there.get(pid) !== startedAt) this.#below.delete(pid);
    }
    // A launcher may be gone whose Codex is still there, in the same group.
    const roots = table.filter(({ pid, group }) => pid === this.#pid || group === this.#pid);
    for (const row of roots.flatMap(({ pid }) => descendantsOf(pid, table))) {
      this.#below.set(row.pid, row);
    }
    this.#lookedAt = performance.now();
  }

  /**
   * It has ended: ends what it has left behind, also what was started since the last look. Where
   * the system does not tell, what was seen before is ended.
   */
  async sweep(): Promise<void> {
    const mark = this.#mark;
    for (let sweep = 1; sweep <= MAX_SWEEPS; sweep += 1) {
      await this.look();
      const marked = mark === undefined ? [] : await processesWithEntry(mark).catch(() => []);
      for (const row of marked) this.#below.set(row.pid, row);
      this.killNow();
      // One that is just becoming another program shows no environment, and one that has left its
      // group since it was looked at is not hit: so the last look is one that found nobody.
      if (sweep > 1 && marked.length === 0) return;
    }
  }

  /** Ends it with what it has left behind, as far as that was seen. At once. */
  killNow(): void {
    signalGroup(this.#pid, 'SIGKILL');
    for (const group of this.#groups()) signalGroup(group, 'SIGKILL');
  }

  /** None after a while: their numbers may be others' by then. */
  #groups(): Set<number> {
    if (performance.now() - this.#lookedAt > FRESH_MS) return new Set();
    const groups = new Set([...this.#below.values()].map(({ group }) => group));
    for (const own of [this.#pid, process.pid]) groups.delete(own);
    return groups;
  }
}

/** Each costs some 10 ms. What is killed is gone by the next, or the machine is very busy. */
const MAX_SWEEPS = 10;

/** The ladder of signals is shorter than this, and looks at each step. */
const FRESH_MS = 10_000;

/** Whether there was such a group. */
export function signalGroup(group: number, signal: KillSignal | 0): boolean {
  // 0 and 1 would mean our own group and everyone.
  if (group <= 1) return false;
  try {
    return process.kill(-group, signal);
  } catch {
    return false;
  }
}

/** There are no groups and no SIGINT for them: the tree is ended as a whole. */
async function endOnWindows(pid: number): Promise<void> {
  await execa('taskkill', ['/PID', String(pid), '/T', '/F'], { reject: false });
}
