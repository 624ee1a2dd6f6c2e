/** The real daemon over all its lives, and the runs that it is given. */
import { readFileSync } from 'node:fs';
import { makeFunctionReference } from 'convex/server';
import type { BridgeConnection } from '../../../src/control/connect-bridge.ts';
import type { RunFrame } from '../../../src/control/frames.ts';
import { startDaemonProcess, type DaemonProcess } from '../daemon-process.ts';
import { processesWith } from '../processes.ts';
import { codexBin } from '../scripted-model/codex-home.ts';
import type { ScriptedModel } from '../scripted-model/start-scripted-model.ts';
import { subscribe, threadsCreate, type Subscriber } from '../subscriber.ts';
import { until } from '../until.ts';
import type { Fate, Moment, PlannedRun } from './plan.ts';

export interface RunRow {
  _id: string;
  status: string;
  error?: string;
}

/** For a start of Codex on a machine that is busy, and for the ladder of an interrupt (ms). */
const LIMIT_MS = 60_000;

export class TestedRuns {
  readonly #env: Record<string, string>;
  readonly #folder: string;
  readonly #project: string;
  readonly #model: ScriptedModel;
  readonly #threads = new Map<number, string>();
  /** The newest of each run, of this life. */
  readonly #frames = new Map<string, RunFrame>();
  readonly #reached = new Set<string>();
  #life: { daemon: DaemonProcess; bridge: BridgeConnection; app: Subscriber } | undefined;

  constructor(folder: string, project: string, driver: string, model: ScriptedModel) {
    this.#folder = folder;
    this.#project = project;
    this.#env = { CODEX_BIN: codexBin, OPENAGENTS_CODEX_DRIVER: driver };
    this.#model = model;
  }

  /** Throws while it is away. */
  get life() {
    if (this.#life === undefined) throw new Error('the bridge is away');
    return this.#life;
  }

  /** By the numbers of the plan. */
  get threads(): ReadonlyMap<number, string> {
    return this.#threads;
  }

  async start(): Promise<void> {
    this.#frames.clear();
    const daemon = await startDaemonProcess({ folder: this.#folder, env: this.#env });
    const bridge = await daemon.connect();
    bridge.on('bridge.run', (frame) => this.#frames.set(frame.runId, frame));
    this.#life = { daemon, bridge, app: subscribe(daemon) };
  }

  /** What it exited with. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | undefined> {
    if (this.#life === undefined) return undefined;
    const { daemon, bridge, app } = this.#life;
    this.#life = undefined;
    bridge.close();
    daemon.kill(signal);
    const { exitCode } = await daemon.exited;
    await app[Symbol.asyncDispose]();
    return exitCode;
  }

  /** Its id. */
  async submit({ prompt: text, thread, via, gate }: PlannedRun): Promise<string> {
    const { bridge, app } = this.life;
    const threadDocId =
      this.#threads.get(thread) ??
      (await app.client.mutation(threadsCreate, { cwd: this.#project }));
    this.#threads.set(thread, threadDocId);
    if (gate !== undefined) void this.#model.reached(gate).then(() => this.#reached.add(gate));
    const { runId } =
      via === 'socket'
        ? await bridge.request('run.submit', { threadDocId, text })
        : await app.client.mutation(enqueue, { threadDocId, text });
    return runId;
  }

  /** Resolves when the run is so far, or is over. */
  async isAt(run: PlannedRun, runId: string, when: Moment): Promise<void> {
    await until(
      `"${run.prompt}" is ${when}`,
      async () => (await this.#holds(run, runId, when)) || (await this.isOver(runId)),
      LIMIT_MS,
    );
  }

  /** Also when the bridge is away just then: tried again until it was done, or the run is over. */
  async befall(runId: string, what: Exclude<Fate['do'], 'nothing'>): Promise<void> {
    const tried = async () => await this.#tryTo(runId, what).catch(() => false);
    await until(what, async () => (await tried()) || (await this.isOver(runId)), LIMIT_MS);
  }

  async isOver(runId: string): Promise<boolean> {
    // Nobody says so while it is away.
    const row = await this.row(runId).catch(() => null);
    return row !== null && row.status !== 'pending' && row.status !== 'processing';
  }

  async row(id: string): Promise<RunRow> {
    return await this.life.app.client.query(byId, { id });
  }

  async openRows(): Promise<RunRow[]> {
    return await this.life.app.client.query(active, {});
  }

  async #holds({ gate, sleeps }: PlannedRun, runId: string, when: Moment): Promise<boolean> {
    const frame = this.#frames.get(runId);
    if (when === 'submitted') return true;
    if (when === 'spawned') return frame?.pid !== undefined;
    if (when === 'inside' && gate !== undefined) return this.#reached.has(gate);
    if (when === 'inside' && sleeps !== undefined) {
      return (await processesWith(`sleep ${sleeps}`)).length > 0;
    }
    return frame?.turnAt !== undefined;
  }

  /** False when there is nothing yet that it could befall. */
  async #tryTo(runId: string, what: Exclude<Fate['do'], 'nothing'>): Promise<boolean> {
    const { bridge, app } = this.life;
    switch (what) {
      case 'interrupt':
        await bridge.request('interrupt', { runId });
        return true;
      case 'cancel':
        await app.client.mutation(cancel, { runId });
        return true;
      case 'kill codex':
      case 'kill launcher': {
        const pid = this.#frames.get(runId)?.pid;
        // Its number may be another's by now.
        if (pid === undefined || !isCodex(pid)) return false;
        return process.kill(what === 'kill codex' ? -pid : pid, 'SIGKILL');
      }
      default:
        return what satisfies never;
    }
  }
}

function isCodex(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('codex');
  } catch {
    return false;
  }
}

const byId = makeFunctionReference<'query', { id: string }, RunRow>('runs:byId');
const active = makeFunctionReference<'query', Record<string, never>, RunRow[]>('runs:active');
const cancel = makeFunctionReference<'mutation', { runId: string }, boolean>('runs:cancel');
const enqueue = makeFunctionReference<
  'mutation',
  { threadDocId: string; text: string },
  { runId: string }
>('runs:enqueue');
