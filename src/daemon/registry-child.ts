import type { ActorRefFrom, AnyActorRef } from 'xstate';
import { type BridgeFacts, createRegistryActor } from '../actors/registry-actor.ts';
import type { createRegistry } from '../actors/registry.ts';
import { type ChildSpec, childSpec } from '../machines/child-spec.ts';
import { statusOf } from '../machines/convex-link-status.ts';
import type { convexLink } from '../machines/convex-link.ts';
import type { gateway } from '../machines/gateway.ts';
import { SYSTEM } from '../machines/protocol.ts';
import { type runs, runsSummary } from '../machines/runs.ts';
import { advertisedUrl } from './advertised-url.ts';
import type { Parts } from './parts.ts';

/** Answers what is known of all actors. */
export function registryChild(
  parts: Parts,
  registry: ReturnType<typeof createRegistry>,
): ChildSpec {
  return childSpec({
    id: SYSTEM.registry,
    systemId: SYSTEM.registry,
    logic: createRegistryActor(registry, (system) => bridgeFacts(parts, system)),
    restart: 'permanent',
    shutdown: 'brutal_kill',
  });
}

/** What only the parts together know of `bridge.status`. */
function bridgeFacts(
  { config, connection, startedAt, version, codex }: Parts,
  system: AnyActorRef['system'],
): BridgeFacts {
  // The names under which these machines are started.
  const control: ActorRefFrom<typeof gateway> | undefined = system.get(SYSTEM.gateway);
  const link: ActorRefFrom<typeof convexLink> | undefined = system.get(SYSTEM.convex);
  const keeper: ActorRefFrom<typeof runs> | undefined = system.get(SYSTEM.runs);
  const summary = keeper && runsSummary(keeper.getSnapshot().context);
  return {
    bind: control?.getSnapshot().context.address ?? `${config.bind.host}:${config.bind.port}`,
    version,
    codex: { bin: config.codexBin, version: codex.version() },
    runs: { active: summary?.active ?? 0, queued: summary?.queued ?? 0 },
    lastThreadId: summary?.lastThreadId ?? null,
    convexUrl: advertisedUrl(config, connection.url, 'localhost'),
    convexHealthy: link !== undefined && statusOf(link.getSnapshot().context).healthy,
    startedAt,
  };
}
