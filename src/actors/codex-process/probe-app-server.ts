/** Asks an installed Codex whether its app-server can do what a run needs. */
import { execa } from 'execa';
import { z } from 'zod';
import { parseRpcMessage } from '../../codex/app-server/rpc-message.ts';
import { packageVersion } from '../../version.ts';
import { initializeParams } from './app-server-arguments.ts';
import type { CodexProcessOptions } from './codex-child.ts';
import { Complaints } from './complaint.ts';
import { ProcessTree } from './kill-tree.ts';
import { outputLines } from './output-lines.ts';
import { RpcClient } from './rpc-client.ts';

/** Starting takes some 250 ms, and up to a second in older versions; a busy machine gets more. */
const PROBE_LIMIT_MS = 5_000;

/** No thread has it: it names the first moment of the year 1970. */
const NO_THREAD = '00000000-0000-7000-8000-000000000000';

/**
 * What it lacks, or null when it lacks nothing. Rejects when it cannot be asked: it does
 * not start, or says nothing in time. Nothing is done: each question is one that a program
 * which understands it has to refuse.
 */
export async function probeAppServer(
  { bin, env, guard }: Pick<CodexProcessOptions, 'bin' | 'env' | 'guard'>,
  limitMs = PROBE_LIMIT_MS,
): Promise<string | null> {
  const child = execa(bin, ['app-server'], {
    env,
    extendEnv: false,
    buffer: false,
    reject: false,
    stdin: 'pipe',
    // Any program may stand there, also one that ignores signals and leaves others behind.
    detached: true,
    cleanup: false,
    windowsHide: true,
  });
  const { pid } = child;
  if (pid === undefined) throw new Error((await child).shortMessage);
  // All before the guard is waited for: what nobody listens to by then is lost.
  child.stdin.on('error', () => {});
  const rpc = new RpcClient(child.stdin);
  outputLines(child.stdout, (line) => {
    if (line === null || line === '') return;
    const message = parsed(line);
    if (message?.kind === 'result' || message?.kind === 'error') rpc.answered(message);
  });
  const complaints = new Complaints();
  outputLines(child.stderr, (line) => complaints.add(line ?? ''));
  const tree = new ProcessTree(pid);
  // By then it has said why, too.
  child.nodeChildProcess.once('close', () => rpc.abandon());
  const overdue = setTimeout(() => rpc.abandon(), limitMs);
  try {
    await guard.add('probe', pid);
    await rpc.request('initialize', initializeParams(packageVersion()));
    rpc.notify('initialized');
    const lacking = await lackingIn(rpc);
    // The last refusal was not Codex's.
    if (rpc.isOver) throw new Error('Codex has ended before it was asked everything.');
    return lacking;
  } catch (cause) {
    const said = complaints.text();
    throw said === undefined ? cause : new Error(said, { cause });
  } finally {
    clearTimeout(overdue);
    rpc.end();
    // It was asked questions only: there is nothing that it has to bring to an end.
    await tree.signal('SIGKILL');
    child.stdout.destroy();
    child.stderr.destroy();
    guard.remove(pid);
  }
}

async function lackingIn(rpc: RpcClient): Promise<string | null> {
  for (const method of ['thread/resume', 'turn/start', 'turn/steer', 'turn/interrupt']) {
    // A method that there is misses its `threadId`; another is refused for its name.
    const refusal = await refusalOf(rpc, method, {});
    if (!refusal.includes('threadId')) return method;
  }
  const refusal = await refusalOf(rpc, 'turn/start', {
    threadId: NO_THREAD,
    input: [],
    clientUserMessageId: WRONG_TYPE,
  });
  // A field that is not known is not looked at, and the thread is missed instead.
  return refusal.includes(String(WRONG_TYPE)) ? null : 'clientUserMessageId';
}

/** Refused as what should be a string; an unusual number, so that it is found in the refusal. */
const WRONG_TYPE = 52_341_877;

async function refusalOf(rpc: RpcClient, method: string, params: object): Promise<string> {
  try {
    await rpc.request(method, params);
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
  return '';
}

function parsed(line: string) {
  try {
    return parseRpcMessage(line);
  } catch (error) {
    if (error instanceof z.ZodError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
