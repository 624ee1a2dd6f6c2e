/**
 * Signals for a process and all that it started. Codex gives each command a session
 * of its own, and when it dies by anything but SIGINT their children live on (seen
 * with 0.169), so signalling its own process group is not enough.
 */
import { execa } from 'execa';
import type { KillSignal } from '../../machines/codex-process-events.ts';
import { descendantsOf, listProcesses } from './process-table.ts';

export class ProcessTree {
  readonly #pid: number;
  /** Process groups seen below; they stay known when their parents are gone. */
  readonly #groups = new Set<number>();

  /** `pid` must lead a process group. */
  constructor(pid: number) {
    this.#pid = pid;
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
    if (signal !== 'SIGINT') await this.#look();
    signalGroup(this.#pid, signal);
    if (signal === 'SIGINT') return;
    for (const group of this.#groups) signalGroup(group, signal);
  }

  /** Ends what the process has left behind, as far as it was seen. At once. */
  sweep(): void {
    for (const group of this.#groups) signalGroup(group, 'SIGKILL');
  }

  /** For when there is no time to look around. */
  killNow(): void {
    signalGroup(this.#pid, 'SIGKILL');
    this.sweep();
  }

  async #look(): Promise<void> {
    const own = new Set([this.#pid, process.pid]);
    for (const row of descendantsOf(this.#pid, await listProcesses().catch(() => []))) {
      if (!own.has(row.group)) this.#groups.add(row.group);
    }
  }
}

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
