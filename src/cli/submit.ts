/** `oa-bridge submit`: one prompt, run by the daemon, its answer printed as it comes. */
import { resolve } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { ConvexHttpClient } from 'convex/browser';
import { makeFunctionReference } from 'convex/server';
import { z } from 'zod';
import type { Config } from '../config.ts';
import type { BridgeConnection, BridgeEvent } from '../control/connect-bridge.ts';
import type { RunFrame } from '../control/frames.ts';
import { BridgeError } from '../errors.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { connectLocalBridge } from './local-bridge.ts';
import type { SubmitFlags } from './program.ts';
import { showItems } from './show-item.ts';

export async function submit(
  config: Config,
  prompt: string,
  flags: SubmitFlags,
): Promise<ExitCode> {
  const text = prompt === '-' ? await readAll(process.stdin) : prompt;
  const bridge = await connectLocalBridge(config);
  try {
    const threadDocId = flags.thread ?? (await createThread(bridge, resolve(flags.cd)));
    const follower = followRuns(bridge, flags.json ?? false);
    const { runId } = await bridge.request('run.submit', { threadDocId, text });
    // The first Ctrl-C asks the daemon to end the run; a second one ends only us.
    process.once('SIGINT', () => {
      bridge.request('interrupt', { runId }).catch(() => {});
    });
    const lost = bridge.closed.then(() => {
      throw new BridgeError('bridge_unreachable', 'it ended before the run did');
    });
    return verdict(await Promise.race([follower.endOf(runId), lost]));
  } finally {
    bridge.close();
  }
}

const ENDED: ReadonlySet<string> = new Set(['completed', 'failed', 'interrupted', 'timedOut']);

/** Prints what a run prints, from its first frame on, even those that overtake the reply. */
function followRuns(bridge: BridgeConnection, asJson: boolean) {
  const end = Promise.withResolvers<RunFrame>();
  let wanted: string | undefined;
  const early: BridgeEvent[] = [];
  const showLine = asJson ? (line: string) => console.log(line) : showItems();
  const follow = (event: BridgeEvent) => {
    if (wanted === undefined) early.push(event);
    else if ('runId' in event && event.runId === wanted) show(event, showLine, end.resolve);
  };
  bridge.onFrame(follow);
  return {
    endOf(runId: string): Promise<RunFrame> {
      wanted = runId;
      for (const event of early) follow(event);
      return end.promise;
    },
  };
}

function show(
  event: BridgeEvent,
  showLine: (line: string) => void,
  done: (run: RunFrame) => void,
): void {
  if (event.type === 'codex.line') {
    if (event.stream === 'stderr') process.stderr.write(`${event.line}\n`);
    else showLine(event.line);
  } else if (event.type === 'bridge.run' && ENDED.has(event.state)) done(event);
}

function verdict({ state, error }: RunFrame): ExitCode {
  if (state === 'completed') return EXIT.done;
  const how = state === 'timedOut' ? 'took too long' : state === 'failed' ? 'failed' : 'was ended';
  process.stderr.write(`oa-bridge: the run ${how}${error ? `: ${error.message}` : ''}\n`);
  return state === 'interrupted' ? EXIT.interrupted : EXIT.failed;
}

async function createThread(bridge: BridgeConnection, cwd: string): Promise<string> {
  const { url, token } = await bridge.request('convex.token');
  const create = makeFunctionReference<'mutation'>('threads:create');
  try {
    const client = new ConvexHttpClient(url, { skipConvexDeploymentUrlCheck: true });
    client.setAuth(token);
    return z.string().parse(await client.mutation(create, { cwd }));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BridgeError('convex_unavailable', `${url} (${reason})`, { cause });
  }
}
