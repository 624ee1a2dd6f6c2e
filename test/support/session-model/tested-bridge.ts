/** The real daemon and its backend, and what can befall them. */
import { globSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  helloFrame,
  watchStatusFrame,
  type WatchStatusFrame,
} from '../../../src/control/frames.ts';
import type { BridgeConnection } from '../../../src/control/connect-bridge.ts';
import { processGone, startDaemonProcess, type DaemonProcess } from '../daemon-process.ts';
import { descendant, processesWith } from '../processes.ts';
import { Mirror } from './mirror.ts';

/** Nothing is run here; asking the real one at each start would only cost time. */
const NO_CODEX = 'no codex';

export class TestedBridge {
  readonly #folder: string;
  #daemon: DaemonProcess | null = null;
  #connection: BridgeConnection | null = null;
  #mirror: Mirror | null = null;
  #isHalted = false;
  /** Of the daemons that are gone: the last records of each. */
  readonly #log: unknown[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  get isRunning(): boolean {
    return this.#daemon !== null;
  }

  /** Whatever befell it: it runs, and is not halted. */
  async restore(): Promise<void> {
    this.resume();
    if (this.#daemon !== null) return;
    const env = { CODEX_BIN: NO_CODEX };
    this.#daemon = await startDaemonProcess({ folder: this.#folder, env });
    this.#connection = await this.#daemon.connect();
    this.#mirror = await Mirror.open(
      this.#daemon,
      helloFrame.parse(this.#connection.hello).machineId,
    );
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === null) return;
    // What is halted hears of nothing but SIGKILL.
    if (signal === 'SIGTERM') this.resume();
    this.#isHalted = false;
    const backend = await this.#backend();
    this.#connection?.close();
    this.#daemon = this.#connection = this.#mirror = null;
    daemon.kill(signal);
    await daemon.exited;
    this.#log.push(...daemon.log.slice(-100));
    if (backend !== undefined && !(await processGone(backend.pid))) {
      throw new Error(`the backend outlived its daemon, which ended by ${signal}`);
    }
  }

  halt(): void {
    if (this.#daemon === null) return;
    process.kill(this.#daemon.pid, 'SIGSTOP');
    this.#isHalted = true;
  }

  resume(): void {
    if (this.#daemon === null || !this.#isHalted) return;
    process.kill(this.#daemon.pid, 'SIGCONT');
    this.#isHalted = false;
  }

  /** False when there is none now. `SIGSTOP`: the daemon has to find out that it hangs. */
  async hitBackend(signal: 'SIGKILL' | 'SIGSTOP'): Promise<boolean> {
    const backend = await this.#backend();
    return backend !== undefined && hit(backend.pid, signal);
  }

  /** Everything in Convex is lost, and nobody tells the daemon. */
  async wipeConvex(): Promise<void> {
    // Halted, the daemon cannot start the next backend on the old file.
    this.halt();
    const backend = await this.#backend();
    if (backend !== undefined) {
      hit(backend.pid, 'SIGKILL');
      await processGone(backend.pid);
    }
    const folder = join(this.#folder, 'openagents', 'convex');
    for (const file of globSync('embedded.sqlite3*', { cwd: folder })) rmSync(join(folder, file));
    this.resume();
  }

  async status(): Promise<WatchStatusFrame> {
    if (this.#connection === null) throw new Error('it does not run');
    return watchStatusFrame.parse(await this.#connection.request('sessions.watch_status'));
  }

  /** What Convex holds, by way of the daemon that runs now. */
  get mirror(): Mirror {
    if (this.#mirror === null) throw new Error('it does not run');
    return this.#mirror;
  }

  get log(): unknown[] {
    return [...this.#log, ...(this.#daemon?.log ?? [])].slice(-200);
  }

  /** Processes that work on this folder. */
  async processes(): Promise<string[]> {
    return (await processesWith(this.#folder)).map(({ command }) => command);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGTERM');
  }

  async #backend() {
    return this.#daemon === null
      ? undefined
      : await descendant(this.#daemon.pid, 'embedded-convex');
  }
}

/** False when it has ended by itself since it was looked for. */
function hit(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
