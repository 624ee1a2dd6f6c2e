/**
 * Steps drawn from a seed, done to the real thing and to the model, which must be equal
 * again and again. Each step has random numbers of its own, and what it does depends on the
 * model alone: the same seed gives the same steps, however the daemon fares.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { WatchStatusFrame } from '../../../src/control/frames.ts';
import { SeededRandom } from '../crash-swarm/seeded-random.ts';
import { Author } from './author.ts';
import { compareCursors, comparePlaces, compareThread, type SeenRows } from './compare.ts';
import { FILE_STEPS } from './file-steps.ts';
import { ModelFiles, type ModelFile } from './model-files.ts';
import { TestedBridge } from './tested-bridge.ts';

export interface CampaignOptions {
  seed: number;
  steps: number;
  /** Holds both homes. */
  folder: string;
  log?: (line: string) => void;
}

export interface CampaignResult {
  steps: string[];
  /** That were equal at any time, also before Convex was wiped. */
  rows: number;
  threads: number;
  /** Milliseconds that the slowest check waited until the mirror was equal. */
  slowest: number;
}

/** What the bridge has still to do. */
interface Lack {
  problems: string[];
  /** It has Convex to write to. */
  isWatching: boolean;
}

class CampaignFailure extends Error {}
class NeverEqual extends Error {}

/**
 * Milliseconds in which nothing of what is lacking changes, on however busy a machine. Less than
 * the minute of the sweeps: an event that is lost must be made up for sooner.
 */
const STILL_LIMIT = 45_000;
/** The same while Convex is away: a backend that hangs while it starts is given up after two minutes. */
const AWAY_LIMIT = 300_000;
/** Milliseconds. A check that takes longer says what it waits for. */
const SLOW = 5_000;
/** Milliseconds between two looks at what has not converged. */
const LOOK_INTERVAL = 40;
const MIN_BATCH = 5;
const MAX_BATCH = 40;
/** Every so many checks look at all threads, not only those that something happened to. */
const WHOLE_CHECK = 20;

type Fault = (campaign: Campaign, random: SeededRandom) => Promise<string>;

/** How often of a thousand steps. */
const FAULTS: Record<string, { weight: number; fault: Fault }> = {
  'kill the daemon': { weight: 8, fault: (campaign) => campaign.end('SIGKILL') },
  'stop the daemon': { weight: 4, fault: (campaign) => campaign.end('SIGTERM') },
  'start the daemon': { weight: 8, fault: (campaign) => campaign.restore() },
  'halt the daemon': { weight: 5, fault: (campaign) => campaign.halt() },
  'kill the backend': { weight: 8, fault: (campaign) => campaign.killBackend() },
  'no backend for a while': {
    weight: 3,
    fault: (campaign, random) => campaign.beginOutage(random.between(3, 15)),
  },
  'the backend hangs': { weight: 1, fault: (campaign) => campaign.hangBackend() },
  'wipe Convex': { weight: 2, fault: (campaign) => campaign.wipe() },
};

export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  await using bridge = new TestedBridge(options.folder);
  const campaign = new Campaign(options, bridge);
  try {
    return await campaign.run();
  } catch (error) {
    throw new CampaignFailure(campaign.report(error), { cause: error });
  }
}

class Campaign {
  readonly #options: CampaignOptions;
  readonly #bridge: TestedBridge;
  readonly #files: ModelFiles;
  readonly #steps: string[] = [];
  /** Since Convex was wiped last. */
  #seen: SeenRows = new Map();
  /** Rows that were equal at any time, by thread and key. */
  readonly #ever = new Set<string>();
  #outage = 0;
  #checks = 0;
  #slowest = 0;
  readonly #begun = performance.now();
  /** Milliseconds spent in all. */
  #starting = 0;
  #waiting = 0;

  constructor(options: CampaignOptions, bridge: TestedBridge) {
    this.#options = options;
    this.#bridge = bridge;
    const author = new Author(new SeededRandom(options.seed));
    this.#files = new ModelFiles(join(options.folder, 'codex'), author);
  }

  async run(): Promise<CampaignResult> {
    const { seed, steps } = this.#options;
    let nextCheck = MAX_BATCH;
    for (let index = 0; index < steps; index += 1) {
      const random = new SeededRandom(seed * 1_000_003 + index);
      this.#files.author.random = random;
      this.#steps.push(`${index}: ${await this.#step(random)}`);
      if (this.#outage > 0) await this.#goOnWithoutBackend();
      // The pace of what happens, not a wait for anything: readers shall meet each state.
      if (random.next() < 0.3) await pause(random.next() * 12);
      if (index < nextCheck) continue;
      nextCheck = index + random.between(MIN_BATCH, MAX_BATCH);
      await this.#check(false);
    }
    await this.#check(true);
    await this.#bridge.end('SIGTERM');
    const left = await this.#bridge.processes();
    if (left.length > 0) throw new Error(`processes are left: ${left.join(', ')}`);
    this.#countSeen();
    const threads = new Set([...this.#ever].map((row) => row.split(' ', 1)[0])).size;
    return { steps: this.#steps, rows: this.#ever.size, threads, slowest: this.#slowest };
  }

  /** What a reader of the failure needs to find out more. */
  report(error: unknown): string {
    const { seed, steps, folder } = this.#options;
    const message = error instanceof Error ? error.message : String(error);
    const names = [...message.matchAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g)].map(([id]) => id);
    const about = (step: string) =>
      names.some((name) => step.includes(name)) || !/rollout-/.test(step);
    return [
      message,
      `MODEL_SEED=${seed} MODEL_STEPS=${steps} replays it; this was step ${this.#steps.length}. Everything is kept in ${folder}`,
      'What happened to it:',
      ...this.#steps.filter(about).slice(-60),
      'The last steps of all:',
      ...this.#steps.slice(-45),
      'The log:',
      ...this.#bridge.log.slice(-40).map((record) => JSON.stringify(record)),
    ].join('\n');
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<string> {
    await this.#bridge.end(signal);
    return '';
  }

  async restore(): Promise<string> {
    await this.#bridge.restore();
    return '';
  }

  async halt(): Promise<string> {
    this.#bridge.halt();
    return await Promise.resolve('');
  }

  async killBackend(): Promise<string> {
    return (await this.#bridge.hitBackend('SIGKILL')) ? '' : 'there was none';
  }

  async hangBackend(): Promise<string> {
    return (await this.#bridge.hitBackend('SIGSTOP')) ? '' : 'there was none';
  }

  async beginOutage(steps: number): Promise<string> {
    this.#outage = steps;
    return await Promise.resolve(`for ${steps} steps`);
  }

  async wipe(): Promise<string> {
    await this.#bridge.wipeConvex();
    this.#countSeen();
    this.#seen = new Map();
    for (const file of this.#files.all.values()) {
      this.#files.touched.add(this.#files.expected(file).threadId);
    }
    return '';
  }

  #countSeen(): void {
    for (const [threadId, rows] of this.#seen) {
      for (const key of rows.keys()) this.#ever.add(`${threadId} ${key}`);
    }
  }

  async #step(random: SeededRandom): Promise<string> {
    let draw = random.next() * 1_000;
    for (const [name, { weight, fault }] of Object.entries(FAULTS)) {
      draw -= weight;
      if (draw < 0) return `${name} ${await fault(this, random)}`;
    }
    const all = Object.values(FILE_STEPS);
    let choice = random.next() * all.reduce((sum, { weight }) => sum + weight, 0);
    for (const { weight, step } of all) {
      choice -= weight;
      if (choice < 0) return step(this.#files, random);
    }
    return '';
  }

  async #goOnWithoutBackend(): Promise<void> {
    this.#outage -= 1;
    await this.#bridge.hitBackend('SIGKILL');
  }

  async #check(isLast: boolean): Promise<void> {
    this.#outage = 0;
    this.#checks += 1;
    const isWhole = isLast || this.#checks % WHOLE_CHECK === 0;
    if (isWhole) for (const threadId of this.#seen.keys()) this.#files.touched.add(threadId);
    const stopped = performance.now();
    await this.#bridge.restore();
    const start = performance.now();
    this.#starting += start - stopped;
    let changedAt = start;
    let isSlow = false;
    for (let last = '', now = await this.#lack(); now !== null; now = await this.#lack()) {
      const { problems, isWatching } = now;
      const at = performance.now();
      if (problems.join() !== last) changedAt = at;
      last = problems.join();
      if (at - changedAt > (isWatching ? STILL_LIMIT : AWAY_LIMIT)) {
        const after = Math.round(at - start);
        throw new Error(`Not equal after ${after} ms:\n${problems.slice(0, 10).join('\n')}`);
      }
      if (!isSlow && at - start > SLOW) {
        isSlow = true;
        this.#options.log?.(`step ${this.#steps.length}: waits, for ${problems[0]}`);
      }
      await pause(LOOK_INTERVAL);
    }
    const took = performance.now() - start;
    this.#slowest = Math.max(this.#slowest, took);
    this.#waiting += took;
    this.#files.forgetPast();
    if (isWhole || isSlow) {
      const [all, starting, waiting] = [start - this.#begun, this.#starting, this.#waiting].map(
        (time) => Math.round(time / 1_000),
      );
      const spent = `${all} s so far, ${starting} s for starts, ${waiting} s for checks`;
      this.#options.log?.(
        `step ${this.#steps.length}: equal after ${Math.round(took)} ms; ${spent}`,
      );
    }
  }

  /** What is not as it has to be, yet; null when nothing is. Throws when it never will be. */
  async #lack(): Promise<Lack | null> {
    try {
      const status = await this.#bridge.status();
      const problems = this.#unread(status) ?? (await this.#unequal(status));
      const isWatching = status.state.startsWith('watching');
      return problems.length === 0 ? null : { problems, isWatching };
    } catch (error) {
      if (error instanceof NeverEqual) throw error;
      // While the backend is replaced nobody answers.
      const problem = error instanceof Error ? error.message : String(error);
      return { problems: [problem], isWatching: false };
    }
  }

  /** What the bridge itself says that it has not done, with its numbers: these change while it goes on. */
  #unread({ state, files, bytes }: WatchStatusFrame): string[] | null {
    if (state !== 'watching.settled')
      return [`the watcher is ${state}`, JSON.stringify({ files, bytes })];
    const followed = this.#files.followed().length;
    if (files.known !== followed) return [`${files.known} files are known of ${followed}`];
    return files.behind > 0 ? [`${files.behind} files are behind`] : null;
  }

  async #unequal({ files }: WatchStatusFrame): Promise<string[]> {
    const { mirror } = this.#bridge;
    const cursors = compareCursors(await mirror.cursors(), this.#files);
    if (cursors.length > 0) return cursors;
    const isBad = (file: ModelFile) => this.#files.expected(file).quarantine.length > 0;
    const bad = this.#files.followed().filter(isBad).length;
    if (files.quarantined !== bad) {
      return [`${files.quarantined} files have lines set aside, not ${bad}`];
    }
    const problems: string[] = [];
    for (const threadId of this.#files.touched) {
      const { missing, wrong } = await compareThread(mirror, this.#files, this.#seen, threadId);
      if (wrong.length > 0) throw new NeverEqual(wrong.slice(0, 10).join('\n'));
      problems.push(...missing);
    }
    return problems.length > 0 ? problems : await comparePlaces(mirror, this.#files);
  }
}
