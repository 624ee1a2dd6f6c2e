import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { BridgeError, type ErrorCode } from '../../errors.ts';
import { outputLines, type OutputLines } from '../codex-process/output-lines.ts';
import {
  complaintError,
  readComplaint,
  readReady,
  readRecovery,
  setAsideError,
  type BackendComplaint,
  type BackendReady,
} from './backend-lines.ts';

export interface BackendProcessOptions {
  /** Path of its entry file, run by this very Node. */
  entry: string;
  /** Path of the SQLite file. */
  database: string;
  /** 0 picks a free one. */
  port: number;
  interface: string;
  /** What it serves: a folder of functions, or a file that was bundled from one. */
  functions: { folder: string } | { bundleFile: string };
  /** Further arguments for it. */
  arguments?: readonly string[];
  onReady: (ready: BackendReady) => void;
  /** Something is wrong with it although it serves. */
  onComplaint?: (error: BridgeError) => void;
  /** What it complained of by that code is over. */
  onRecovery?: (code: ErrorCode) => void;
  /** Told of each line that it prints besides the one that says it serves. */
  log?: (line: string) => void;
  /** Milliseconds between SIGTERM and SIGKILL. */
  stopLimitMs?: number;
}

/** It promises to drain and exit within 5 s. */
const STOP_LIMIT_MS = 6000;
/** What it printed last is in the pipe when it exits; a grandchild may hold the pipe open for longer. */
const DRAIN_LIMIT_MS = 500;
const MAX_LINE_BYTES = 64 * 1024;
/** Lines of its output that are kept to explain an exit. */
const MAX_LAST_WORDS = 5;
/** What a Node process needs: nothing of the bridge's own settings and secrets is among it. */
const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'TMP', 'LANG', 'TZ', 'SystemRoot'];

/** One life of the embedded backend. Its stdin ends with the daemon, and so does it, at once. */
export class BackendProcess {
  /** Resolves, once it has exited, with why. */
  readonly ended: Promise<BridgeError>;
  readonly #options: BackendProcessOptions;
  readonly #child: ReturnType<typeof start>;
  readonly #lastWords: string[] = [];
  #complaint: BackendComplaint | null = null;
  #isReady = false;
  #isEnding = false;

  constructor(options: BackendProcessOptions) {
    this.#options = options;
    this.#child = start(options);
    const { stdin, stdout, stderr } = this.#child;
    // Nothing is written to it; it may break when the process ends.
    stdin.on('error', () => {});
    const lines = [
      outputLines(stdout, (line) => this.#printed(line), MAX_LINE_BYTES),
      outputLines(stderr, (line) => this.#complained(line), MAX_LINE_BYTES),
    ];
    this.ended = this.#untilEnded([stdout, stderr], lines);
  }

  /** Whether it was told to end. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** Asks it to end, and kills it when it does not. */
  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    // Not its stdin: that means that we are gone, and it drops everything.
    this.#child.kill('SIGTERM');
    const { stopLimitMs = STOP_LIMIT_MS } = this.#options;
    const overdue = setTimeout(() => this.kill(), stopLimitMs);
    void this.ended.then(() => clearTimeout(overdue));
  }

  kill(): void {
    this.#isEnding = true;
    this.#child.kill('SIGKILL');
  }

  async #untilEnded(streams: Readable[], lines: OutputLines[]): Promise<BridgeError> {
    const how = await exitOf(this.#child);
    const closed = Promise.all(streams.map(closing));
    await Promise.race([closed, after(DRAIN_LIMIT_MS)]);
    for (const each of lines) each.finish();
    if (this.#complaint) return complaintError(this.#complaint, this.#options);
    return new BridgeError('convex_failed', [how, ...this.#lastWords].join(' | '));
  }

  #printed(line: string | null): void {
    const ready = line === null || this.#isReady ? null : readReady(line);
    if (ready === null) {
      const recovered = line === null ? null : readRecovery(line);
      if (recovered === null) this.#note(line);
      else this.#recovered(recovered);
      return;
    }
    this.#isReady = true;
    // Whatever it complained of, it serves.
    this.#complaint = null;
    this.#options.onReady(ready);
    const error = setAsideError(ready);
    if (error === null) return;
    this.#options.log?.(error.message);
    this.#options.onComplaint?.(error);
  }

  #recovered(code: ErrorCode): void {
    this.#options.log?.(`it goes on as before (${code} is over)`);
    this.#options.onRecovery?.(code);
  }

  #complained(line: string | null): void {
    const complaint = line === null ? null : readComplaint(line);
    if (complaint) this.#complaint = complaint;
    // Why it could not start is told as what `ended` resolves with, and not twice.
    if (complaint && !this.#isReady) return;
    if (complaint) this.#options.onComplaint?.(complaintError(complaint, this.#options));
    this.#note(complaint ? complaint.message : line);
  }

  #note(line: string | null): void {
    if (line === '') return;
    const text = line ?? '(a line that was too long)';
    this.#options.log?.(text);
    // Of a stack only what was thrown is of use to a person.
    if (/^\s/.test(text)) return;
    this.#lastWords.push(text.slice(0, 500));
    if (this.#lastWords.length > MAX_LAST_WORDS) this.#lastWords.shift();
  }
}

function start(options: BackendProcessOptions) {
  const { entry, database, port, functions } = options;
  const source =
    'folder' in functions ? ['--functions', functions.folder] : ['--bundle', functions.bundleFile];
  const where = ['--db', database, '--port', String(port), '--interface', options.interface];
  const further = options.arguments ?? [];
  return spawn(process.execPath, [entry, ...where, ...source, '--watch-stdin', ...further], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: inheritedEnvironment(),
    // Ctrl-C in a terminal is for the daemon, which still has to write when it gets it.
    detached: process.platform !== 'win32',
    windowsHide: true,
  });
}

function inheritedEnvironment(): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of INHERITED) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

/** Resolves when the process is gone, or never came to be, with how. */
async function exitOf(child: ReturnType<typeof start>): Promise<string> {
  return await new Promise((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve(error.message);
    });
    child.once('exit', (code, signal) => {
      resolve(signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`);
    });
  });
}

async function closing(stream: Readable): Promise<void> {
  if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve));
}

async function after(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
