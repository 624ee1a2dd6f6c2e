import { fromCallback, type AnyActorRef, type CallbackActorLogic } from 'xstate';
import type { BridgeStatusFrame, ReplyFrame } from '../control/frames.ts';
import type { ControlRequest } from '../control/requests.ts';
import { SYSTEM, type ControlRequestEvent, type GatewayCommand } from '../machines/protocol.ts';
import type { Registry } from './registry.ts';

/** What of `bridge.status` the registry cannot know by itself. */
export type BridgeFacts = Omit<BridgeStatusFrame, 'type' | 'pid' | 'uptimeMs' | 'actors'> & {
  /** Milliseconds since the epoch. */
  startedAt: number;
};

/** The actor under SYSTEM.registry: answers `machines.list`, `machines.history` and `bridge.status`. */
export function createRegistryActor(
  registry: Registry,
  facts: (system: AnyActorRef['system']) => BridgeFacts,
): CallbackActorLogic<ControlRequestEvent> {
  return fromCallback<ControlRequestEvent>(({ receive, system }) => {
    receive(({ requestId, request }) => {
      const answer = answerTo(request, registry, () => facts(system));
      const command: GatewayCommand = answer
        ? { type: 'control.reply', requestId, frame: answer }
        : {
            type: 'control.failed',
            requestId,
            error: {
              code: 'unknown_control',
              message: `"${request.control}" is not answered here.`,
            },
          };
      system.get(SYSTEM.gateway)?.send(command);
    });
  });
}

function answerTo(
  request: ControlRequest,
  registry: Registry,
  facts: () => BridgeFacts,
): ReplyFrame | null {
  switch (request.control) {
    case 'machines.history':
      return { type: 'bridge.machine_history', items: registry.history(request.actorId) };
    case 'machines.list':
      return {
        type: 'bridge.machines',
        items: registry
          .machines()
          // What got lost between actors is nobody's context, so it is shown as its own.
          .map((item) =>
            item.id === SYSTEM.registry ? { ...item, context: { ...registry.losses() } } : item,
          ),
      };
    case 'bridge.status': {
      const { startedAt, ...known } = facts();
      return {
        type: 'bridge.status',
        ...known,
        pid: process.pid,
        uptimeMs: Date.now() - startedAt,
        actors: registry
          .machines()
          .map(
            ({ id, sessionId, parentId, machine, state, status, since, restarts, lastError }) => ({
              id,
              sessionId,
              parentId,
              machine,
              state,
              status,
              since,
              restarts,
              lastError,
            }),
          ),
      };
    }
    default:
      return null;
  }
}
