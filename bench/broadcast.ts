/**
 * What Codex prints, told to fifty clients of which one never reads: whether the others get every
 * line in order, what the daemon takes, and how late its event loop comes, against a bare ws
 * server that does the same. Then 500 clients that come at once.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { z } from 'zod';
import { subscribe, threadsCreate } from '../test/support/subscriber.ts';
import { temporaryFolder } from '../test/support/temporary-folder.ts';
import { until } from '../test/support/until.ts';
import { startBuiltDaemon } from './built-daemon.ts';
import { pause } from './imported.ts';
import type { ReadersCommand, ReadersReport } from './many-readers.ts';
import { percentile } from './percentile.ts';
import { processUsage } from './process-usage.ts';
import type { Figures } from './run.ts';

const LINES_A_SECOND = 5_000;
/** Longer than a client may be behind. */
const SECONDS = 20;
const READERS = 49;
const STORM = 500;
const QUIET_MS = 3_000;
/** Lines before the last: the end of the program does not come between. */
const LINES = LINES_A_SECOND * SECONDS;
const READ_LIMIT_MS = 4 * SECONDS * 1_000;
const SAMPLE_MS = 250;

type ReadResult = Extract<ReadersReport, { type: 'read' }>;
const loopDelay = z.object({ p99: z.number(), max: z.number() });

export async function measure(): Promise<Figures> {
  using folder = temporaryFolder();
  const codex = join(folder.path, 'printing-codex');
  const printing = [program('printing-codex'), String(LINES_A_SECOND), String(SECONDS)];
  writeFileSync(codex, `#!/bin/sh\nexec "${process.execPath}" ${printing.join(' ')} "$@"\n`);
  chmodSync(codex, 0o755);
  const bare = await measureBare(folder.path, printing);
  const own = await measureDaemon(folder.path, codex);
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  return {
    'clients that got every line in order': `${own.read.complete} of ${READERS}`,
    'the one that never reads is dropped after': seconds(own.read.droppedAfter),
    'printed by Codex to client': showMs(own.read.latencies),
    'the same by a bare ws server': showMs(bare.read.latencies),
    'event loop while nothing happens, p99': ms(own.quiet.p99),
    'event loop meanwhile': `p99 ${ms(own.loop.p99)}, longest ${ms(own.loop.max)}`,
    'event loop of a process that does nothing': `p99 ${ms(own.idle.p99)}, longest ${ms(own.idle.max)}`,
    'event loop of a bare ws server': `p99 ${ms(bare.loop.p99)}, longest ${ms(bare.loop.max)}`,
    'processor time of the daemon': cpu(own.cpuSeconds),
    'processor time of a bare ws server': cpu(bare.cpuSeconds),
    'RSS of the daemon before, at most, after': own.rss.map(mb).join(', '),
    'RSS of a bare ws server before, at most, after': bare.rss.map(mb).join(', '),
    [`${STORM} clients at once`]: `${own.storm.admitted} admitted, ${own.storm.refused} refused, ${own.storm.cut} cut`,
    'event loop meanwhile, then': `p99 ${ms(own.stormLoop.p99)}, longest ${ms(own.stormLoop.max)}`,
  };
}

async function measureDaemon(folder: string, codex: string) {
  const loop = new LoopDelay(join(folder, 'daemon-loop.json'));
  mkdirSync(join(folder, 'project'));
  await using daemon = await startBuiltDaemon(folder, {
    ...loop.env,
    CODEX_BIN: codex,
    OPENAGENTS_CODEX_DRIVER: 'exec',
  });
  await using app = subscribe(daemon);
  const thread = await app.client.mutation(threadsCreate, { cwd: join(folder, 'project') });
  using readers = new Readers();
  await readers.connect(daemon.controlUrl, daemon.token);
  await loop.since(daemon.pid);
  await pause(QUIET_MS);
  const quiet = await loop.since(daemon.pid);
  const bridge = await daemon.connect();
  await using bystander = await startBystander(join(folder, 'bystander-loop.json'));
  await bystander.loopDelay();
  const usage = watchUsage(daemon.pid);
  await bridge.request('run.submit', { threadDocId: thread, text: 'print' });
  const read = await readers.read();
  const used = await usage();
  const during = await loop.since(daemon.pid);
  const idle = await bystander.loopDelay();
  bridge.close();
  const storm = await readers.storm();
  return {
    quiet,
    read,
    loop: during,
    idle,
    ...used,
    storm,
    stormLoop: await loop.since(daemon.pid),
  };
}

async function measureBare(folder: string, printing: readonly string[]) {
  const loop = new LoopDelay(join(folder, 'bare-loop.json'));
  const args = [program('bare-broadcast'), process.execPath, ...printing];
  const server = execa(process.execPath, args, { env: loop.env, reject: false });
  const [port] = await once(server.stdout, 'data');
  const pid = server.pid ?? 0;
  using readers = new Readers();
  await readers.connect(`ws://127.0.0.1:${String(port).trim()}/ws`, '');
  await loop.since(pid);
  const usage = watchUsage(pid);
  server.stdin.write('go\n');
  const read = await readers.read();
  const used = await usage();
  const during = await loop.since(pid);
  server.kill();
  await server;
  return { read, loop: during, ...used };
}

/** The process with the clients. */
class Readers {
  readonly #process: ChildProcess = fork(program('many-readers'));
  readonly #read = this.#told('read');

  async connect(url: string, token: string): Promise<void> {
    const connected = this.#told('connected');
    this.#tell({ type: 'connect', url, token, readers: READERS, lines: LINES });
    await connected;
  }

  async read(): Promise<ReadResult> {
    const late = pause(READ_LIMIT_MS).then(() => {
      throw new Error('The clients did not get their lines in time.');
    });
    return await Promise.race([this.#read, late]);
  }

  async storm() {
    const answered = this.#told('answered');
    this.#tell({ type: 'storm', clients: STORM });
    return await answered;
  }

  [Symbol.dispose](): void {
    this.#process.kill();
  }

  #tell(command: ReadersCommand): void {
    this.#process.send(command);
  }

  #told<Type extends ReadersReport['type']>(type: Type) {
    return new Promise<Extract<ReadersReport, { type: Type }>>((resolve, reject) => {
      this.#process.on('message', (report: ReadersReport) => {
        if (isOf(report, type)) resolve(report);
      });
      this.#process.once('exit', (code) => reject(new Error(`The readers ended (${code}).`)));
    });
  }
}

function isOf<Type extends ReadersReport['type']>(
  report: ReadersReport,
  type: Type,
): report is Extract<ReadersReport, { type: Type }> {
  return report.type === type;
}

/** A process that does nothing: how late it comes is the machine's doing. */
async function startBystander(file: string) {
  const loop = new LoopDelay(file);
  const program = "console.log('here'); setInterval(() => {}, 60_000)";
  const idle = execa(process.execPath, ['-e', program], { env: loop.env, reject: false });
  await once(idle.stdout, 'data');
  return {
    loopDelay: async () => await loop.since(idle.pid ?? 0),
    async [Symbol.asyncDispose]() {
      idle.kill();
      await idle;
    },
  };
}

/** How late the turns of another process come; see `loop-delay.ts`. */
class LoopDelay {
  readonly #file: string;
  readonly env: Record<string, string>;

  constructor(file: string) {
    this.#file = file;
    this.env = { NODE_OPTIONS: `--import=${program('loop-delay')}`, BENCH_LOOP_DELAY: file };
  }

  /** Since this was asked for the last time. */
  async since(pid: number): Promise<z.infer<typeof loopDelay>> {
    rmSync(this.#file, { force: true });
    process.kill(pid, 'SIGUSR2');
    await until('the event loop was told of', () => existsSync(this.#file));
    return loopDelay.parse(JSON.parse(readFileSync(this.#file, 'utf8')));
  }
}

/** Of one process, from now until the result is called. */
function watchUsage(pid: number) {
  const rss: number[] = [];
  const look = async () => {
    const own = (await processUsage(pid)).find((usage) => usage.pid === pid);
    if (own !== undefined) rss.push(own.rss);
    return own?.cpuSeconds ?? 0;
  };
  const before = look();
  const timer = setInterval(() => void look(), SAMPLE_MS);
  return async () => {
    clearInterval(timer);
    const cpuSeconds = (await look()) - (await before);
    return { cpuSeconds, rss: [rss[0] ?? 0, Math.max(...rss), rss.at(-1) ?? 0] };
  };
}

function program(name: string): string {
  return fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
}

const ms = (value: number) => `${value.toFixed(1)} ms`;
const cpu = (value: number) => `${value.toFixed(1)} s, for ${SECONDS} s of lines`;
const seconds = (value: number | null) =>
  value === null ? 'never' : `${(value / 1_000).toFixed(1)} s`;
const showMs = (samples: readonly number[]) =>
  `p50 ${percentile(samples, 0.5).toFixed(0)} ms, p99 ${percentile(samples, 0.99).toFixed(0)} ms`;
