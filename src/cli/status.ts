/** `oa-bridge status`: what the daemon is doing, for a person or for a machine. */
import { styleText } from 'node:util';
import type { Config } from '../config.ts';
import type { BridgeStatusFrame } from '../control/frames.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { connectLocalBridge } from './local-bridge.ts';

export async function status(config: Config, asJson: boolean): Promise<ExitCode> {
  const bridge = await connectLocalBridge(config);
  const frame = await bridge.request('bridge.status');
  bridge.close();
  console.log(asJson ? JSON.stringify(frame, null, 2) : render(frame));
  return EXIT.done;
}

function render(frame: BridgeStatusFrame): string {
  const { codex, runs } = frame;
  const head = [
    `oa-bridge ${frame.version}  pid ${frame.pid}  up ${duration(frame.uptimeMs)}`,
    `control   ws://${frame.bind}/ws`,
    `convex    ${frame.convexUrl}  ${frame.convexHealthy ? 'healthy' : styleText('red', 'not reachable')}`,
    `codex     ${codex.bin}  ${codex.version ?? styleText('red', 'not found')}`,
    `runs      ${runs.active} active, ${runs.queued} queued`,
  ];
  const now = Date.now();
  const rows = frame.actors.map((actor) => [
    actor.id,
    actor.machine,
    actor.state,
    duration(now - actor.since),
    String(actor.restarts),
    actor.lastError ?? '',
  ]);
  return [
    ...head,
    '',
    ...table(['ACTOR', 'MACHINE', 'STATE', 'SINCE', 'RESTARTS', 'LAST ERROR'], rows),
  ].join('\n');
}

function table(header: string[], rows: string[][]): string[] {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [styleText('bold', line(header)), ...rows.map(line)];
}

function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  const hours = Math.floor(seconds / 3600);
  return hours < 48
    ? `${hours}h${Math.floor((seconds % 3600) / 60)}m`
    : `${Math.floor(hours / 24)}d${hours % 24}h`;
}
