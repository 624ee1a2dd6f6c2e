/**
 * The composition root: gives the machines their actors, and the root supervisor its
 * children, each made in a file of its own under `daemon/`. Only these know all parts.
 */
import { createActor, type AnyActorRef } from 'xstate';
import { codexProbe } from './actors/codex-process/codex-probe.ts';
import { ConvexConnection } from './actors/convex/connection.ts';
import { Redaction } from './actors/convex/redaction.ts';
import { journalSupervisor } from './actors/journal.ts';
import { projectsFolder } from './actors/library/project-files.ts';
import { UnredactedProjects } from './actors/library/unredacted-projects.ts';
import type { Config } from './config.ts';
import { backfillChild } from './daemon/backfill-child.ts';
import { convexChild } from './daemon/convex-child.ts';
import { createInspection } from './daemon/inspection.ts';
import { gatewayChild } from './daemon/gateway-child.ts';
import { libraryChild } from './daemon/library-child.ts';
import { messagesChild } from './daemon/messages-child.ts';
import { ownSecrets } from './daemon/own-secrets.ts';
import type { Parts } from './daemon/parts.ts';
import { registryChild } from './daemon/registry-child.ts';
import { runsChild } from './daemon/runs-child.ts';
import { sessionsChild } from './daemon/sessions-child.ts';
import { verifierChild } from './daemon/verifier-child.ts';
import { writerChild } from './daemon/writer-child.ts';
import { toBridgeError } from './errors.ts';
import { lockHome, openHome } from './home.ts';
import { LogFile, logFilePath } from './log-file.ts';
import { createLog } from './log.ts';
import { SYSTEM } from './machines/protocol.ts';
import { supervisor } from './machines/supervisor.ts';
import { noticeService } from './service/service-notice.ts';
import { openTokenSigner } from './token-signer.ts';
import { packageVersion } from './version.ts';

export interface Daemon {
  /** Ends everything in order; `ended` tells when. */
  shutdown(reason: string): void;
  /** Resolves with the exit code: 0 after a shutdown, 1 when the root supervisor gave up. */
  readonly ended: Promise<0 | 1>;
}

/**
 * Starts every part. Throws a BridgeError before anything runs when the home cannot be
 * used (`home_unsafe`, `home_locked`, `config_invalid`); what fails later is restarted,
 * logged, and shown by `bridge.status`.
 */
export function startDaemon(config: Config): Daemon {
  const identity = openHome(config.home, config.token);
  const lock = lockHome(config.home);
  const logSecrets = [identity.token];
  const log = createLog({
    level: config.logLevel,
    secrets: logSecrets,
    file: new LogFile(logFilePath(config.home)),
  });
  const tokens = openTokenSigner(config.home);
  const unredacted = new UnredactedProjects(projectsFolder(config.home));
  const redaction = new Redaction({
    enabled: config.redact,
    offIn: () => [...config.redactOffIn, ...unredacted.directories()],
    own: () => ownSecrets(config, identity, tokens),
  });
  const { registry, inspection } = createInspection(log, redaction);
  const parts: Parts = {
    config,
    identity,
    log,
    logSecrets,
    tokens,
    connection: new ConvexConnection({
      token: async () => (await tokens.sign('bridge')).token,
      log: (level, message) => log[level]({ actor: 'convex' }, message),
    }),
    codex: codexProbe(config, log),
    redaction,
    inspection,
    startedAt: Date.now(),
    version: packageVersion(),
  };
  const root = createActor(supervisor, {
    id: 'root',
    inspect: registry.inspect,
    input: {
      id: 'root',
      strategy: 'one_for_one',
      // More than this is no hiccup any more; the service manager takes over (reliability.md).
      intensity: { maxRestarts: 5, windowMs: 60_000 },
      backoff: { minMs: 100, maxMs: 10_000, factor: 2 },
      random: Math.random,
      notify: SYSTEM.gateway,
      children: [
        // Stopped last first: what a shutdown does is still told to clients. The limits
        // below add up to 9.5 s, because a service manager kills after 10.
        registryChild(parts, registry),
        gatewayChild(parts),
        convexChild(parts),
        writerChild(parts),
        sessionsChild(parts),
        backfillChild(parts),
        libraryChild(parts),
        messagesChild(parts),
        verifierChild(parts),
        runsChild(parts),
      ],
    },
  });
  const ended = Promise.withResolvers<0 | 1>();
  const end = async (exitCode: 0 | 1) => {
    await parts.connection.close();
    lock.release();
    log.info({ exitCode }, 'oa-bridge has ended');
    ended.resolve(exitCode);
  };
  // Outside of every actor nobody can start it again but who has started us: Node ends the process.
  process.on('uncaughtExceptionMonitor', (error, origin) => {
    log.fatal({ err: error, origin }, 'a mistake ends the bridge');
  });
  root.on('*', journalSupervisor(log));
  root.subscribe({
    complete: () => void end(0),
    error: (error) => {
      log.fatal({ err: toBridgeError(error) }, 'the root supervisor failed');
      void end(1);
    },
  });
  log.info(
    {
      version: parts.version,
      home: config.home,
      sessions: config.sessionsRoot,
      codexBin: config.codexBin,
    },
    'oa-bridge starts',
  );
  root.start();
  const service = noticeService(() => isAlive(root));
  return {
    shutdown(reason) {
      log.info({ reason }, 'shutting down');
      service.stopping();
      root.send({ type: 'shutdown' });
    },
    ended: ended.promise,
  };
}

/** Whether the parts without which nothing works are there; one that is started again is not. */
function isAlive(root: AnyActorRef): boolean {
  const critical = [SYSTEM.gateway, SYSTEM.convex, SYSTEM.writer, SYSTEM.sessions, SYSTEM.runs];
  return [root, ...critical.map((id) => root.system.get(id))].every(
    (actor: AnyActorRef | undefined) => actor?.getSnapshot()?.status === 'active',
  );
}
