/**
 * Runs that are interrupted, cancelled and killed at random, and a bridge that is killed among
 * them. Whatever befell them: each run was begun once at most, has one end with its reason, its
 * thread holds what its session file says, and nothing is left of it in the machine. What is
 * found wrong is in `problems`, empty at best.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { SeededRandom } from '../crash-swarm/seeded-random.ts';
import { makeCodexHome } from '../scripted-model/codex-home.ts';
import { startScriptedModel, type ScriptedModel } from '../scripted-model/start-scripted-model.ts';
import { messagesForThread } from '../subscriber.ts';
import { until } from '../until.ts';
import { verified } from '../verifying.ts';
import { atRest, leftSince, processesOf, residentMegabytes, type AtRest } from './at-rest.ts';
import { planCampaign, type PlannedRun, type Round } from './plan.ts';
import { TestedRuns } from './tested-runs.ts';

export interface CampaignOptions {
  driver: 'exec' | 'app-server';
  seed: number;
  runs: number;
  /** Empty; whoever made it removes it. */
  folder: string;
  log: (line: string) => void;
}

export interface CampaignResult {
  problems: string[];
  /** How many runs ended how. */
  ends: Record<string, number>;
  /** Lives of the bridge. */
  lives: number;
  /** Of the last life: when it had done some runs, and at its end. */
  memory: { warm: number; last: number };
}

export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { driver, folder } = options;
  const rounds = planCampaign(new SeededRandom(options.seed), options.runs);
  const planned = rounds.flatMap(({ runs }) => runs);
  const script = Object.fromEntries(planned.map(({ prompt, replies }) => [prompt, replies]));
  await using model = await startScriptedModel(script);
  makeCodexHome({ modelUrl: model.url, path: join(folder, 'codex') });
  const project = join(folder, 'project');
  mkdirSync(project);
  const bridge = new TestedRuns(folder, project, driver, model);
  const campaign = new Campaign(options, model, bridge);
  try {
    await campaign.begin();
    for (const [index, round] of rounds.entries()) await campaign.round(index, round);
    return await campaign.finish(planned);
  } finally {
    await bridge.end('SIGTERM');
  }
}

/** Runs after which a life has loaded all that it ever loads. */
const WARM_RUNS = 15;
/** What it may grow by from then on: the noise of a garbage collector that has no need to hurry. */
const GROWTH_MEGABYTES = 40;
/** What was begun is brought to its end within this, also by a ladder of signals (ms). */
const REST_LIMIT_MS = 30_000;
/** Looks one after the other that see the same: then nothing goes on. */
const SAME_LOOKS = 5;

class Campaign {
  readonly #options: CampaignOptions;
  readonly #model: ScriptedModel;
  readonly #bridge: TestedRuns;
  readonly #problems: string[] = [];
  readonly #ends: Record<string, number> = {};
  #lives = 0;
  /** Of this life, after its first runs. */
  #rest: AtRest | undefined;
  #runs = 0;
  #memory = { warm: 0, last: 0 };

  constructor(options: CampaignOptions, model: ScriptedModel, bridge: TestedRuns) {
    this.#options = options;
    this.#model = model;
    this.#bridge = bridge;
  }

  async begin(): Promise<void> {
    await this.#bridge.start();
    this.#lives += 1;
    this.#runs = 0;
    this.#rest = undefined;
    this.#memory.warm = 0;
  }

  async round(index: number, round: Round): Promise<void> {
    const ids = new Map<PlannedRun, string>();
    for (const run of round.runs) ids.set(run, await this.#bridge.submit(run));
    const fates = [...ids].map(async ([run, id]) => await this.#befall(run, id));
    await Promise.all([this.#hitBridge(round, ids), ...fates]);
    const ended: string[] = [];
    for (const [run, id] of ids) {
      await this.#isOver(run, id);
      ended.push(`${run.prompt} ${told(run.fate)} → ${await this.#judge(run, id, round)}`);
    }
    const also = round.bridge === undefined ? '' : `; ${round.bridge.signal} of the bridge`;
    this.#options.log(`${this.#options.driver} round ${index}: ${ended.join('; ')}${also}`);
    this.#runs += round.runs.length;
    await this.#look();
  }

  async finish(planned: readonly PlannedRun[]): Promise<CampaignResult> {
    await this.#compareRows();
    await this.#countPrompts(planned);
    await this.#compareRest();
    this.#memory.last = residentMegabytes(this.#bridge.life.daemon.pid);
    const { warm, last } = this.#memory;
    if (warm > 0 && last - warm > GROWTH_MEGABYTES) {
      this.#problems.push(`its memory grew from ${warm} to ${last} MB`);
    }
    const exitCode = await this.#bridge.end('SIGTERM');
    if (exitCode !== 0) this.#problems.push(`the bridge ended with ${exitCode}`);
    await this.#nothingRuns();
    this.#problems.push(...this.#model.surprises);
    const [ends, lives, memory] = [this.#ends, this.#lives, this.#memory];
    return { problems: this.#problems, ends, lives, memory };
  }

  async #befall(run: PlannedRun, id: string): Promise<void> {
    const { fate, gate } = run;
    if (fate.do !== 'nothing') {
      await this.#bridge.isAt(run, id, fate.when);
      await pause(fate.delayMs);
      await this.#bridge.befall(id, fate.do);
      await this.#isOver(run, id);
    }
    if (gate !== undefined) this.#model.release(gate);
  }

  async #isOver({ prompt }: PlannedRun, id: string): Promise<void> {
    const isOver = async () => await this.#bridge.isOver(id);
    await until(`"${prompt}" is over`, isOver, REST_LIMIT_MS);
  }

  async #hitBridge({ bridge, runs }: Round, ids: Map<PlannedRun, string>): Promise<void> {
    const run = runs[bridge?.run ?? -1];
    if (bridge === undefined || run === undefined) return;
    await this.#bridge.isAt(run, ids.get(run) ?? '', bridge.when);
    await pause(bridge.delayMs);
    const exitCode = await this.#bridge.end(bridge.signal);
    if (bridge.signal === 'SIGTERM' && exitCode !== 0) {
      this.#problems.push(`the bridge ended with ${exitCode}`);
    }
    await this.#nothingRuns();
    await this.begin();
  }

  /** How it ended. */
  async #judge(run: PlannedRun, id: string, { bridge }: Round): Promise<string> {
    const { status, error } = await this.#bridge.row(id);
    this.#ends[status] = (this.#ends[status] ?? 0) + 1;
    const allowed = allowedEnds(run);
    if (bridge !== undefined) allowed.add('interrupted');
    if (!allowed.has(status)) {
      this.#problems.push(`${run.prompt} ${told(run.fate)} ended as ${status}: ${error}`);
    }
    if (status !== 'done' && !error) this.#problems.push(`${run.prompt} ended without a reason`);
    return status;
  }

  /** Between two rounds: what the bridge has when nothing goes on. */
  async #look(): Promise<void> {
    const { pid } = this.#bridge.life.daemon;
    this.#rest ??= await this.#settledRest();
    if (this.#memory.warm === 0 && this.#runs >= WARM_RUNS) {
      this.#memory.warm = residentMegabytes(pid);
    }
  }

  async #settledRest(): Promise<AtRest> {
    const { daemon } = this.#bridge.life;
    // Its thread may stay: then it belongs to the rest.
    await verified(daemon, { all: true });
    let last = '';
    let same = 0;
    await until(
      'it rests',
      async () => {
        const now = JSON.stringify(await atRest(daemon.pid));
        same = now === last ? same + 1 : 0;
        last = now;
        return same >= SAME_LOOKS;
      },
      REST_LIMIT_MS,
    );
    return await atRest(daemon.pid);
  }

  async #compareRest(): Promise<void> {
    const before = this.#rest ?? (await this.#settledRest());
    const { pid } = this.#bridge.life.daemon;
    const left = async () => leftSince(before, await atRest(pid));
    await until(
      'it has no more than before its runs',
      async () => (await left()).length === 0,
      REST_LIMIT_MS,
    ).catch(async () =>
      this.#problems.push(`it has more than before: ${(await left()).join('; ')}`),
    );
  }

  async #compareRows(): Promise<void> {
    const { daemon } = this.#bridge.life;
    let found = await verified(daemon, { all: true });
    const isClean = () => found.changing === 0 && found.behind.files === 0 && found.ok;
    // What was cut off is settled some seconds after the end of its run.
    await until(
      'the rows are those of the files',
      async () => {
        if (!isClean()) found = await verified(daemon, { all: true });
        return isClean();
      },
      REST_LIMIT_MS,
    ).catch(() => {});
    for (const difference of found.differences) this.#problems.push(JSON.stringify(difference));
    if (!isClean() || found.threads.done === 0) this.#problems.push(JSON.stringify(found));
    for (const row of await this.#bridge.openRows()) {
      this.#problems.push(`a run is ${row.status} that is over`);
    }
  }

  /** Each was asked once, or never; each is one row. */
  async #countPrompts(planned: readonly PlannedRun[]): Promise<void> {
    const { app } = this.#bridge.life;
    for (const [number, threadId] of this.#bridge.threads) {
      const rows = await app.client.query(messagesForThread, { threadId, limit: 500 });
      for (const { prompt, thread } of planned) {
        const turns = this.#model.requests.filter((request) => request.prompt === prompt);
        const times = new Set(turns.map(({ turnId }) => turnId)).size;
        if (times > 1) this.#problems.push(`${prompt} was begun ${times} times`);
        if (thread !== number) continue;
        const shown = rows.filter(({ role, text }) => role === 'user' && text === prompt).length;
        if (shown !== 1) this.#problems.push(`${prompt} is shown ${shown} times`);
      }
    }
  }

  async #nothingRuns(): Promise<void> {
    const { folder } = this.#options;
    await until('all has ended', () => processesOf(folder).length === 0).catch(() =>
      this.#problems.push(`left behind: ${processesOf(folder).join('; ')}`),
    );
  }
}

/** A fate that comes too late leaves a run as it would have ended. */
function allowedEnds({ fate, ends, gate, sleeps }: PlannedRun): Set<string> {
  if (fate.do === 'nothing') return new Set([ends]);
  const end = fate.do.startsWith('kill') ? 'error' : 'interrupted';
  const isInTime = sleeps !== undefined || (gate !== undefined && fate.when === 'inside');
  return new Set(isInTime ? [end] : [end, ends]);
}

function told(fate: PlannedRun['fate']): string {
  return fate.do === 'nothing' ? '' : `(${fate.do} when ${fate.when} + ${fate.delayMs} ms)`;
}
