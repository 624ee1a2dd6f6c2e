/** `oa-bridge submit`: one prompt, run by the daemon, its answer printed as it comes. */
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { z } from 'zod';
import type { Config } from '../config.ts';
import type { BridgeConnection } from '../control/connect-bridge.ts';
import { onConflict } from '../control/modes.ts';
import { BridgeError } from '../errors.ts';
import { convexFunctions } from './convex-functions.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { followRuns, verdict } from './follow-run.ts';
import { connectLocalBridge } from './local-bridge.ts';

export interface SubmitFlags {
  thread?: string;
  project?: string;
  new?: boolean;
  cd?: string;
  onConflict?: string;
  follow: boolean;
  json?: boolean;
}

export async function submit(
  config: Config,
  prompt: string,
  flags: SubmitFlags,
): Promise<ExitCode> {
  const text = prompt === '-' ? await readAll(process.stdin) : prompt;
  if (text.trim() === '') throw new BridgeError('arguments_invalid', 'the prompt is empty');
  const bridge = await connectLocalBridge(config);
  try {
    const threadDocId = flags.thread ?? (await createThread(bridge, flags));
    const follower = followRuns(bridge, flags.json ?? false);
    const { project: projectId } = flags;
    const request = {
      id: randomUUID(),
      threadDocId,
      text,
      ...(projectId === undefined ? {} : { projectId }),
      ...(flags.new ? { resumeId: 'new' } : {}),
      ...(flags.onConflict === undefined ? {} : { onConflict: onConflict.parse(flags.onConflict) }),
    };
    const { runId } = await bridge.request('run.submit', request);
    if (!flags.follow) {
      console.log(runId);
      return EXIT.done;
    }
    // The first Ctrl-C asks the daemon to end the run; a second one ends only us.
    process.once('SIGINT', () => {
      bridge.request('interrupt', { runId }).catch(() => {});
    });
    return verdict(await follower.endOf(runId));
  } finally {
    bridge.close();
  }
}

/** In the directory of its project, else where the command was called. */
async function createThread(
  bridge: BridgeConnection,
  { cd, project: projectId }: SubmitFlags,
): Promise<string> {
  const place = projectId === undefined || cd !== undefined ? { cwd: resolve(cd ?? '.') } : {};
  const convex = await convexFunctions(bridge);
  // The run says whose it is: a project that there is not leaves no trace.
  return z.string().parse(await convex.mutation('threads:create', place));
}
