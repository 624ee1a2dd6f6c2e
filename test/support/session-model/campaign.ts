/**
 * Steps drawn from a seed, done to the real thing and to the model, which must be equal
 * again and again. Each step has random numbers of its own, and what it does depends on the
 * model alone: the same seed gives the same steps, however the daemon fares.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { SeededRandom } from '../crash-swarm/seeded-random.ts';
import { Author } from './author.ts';
import { compareCursors, comparePlaces, compareThread, type SeenRows } from './compare.ts';
import { FILE_STEPS } from './file-steps.ts';
import { ModelFiles } from './model-files.ts';
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
  rows: number;
  threads: number;
  /** Milliseconds that the slowest check waited until the mirror was equal. */
  slowest: number;
}

class CampaignFailure extends Error {}

/**
 * Milliseconds. Less than the minute of the sweeps: an event that is lost must be made up for
 * sooner. A backend that hangs is found and replaced in some 20 s.
 */
const CONVERGENCE_LIMIT = 45_000;
/** Milliseconds more where a backend was halted: one that is just starting may take as long. */
const START_LIMIT = 120_000;
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
  #seen: SeenRows = new Map();
  #outage = 0;
  #hasHung = false;
  #checks = 0;
  #slowest = 0;

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
    const rows = [...this.#seen.values()].reduce((sum, thread) => sum + thread.size, 0);
    return { steps: this.#steps, rows, threads: this.#seen.size, slowest: this.#slowest };
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
    const isHit = await this.#bridge.hitBackend('SIGSTOP');
    this.#hasHung ||= isHit;
    return isHit ? '' : 'there was none';
  }

  async beginOutage(steps: number): Promise<string> {
    this.#outage = steps;
    return await Promise.resolve(`for ${steps} steps`);
  }

  async wipe(): Promise<string> {
    await this.#bridge.wipeConvex();
    this.#seen = new Map();
    for (const file of this.#files.all.values()) {
      this.#files.touched.add(this.#files.expected(file).threadId);
    }
    return '';
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
    await this.#bridge.restore();
    const limit = CONVERGENCE_LIMIT + (this.#hasHung ? START_LIMIT : 0);
    this.#hasHung = false;
    const start = performance.now();
    let isSlow = false;
    for (let problems = await this.#problems(); problems.length > 0;) {
      if (performance.now() - start > limit) {
        throw new Error(`Not equal after ${limit} ms:\n${problems.slice(0, 10).join('\n')}`);
      }
      if (!isSlow && performance.now() - start > SLOW) {
        isSlow = true;
        this.#options.log?.(`step ${this.#steps.length}: waits, for ${problems[0]}`);
      }
      await pause(LOOK_INTERVAL);
      problems = await this.#problems();
    }
    const took = performance.now() - start;
    this.#slowest = Math.max(this.#slowest, took);
    this.#files.forgetPast();
    if (isWhole || isSlow) {
      this.#options.log?.(`step ${this.#steps.length}: equal after ${Math.round(took)} ms`);
    }
  }

  /** What is not as it has to be, yet; throws when it never will be. */
  async #problems(): Promise<string[]> {
    let mirror;
    try {
      const { state, files } = await this.#bridge.status();
      const followed = this.#files.followed();
      const bad = followed.filter((file) => this.#files.expected(file).quarantine.length > 0);
      if (state !== 'watching.settled') return [`the watcher is ${state}`];
      if (files.known !== followed.length) {
        return [`${files.known} files are known of ${followed.length}`];
      }
      if (files.behind > 0) return [`${files.behind} files are behind`];
      mirror = await this.#bridge.mirror();
      const problems = compareCursors(await mirror.cursors(), this.#files);
      if (problems.length > 0) return problems;
      if (files.quarantined !== bad.length) {
        return [`${files.quarantined} files have lines set aside, not ${bad.length}`];
      }
    } catch (error) {
      // While the backend is replaced nobody answers.
      return [error instanceof Error ? error.message : String(error)];
    }
    const problems: string[] = [];
    for (const threadId of this.#files.touched) {
      const { missing, wrong } = await compareThread(mirror, this.#files, this.#seen, threadId);
      if (wrong.length > 0) throw new Error(wrong.slice(0, 10).join('\n'));
      problems.push(...missing);
    }
    return problems.length > 0 ? problems : await comparePlaces(mirror, this.#files);
  }
}
