/** Codex as a child process, whatever drives it: started once, ended with all that it has started. */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { execa } from 'execa';
import type { ThreadItem } from '../../codex/thread-item.ts';
import { BridgeError, toBridgeError } from '../../errors.ts';
import type {
  CodexProcessEvent,
  KillSignal,
  RunPlan,
} from '../../machines/codex-process-events.ts';
import { Complaints } from './complaint.ts';
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

export type Send = (event: CodexProcessEvent) => void;

/** What a driver makes of its child. */
export interface ChildListener {
  /** Whoever could end the child knows of it: it may be given work. */
  ready(stdin: Writable): void;
  /** A line of stdout that is not empty. */
  line(line: string, bytes: number): void;
  /** A line of stderr. */
  complaint?(line: string): void;
  /** It has ended, and everything that it had printed was handed on. Says what it complained of. */
  ended(exit: { exitCode: number | null; signal: string | null }): string | undefined;
}

export interface CodexChild {
  signal(signal: KillSignal): void;
  /** Something that the bridge has to say among the child's own lines. */
  note(text: string): void;
  /** As `note`, and not again. */
  noteOnce(text: string): void;
  /** It has shown these: what a command starts is remembered, for when it is killed by others. */
  showed(items: readonly ThreadItem[]): void;
  /** Ends it at once. */
  kill(): void;
}

/**
 * After Codex has ended, its stdout may stay open in a process that it left behind:
 * what is in the pipe is there at once, so this only covers a busy machine.
 */
const DRAIN_LIMIT_MS = 1_000;

/**
 * Milliseconds after a command was begun: it starts at once, and what it starts itself a moment
 * later. Looking costs some 10 ms.
 */
const LOOKS_AT_COMMAND_MS = [30, 300];
/** That wait at once: each sees all that is there, so more would see nothing more. */
const MAX_LOOKS = 8;

/** In the environment of Codex and of all that it starts: which run it is of. */
const RUN_MARK = 'OA_BRIDGE_RUN';

type Child = ReturnType<typeof start>;

/** Null when the system refuses to start it: that is told as `process.refused`. */
export function startCodex(
  options: CodexProcessOptions,
  plan: RunPlan,
  args: readonly string[],
  send: Send,
  listenerOf: (child: CodexChild) => ChildListener,
): CodexChild | null {
  const child = tryStart(options, plan, args, send);
  const pid = child?.pid;
  if (child === null || pid === undefined) return null;
  const tree = new ProcessTree(pid, `${RUN_MARK}=${plan.runId}`);
  const said = new Set<string>();
  /** Keys of commands. */
  const begun = new Set<string>();
  let looks = 0;
  let isOver = false;
  let isKilled = false;
  const handle: CodexChild = {
    signal(signal) {
      if (isOver) return;
      isKilled ||= signal !== 'SIGINT';
      void tree.signal(signal);
    },
    note(text) {
      send({ type: 'process.lines', stream: 'stderr', lines: [`oa-bridge: ${text}`] });
    },
    noteOnce(text) {
      if (said.has(text)) return;
      said.add(text);
      handle.note(text);
    },
    showed(items) {
      const known = begun.size;
      for (const { key } of items.filter(isCommandBegun)) begun.add(key);
      // One that goes on is shown with all that it prints.
      if (begun.size === known || looks >= MAX_LOOKS) return;
      for (const delay of LOOKS_AT_COMMAND_MS) {
        looks += 1;
        setTimeout(() => {
          looks -= 1;
          if (!isOver) void tree.look();
        }, delay).unref();
      }
    },
    kill() {
      if (isOver) return;
      tree.killNow();
      options.guard.remove(pid);
    },
  };
  const listener = listenerOf(handle);
  const complaints = new Complaints();
  send({ type: 'process.spawned', pid });
  const output = follow(child, handle, complaints, listener, send);
  void ended(child).then(async (exit) => {
    isOver = true;
    options.guard.remove(pid);
    if (isKilled || exit.signal !== null) await tree.sweep();
    await drained(child);
    for (const lines of output) lines.finish();
    child.stdout?.destroy();
    child.stderr?.destroy();
    const error = listener.ended(exit) ?? complaints.text();
    send({ type: 'process.exited', ...exit, ...(error === undefined ? {} : { error }) });
  });
  // Without work a Codex ends by itself, so nothing can be left behind before this.
  void options.guard
    .add(plan.runId, pid)
    .catch((error: unknown) => handle.note(`not in the ledger: ${String(error)}`))
    .then(() => child.stdin && listener.ready(child.stdin));
  return handle;
}

function isCommandBegun({ kind, partial }: ThreadItem): boolean {
  return kind === 'cmd' && partial === true;
}

function follow(
  { stdout, stderr, stdin }: Child,
  child: CodexChild,
  complaints: Complaints,
  listener: ChildListener,
  send: Send,
): OutputLines[] {
  // A Codex that ends before it has read its prompt says why on stderr.
  stdin?.on('error', () => {});
  const printed = (stream: 'stdout' | 'stderr') => (line: string | null, bytes: number) => {
    if (line === null) {
      child.note(`a line of ${bytes} bytes was too long for the stream and was left out`);
      return;
    }
    send({ type: 'process.lines', stream, lines: [line] });
    if (stream === 'stderr') {
      complaints.add(line);
      listener.complaint?.(line);
    } else if (line !== '') listener.line(line, bytes);
  };
  return [
    stdout && outputLines(stdout, printed('stdout')),
    stderr && outputLines(stderr, printed('stderr')),
  ].filter((lines) => lines !== undefined && lines !== null);
}

/** Null, or without a pid, when the system refuses: that is told as an event in every case. */
function tryStart(
  options: CodexProcessOptions,
  plan: RunPlan,
  args: readonly string[],
  send: Send,
): Child | null {
  const refuse = (error: BridgeError) => send({ type: 'process.refused', error });
  try {
    const child = start(options, plan, args);
    if (child.pid === undefined) void child.then((result) => refuse(refusal(result)));
    return child;
  } catch (thrown) {
    // A zero byte in an argument is thrown at once.
    refuse(toBridgeError(thrown, 'codex_failed'));
    return null;
  }
}

function start({ bin, env }: CodexProcessOptions, plan: RunPlan, args: readonly string[]) {
  return execa(bin, args, {
    cwd: plan.cwd,
    env: { ...env, [RUN_MARK]: plan.runId },
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
