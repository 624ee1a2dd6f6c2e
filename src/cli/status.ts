/** `oa-bridge status`: what the daemon is doing, for a person or for a machine. */
import { styleText } from 'node:util';
import type { Config } from '../config.ts';
import type { BridgeStatusFrame } from '../control/frames.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { connectLocalBridge } from './local-bridge.ts';
import { duration, table } from './table.ts';

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
  const rows = asTree(frame.actors).map(({ actor, level }) => [
    `${'  '.repeat(level)}${actor.id}`,
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

type ActorItem = BridgeStatusFrame['actors'][number];

/** Each below what has started it. What has come to its end well is left out. */
function asTree(actors: readonly ActorItem[]): { actor: ActorItem; level: number }[] {
  const shown = actors.filter(({ status, lastError }) => status === 'active' || lastError !== null);
  const known = new Set(shown.map(({ sessionId }) => sessionId));
  const below = (parent: string | null, level: number): { actor: ActorItem; level: number }[] =>
    shown
      .filter(
        ({ parentId }) => (parentId !== null && known.has(parentId) ? parentId : null) === parent,
      )
      .flatMap((actor) => [{ actor, level }, ...below(actor.sessionId, level + 1)]);
  return below(null, 0);
}
