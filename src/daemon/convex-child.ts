import { deployment } from '../actors/convex-backend/deploy.ts';
import { embeddedBackend } from '../actors/convex-backend/embedded.ts';
import { health } from '../actors/convex-backend/health.ts';
import { probe } from '../actors/convex-backend/probe.ts';
import { remoteBackend } from '../actors/convex-backend/remote.ts';
import { adminKeyFile, tableCounts } from '../actors/convex-backend/table-counts.ts';
import { checkFunctions } from '../actors/convex/check-functions.ts';
import type { Config } from '../config.ts';
import { embeddedConvexEntry, environmentArguments, functionsSource } from '../entries.ts';
import type { Log } from '../log.ts';
import { type ChildSpec, childSpec } from '../machines/child-spec.ts';
import { convexLink } from '../machines/convex-link.ts';
import { SYSTEM } from '../machines/protocol.ts';
import type { TokenSigner } from '../token-signer.ts';
import type { Parts } from './parts.ts';

/** The link to Convex: the embedded backend as a process of its own, or a deployment elsewhere. */
export function convexChild({ config, connection, log, tokens }: Parts): ChildSpec {
  const remoteUrl = config.convexMode === 'remote' ? config.convexUrl : undefined;
  const database = config.convexDb;
  return childSpec({
    id: SYSTEM.convex,
    systemId: SYSTEM.convex,
    logic: convexLink.provide({
      actors: {
        backend: remoteUrl === undefined ? embedded(config, log, tokens) : remoteBackend(remoteUrl),
        probe,
        deploy: deployment({
          open: (url) => connection.open(url),
          check: () => checkFunctions(connection),
        }),
        health: health({
          connection,
          ...(remoteUrl === undefined && { tables: tableCounts(adminKeyFile(database)) }),
        }),
      },
    }),
    input: {
      mode: config.convexMode,
      url: remoteUrl ?? `http://127.0.0.1:${config.convexPort}`,
      db: remoteUrl === undefined ? database : null,
      now: Date.now,
      random: Math.random,
    },
    restart: 'permanent',
    shutdown: 2_500,
  });
}

function embedded(config: Config, log: Log, tokens: TokenSigner) {
  return embeddedBackend({
    entry: embeddedConvexEntry(),
    database: config.convexDb,
    port: config.convexPort,
    interface: config.convexInterface,
    functions: functionsSource(),
    arguments: environmentArguments(tokens.environment),
    log: (line) => log.warn({ actor: SYSTEM.convex }, line),
    // Within the limit of the child spec, so that the process is gone when we are.
    stopLimitMs: 2_000,
  });
}
