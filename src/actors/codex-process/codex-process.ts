/** Codex as a child process, driven by `codex exec --json`. One actor, one process. */
import { once } from 'node:events';
import { execa } from 'execa';
import { fromCallback, type CallbackActorLogic } from 'xstate';
import {
  createExecReader,
  type ExecOutcome,
  type ExecReader,
} from '../../codex/exec/create-exec-reader.ts';
import { interrupted } from '../../codex/item-content.ts';
import type { ThreadItem } from '../../codex/thread-item.ts';
import { BridgeError, toBridgeError } from '../../errors.ts';
import type {
  CodexProcessCommand,
  CodexProcessEvent,
  RunPlan,
} from '../../machines/codex-process-events.ts';
import { Complaints, readableError } from './complaint.ts';
import { execArguments } from './exec-arguments.ts';
import { ProcessTree } from './kill-tree.ts';
import { outputLines, type OutputLines } from './output-lines.ts';

export interface CodexProcessOptions {
  /** The program: a name on the PATH, or a path. */
  bin: string;
  /** The user's own arguments for every run. */
  extraArguments: readonly string[];
  /** The whole environment: see `childEnvironment`. */
  env: Readonly<Record<string, string>>;
  /** Who ends the process if the bridge cannot any more. */
  guard: {
    add(runId: string, pid: number): Promise<void>;
    remove(pid: number): void;
  };
}

/**
 * After Codex has ended, its stdout may stay open in a process that it left behind:
 * what is in the pipe is there at once, so this only covers a busy machine.
 */
const DRAIN_LIMIT_MS = 1_000;

type Child = ReturnType<typeof start>;
type Send = (event: CodexProcessEvent) => void;

export function createCodexProcess(
  options: CodexProcessOptions,
): CallbackActorLogic<CodexProcessCommand, { plan: RunPlan }> {
  return fromCallback<CodexProcessCommand, { plan: RunPlan }>(({ input, sendBack, receive }) => {
    const send: Send = sendBack;
    const child = tryStart(options, input.plan, send);
    const pid = child?.pid;
    if (child === null || pid === undefined) return undefined;
    const tree = new ProcessTree(pid);
    const run = new Run(send, createExecReader({ runId: input.plan.runId, now: Date.now }));
    let isOver = false;
    let isKilled = false;
    receive(({ signal }) => {
      if (isOver) return;
      isKilled ||= signal !== 'SIGINT';
      void tree.signal(signal);
    });
    send({ type: 'process.spawned', pid });
    const output = run.follow(child);
    void ended(child).then(async ({ exitCode, signal }) => {
      isOver = true;
      options.guard.remove(pid);
      if (isKilled) tree.sweep();
      await drained(child);
      for (const lines of output) lines.finish();
      child.stdout?.destroy();
      child.stderr?.destroy();
      run.exited(exitCode, signal);
    });
    // Without its prompt a Codex ends by itself, so nothing can be left behind before this.
    void options.guard
      .add(input.plan.runId, pid)
      .catch((error: unknown) => run.note(`not in the ledger: ${String(error)}`))
      .then(() => child.stdin?.end(input.plan.prompt));
    return () => {
      if (isOver) return;
      tree.killNow();
      options.guard.remove(pid);
    };
  });
}

/** Turns what Codex prints into events. */
class Run {
  readonly #send: Send;
  readonly #reader: ExecReader;
  readonly #complaints = new Complaints();
  /** Reasons that were told already. */
  readonly #problems = new Set<string>();
  /** Items that Codex has begun, by their keys. */
  readonly #open = new Map<string, ThreadItem>();
  #lastError: string | undefined;

  constructor(send: Send, reader: ExecReader) {
    this.#send = send;
    this.#reader = reader;
  }

  follow(child: Child): OutputLines[] {
    const { stdout, stderr, stdin } = child;
    // A Codex that ends before it has read its prompt says why on stderr.
    stdin?.on('error', () => {});
    return [
      stdout && outputLines(stdout, (line, bytes) => this.#printed('stdout', line, bytes)),
      stderr && outputLines(stderr, (line, bytes) => this.#printed('stderr', line, bytes)),
    ].filter((lines) => lines !== undefined && lines !== null);
  }

  /** Something that the bridge has to say in between. */
  note(text: string): void {
    this.#send({ type: 'process.line', stream: 'stderr', line: `oa-bridge: ${text}` });
  }

  exited(exitCode: number | null, signal: string | null): void {
    // An interrupted Codex closes nothing that it has begun.
    const items = [...this.#open.values()].map(interrupted);
    if (items.length > 0) this.#send({ type: 'process.items', items, bytes: 0 });
    const error = this.#lastError ?? this.#complaints.text();
    this.#send({
      type: 'process.exited',
      exitCode,
      signal,
      ...(error === undefined ? {} : { error }),
    });
  }

  #printed(stream: 'stdout' | 'stderr', line: string | null, bytes: number): void {
    if (line === null) {
      this.note(`a line of ${bytes} bytes was too long for the stream and was left out`);
      return;
    }
    this.#send({ type: 'process.line', stream, line });
    if (stream === 'stderr') this.#complaints.add(line);
    else if (line !== '') this.#read(line, bytes);
  }

  #read(line: string, bytes: number): void {
    try {
      this.#understood(this.#reader.push(line), bytes);
    } catch (error) {
      this.#noteOnce(`a line could not be read: ${String(error)}`);
    }
  }

  #understood({ items, resumeId, turn, error, problems }: ExecOutcome, bytes: number): void {
    if (resumeId !== undefined) this.#send({ type: 'process.session', resumeId });
    if (items.length > 0) this.#send({ type: 'process.items', items, bytes });
    for (const item of items) {
      if (item.partial === true) this.#open.set(item.key, item);
      else this.#open.delete(item.key);
    }
    for (const { reason } of problems) this.#noteOnce(`a line was not understood: ${reason}`);
    const said = turn?.error ?? error;
    if (said !== undefined) this.#lastError = readableError(said);
    if (turn === undefined) return;
    // What went wrong before a turn that ended well was not fatal.
    if (turn.status === 'completed') this.#lastError = undefined;
    const failure = turn.error === undefined ? {} : { error: readableError(turn.error) };
    this.#send({ type: 'process.turnEnded', turn: { ...turn, ...failure } });
  }

  #noteOnce(text: string): void {
    if (this.#problems.has(text)) return;
    this.#problems.add(text);
    this.note(text);
  }
}

/** Null, or without a pid, when the system refuses: that is told as an event in every case. */
function tryStart(options: CodexProcessOptions, plan: RunPlan, send: Send): Child | null {
  const refuse = (error: BridgeError) => send({ type: 'process.refused', error });
  try {
    const child = start(options, plan);
    if (child.pid === undefined) void child.then((result) => refuse(refusal(result)));
    return child;
  } catch (thrown) {
    // A zero byte in an argument is thrown at once.
    refuse(toBridgeError(thrown, 'codex_failed'));
    return null;
  }
}

function start({ bin, extraArguments, env }: CodexProcessOptions, plan: RunPlan) {
  return execa(bin, execArguments(plan, extraArguments), {
    cwd: plan.cwd,
    env,
    extendEnv: false,
    stdin: 'pipe',
    // Of its own group, which can be signalled as a whole.
    detached: true,
    // Its end is ours to arrange: execa would send a signal to the process alone.
    cleanup: false,
    buffer: false,
    reject: false,
    windowsHide: true,
  });
}

async function ended(child: Child): Promise<{ exitCode: number | null; signal: string | null }> {
  const { promise, resolve } = Promise.withResolvers<{
    exitCode: number | null;
    signal: string | null;
  }>();
  child.nodeChildProcess.once('exit', (exitCode: number | null, signal: string | null) =>
    resolve({ exitCode, signal }),
  );
  return await promise;
}

async function drained(child: Child): Promise<void> {
  const signal = AbortSignal.timeout(DRAIN_LIMIT_MS);
  const ends = [child.stdout, child.stderr].map(async (stream) => {
    if (stream && !stream.readableEnded && !stream.destroyed)
      await once(stream, 'close', { signal });
  });
  await Promise.allSettled(ends);
}

function refusal({ code, originalMessage = 'unknown reason', cause }: Awaited<Child>): BridgeError {
  if (code === 'ENOENT' || code === 'EACCES') {
    return new BridgeError('codex_missing', originalMessage, { cause });
  }
  return toBridgeError(cause ?? originalMessage, 'codex_failed');
}
