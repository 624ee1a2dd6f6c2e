/** Old sessions in number, and the frames of a backfill as a client sees them. */
import { utimesSync } from 'node:fs';
import { ConvexHttpClient } from 'convex/browser';
import { makeFunctionReference } from 'convex/server';
import type { BridgeConnection } from '../../src/control/connect-bridge.ts';
import { backfillFrame, type BackfillFrame } from '../../src/control/frames.ts';
import type { DaemonProcess } from './daemon-process.ts';
import { createSession, type SessionWriter } from './session-writer.ts';
import { until } from './until.ts';

const DAY = 86_400_000;

/** All files of a test, on a machine that has other things to do. */
const IMPORT_LIMIT_MS = 45_000;

/** One file a day, the newest first; each holds as many messages. */
export function oldSessions(home: string, files: number, messages: number): SessionWriter[] {
  return Array.from({ length: files }, (_, index) => {
    const at = new Date(Date.now() - (index + 1) * DAY);
    const session = createSession(home, { at });
    for (let message = 0; message < messages; message += 1) session.user(`message ${message}`);
    utimesSync(session.path, at, at);
    return session;
  });
}

export interface FollowedBackfills {
  /** All that were seen, replies left out. */
  readonly frames: readonly BackfillFrame[];
  /** The first frame, past or coming, that fits. */
  first(fits: (frame: BackfillFrame) => boolean): Promise<BackfillFrame>;
}

export function followBackfills(bridge: BridgeConnection): FollowedBackfills {
  const frames: BackfillFrame[] = [];
  const waiting = new Set<() => void>();
  bridge.onFrame((frame) => {
    const parsed = backfillFrame.safeParse(frame);
    if (!parsed.success) return;
    frames.push(parsed.data);
    for (const look of waiting) look();
  });
  return {
    frames,
    first: (fits) =>
      new Promise((resolve) => {
        const look = () => {
          const found = frames.find(fits);
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
  };
}

/** The status as soon as some files are done, and others are not: broadcasts may be too late for that. */
export async function midway(bridge: BridgeConnection): Promise<BackfillFrame> {
  return await statusWith(bridge, ({ files }) => files.done > 0 && files.done < files.total);
}

/** Asked for, and not listened to: what was told before somebody was there is seen too. */
export async function statusWith(
  bridge: BridgeConnection,
  fits: (status: BackfillFrame) => boolean,
): Promise<BackfillFrame> {
  const ask = async () => backfillFrame.parse(await bridge.request('convex.backfill_status'));
  let status = await ask();
  await until('the backfill is as far', async () => fits((status = await ask())), IMPORT_LIMIT_MS);
  return status;
}

const listWithCounts = makeFunctionReference<
  'query',
  { limit?: number },
  { threadId: string; messageCount: number; rolloutPath?: string }[]
>('threads:listWithCounts');

/** How many messages Convex holds of each thread. */
export async function messageCounts(daemon: DaemonProcess): Promise<Map<string, number>> {
  const client = new ConvexHttpClient(daemon.convexUrl, { skipConvexDeploymentUrlCheck: true });
  client.setAuth(await daemon.convexToken());
  const threads = await client.query(listWithCounts, { limit: 200 });
  return new Map(threads.map(({ threadId, messageCount }) => [threadId, messageCount]));
}
