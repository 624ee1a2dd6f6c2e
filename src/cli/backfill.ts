/** `oa-bridge backfill`: begins an import of old session files, or watches or ends the one that goes on. */
import { resolve } from 'node:path';
import type { Config } from '../config.ts';
import { ControlFailure, type BridgeConnection } from '../control/connect-bridge.ts';
import type { BackfillFrame } from '../control/frames.ts';
import { BridgeError } from '../errors.ts';
import { backfillView, type BackfillView } from './backfill-view.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { connectLocalBridge } from './local-bridge.ts';

export interface BackfillFlags {
  since?: string;
  limit?: string;
  path?: string;
  attach?: boolean;
  detach?: boolean;
  cancel?: boolean;
  json?: boolean;
}

export async function backfill(config: Config, flags: BackfillFlags): Promise<ExitCode> {
  const selection = selectionOf(flags);
  const bridge = await connectLocalBridge(config);
  try {
    const follower = followJobs(bridge);
    if (flags.cancel === true) return await cancel(bridge, backfillView(flags));
    const begun = flags.attach === true ? await statusOf(bridge) : await begin(bridge, selection);
    if (flags.attach === true && !GOES_ON.has(begun.state)) return none();
    const view = backfillView(flags);
    if (flags.detach === true) {
      view.say(begun, `The backfill ${begun.jobId} goes on in the bridge. ${HINT}`);
      return EXIT.done;
    }
    const lost = bridge.closed.then(() => {
      throw new BridgeError(
        'bridge_unreachable',
        `it ended before the backfill; with the bridge it goes on, and "oa-bridge backfill --attach" shows it`,
      );
    });
    const interrupted = Promise.withResolvers<'interrupted'>();
    const onInterrupt = () => interrupted.resolve('interrupted');
    process.once('SIGINT', onInterrupt);
    try {
      const end = await Promise.race([follower.endOf(begun, view), lost, interrupted.promise]);
      view.stop();
      if (end !== 'interrupted') return verdict(end, view);
      process.stderr.write(`The backfill ${begun.jobId} goes on in the bridge. ${HINT}\n`);
      return EXIT.interrupted;
    } finally {
      view.stop();
      process.off('SIGINT', onInterrupt);
    }
  } finally {
    bridge.close();
  }
}

const HINT =
  '"oa-bridge backfill --attach" shows how far it is, "oa-bridge backfill --cancel" ends it.';

const GOES_ON: ReadonlySet<string> = new Set(['scanning', 'importing', 'paused']);

function selectionOf(flags: BackfillFlags): { since?: number; limit?: number; path?: string } {
  const { since, limit, path, attach, cancel } = flags;
  const selects = since !== undefined || limit !== undefined || path !== undefined;
  if ((selects ? 1 : 0) + (attach ? 1 : 0) + (cancel ? 1 : 0) > 1) {
    throw new BridgeError(
      'arguments_invalid',
      '--attach and --cancel take the backfill that goes on',
    );
  }
  if (limit !== undefined && !/^[1-9]\d{0,8}$/.test(limit)) {
    throw new BridgeError(
      'arguments_invalid',
      `--limit is "${limit}", but must be a number from 1`,
    );
  }
  return {
    ...(since === undefined ? {} : { since: timeOf(since) }),
    ...(limit === undefined ? {} : { limit: Number(limit) }),
    ...(path === undefined ? {} : { path: resolve(path) }),
  };
}

/** A date alone is midnight here, as a person means it, not in Greenwich. */
function timeOf(text: string): number {
  const isDate = /^\d{4}-\d\d-\d\d$/.test(text);
  const time = Date.parse(isDate ? `${text}T00:00` : text);
  if (Number.isNaN(time) || time < 0) {
    throw new BridgeError(
      'arguments_invalid',
      `--since is "${text}", but must be a date such as 2026-01-31 or 2026-01-31T18:30`,
    );
  }
  return time;
}

async function begin(
  bridge: BridgeConnection,
  selection: ReturnType<typeof selectionOf>,
): Promise<BackfillFrame> {
  try {
    return await bridge.request('convex.backfill', selection);
  } catch (error) {
    if (!(error instanceof ControlFailure) || error.code !== 'conflict') throw error;
    throw new ControlFailure(error.code, `${error.message} ${HINT}`, error.jobId);
  }
}

async function statusOf(bridge: BridgeConnection): Promise<BackfillFrame> {
  return await bridge.request('convex.backfill_status');
}

async function cancel(bridge: BridgeConnection, view: BackfillView): Promise<ExitCode> {
  const { jobId, state } = await statusOf(bridge);
  if (jobId === null || !GOES_ON.has(state)) return none();
  const frame = await bridge.request('convex.backfill_cancel', { jobId });
  view.say(frame, `Cancelled. ${view.summary(frame)}`);
  return EXIT.done;
}

function none(): ExitCode {
  process.stderr.write('oa-bridge: no backfill goes on.\n');
  return EXIT.failed;
}

/** Shows what is told of one job, from its first frame on, even those that overtake the reply. */
function followJobs(bridge: BridgeConnection) {
  const early: BackfillFrame[] = [];
  let follow = (frame: BackfillFrame) => void early.push(frame);
  bridge.on('bridge.convex_backfill', (frame) => follow(frame));
  return {
    endOf(begun: BackfillFrame, view: BackfillView): Promise<BackfillFrame> {
      const end = Promise.withResolvers<BackfillFrame>();
      view.show(begun);
      follow = (frame) => {
        if (frame.jobId !== begun.jobId) return;
        view.show(frame);
        if (!GOES_ON.has(frame.state)) end.resolve(frame);
      };
      for (const frame of early) if (!isOlder(frame, begun)) follow(frame);
      return end.promise;
    },
  };
}

/** What was replayed from before the reply would set the bar back. */
function isOlder(frame: BackfillFrame, reply: BackfillFrame): boolean {
  return frame.since < reply.since || frame.bytes.done < reply.bytes.done;
}

function verdict(frame: BackfillFrame, view: BackfillView): ExitCode {
  view.tell(frame, endOf(frame, view));
  for (const { path, reason } of frame.failures) process.stderr.write(`${path}: ${reason}\n`);
  const hidden = frame.files.failed - frame.failures.length;
  if (hidden > 0) process.stderr.write(`and ${hidden} more\n`);
  return frame.state === 'done' && frame.files.failed === 0 ? EXIT.done : EXIT.failed;
}

function endOf(frame: BackfillFrame, view: BackfillView): string {
  if (frame.state === 'failed') return `Failed: ${frame.lastError ?? 'nobody knows why'}.`;
  return `${frame.state === 'done' ? 'Done' : 'Cancelled'}. ${view.summary(frame)}`;
}
