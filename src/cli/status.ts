/** `oa-bridge status`: what the daemon is doing, for a person or for a machine. */
import { styleText } from 'node:util';
import type { Config } from '../config.ts';
import { ControlFailure, type BridgeConnection } from '../control/connect-bridge.ts';
import type { BridgeStatusFrame, WatchStatusFrame } from '../control/frames.ts';
import { actorLines } from './actor-lines.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { connectLocalBridge } from './local-bridge.ts';
import { counted, duration } from './table.ts';

export interface StatusFlags {
  all?: boolean;
  json?: boolean;
}

export async function status(config: Config, { all, json }: StatusFlags): Promise<ExitCode> {
  const bridge = await connectLocalBridge(config);
  try {
    const frame = await bridge.request('bridge.status');
    console.log(
      json === true
        ? JSON.stringify(frame, null, 2)
        : [...head(frame, await sessionsOf(bridge)), '', ...actorLines(frame.actors, all)].join(
            '\n',
          ),
    );
    return EXIT.done;
  } finally {
    bridge.close();
  }
}

/** Null while the part that knows is just being started again. */
async function sessionsOf(bridge: BridgeConnection): Promise<WatchStatusFrame | null> {
  try {
    return await bridge.request('sessions.watch_status');
  } catch (error) {
    if (error instanceof ControlFailure) return null;
    throw error;
  }
}

function head(frame: BridgeStatusFrame, sessions: WatchStatusFrame | null): string[] {
  const { codex, runs } = frame;
  return [
    `oa-bridge ${frame.version}  pid ${frame.pid}  up ${duration(frame.uptimeMs)}`,
    `control   ws://${frame.bind}/ws`,
    `convex    ${frame.convexUrl}  ${frame.convexHealthy ? 'healthy' : red('not reachable')}`,
    `codex     ${codex.bin}  ${codex.version ?? red('not found')}`,
    `sessions  ${sessions === null ? red('nobody knows') : mirrored(sessions)}`,
    `runs      ${runs.active} active, ${runs.queued} queued`,
  ];
}

function mirrored({ enabled, files, bytes, lastError, degraded }: WatchStatusFrame): string {
  const facts = [
    counted(files.known, 'file'),
    ...(enabled ? [] : ['not watched']),
    ...(files.behind > 0 ? [`${files.behind} not read to the end (${bytes.pending} bytes)`] : []),
    ...(files.quarantined > 0 ? [`${files.quarantined} with lines set aside`] : []),
  ].join(', ');
  const trouble = degraded ?? lastError;
  return trouble === null ? facts : `${facts}\n          ${red(trouble)}`;
}

function red(text: string): string {
  return styleText('red', text);
}
