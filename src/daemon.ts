/**
 * The composition root: gives the machines their actors, and the root supervisor its
 * children. The only file that knows all parts.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir, hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { createActor, type ActorRefFrom, type AnyActorRef } from 'xstate';
import { backfillActors } from './actors/backfill/backfill-actors.ts';
import { JobFile } from './actors/backfill/job-file.ts';
import { codexProbe, type CodexProbe } from './actors/codex-process/codex-probe.ts';
import { deployment } from './actors/convex-backend/deploy.ts';
import { embeddedBackend } from './actors/convex-backend/embedded.ts';
import { health } from './actors/convex-backend/health.ts';
import { probe } from './actors/convex-backend/probe.ts';
import { remoteBackend } from './actors/convex-backend/remote.ts';
import { adminKeyFile, tableCounts } from './actors/convex-backend/table-counts.ts';
import { journalStates, journalSupervisor } from './actors/journal.ts';
import { checkFunctions } from './actors/convex/check-functions.ts';
import { committer } from './actors/convex/committer.ts';
import { ConvexConnection } from './actors/convex/connection.ts';
import { loadCursors } from './actors/convex/load-cursors.ts';
import { Redaction } from './actors/convex/redaction.ts';
import { createMessageReader } from './actors/messages/message-reader.ts';
import { messageLookup } from './actors/messages/message-lookup.ts';
import { readInThread } from './actors/messages/whole-item-thread.ts';
import { createVerifier } from './actors/verify/verifier.ts';
import { gatewayServer } from './actors/gateway/server.ts';
import { createRegistryActor, type BridgeFacts } from './actors/registry-actor.ts';
import { createRegistry } from './actors/registry.ts';
import { runActors } from './actors/run-actors.ts';
import { projectActors, skillActors } from './actors/library/library-actors.ts';
import { ProjectFiles } from './actors/library/project-files.ts';
import { SkillFiles } from './actors/library/skill-files.ts';
import { RecentlySetAside } from './actors/sessions/recently-set-aside.ts';
import { sessionActors } from './actors/sessions/session-actors.ts';
import { saveChoice, WatchChoice } from './actors/sessions/watch-choice.ts';
import type { Config } from './config.ts';
import {
  embeddedConvexEntry,
  environmentArguments,
  functionsSource,
  registrySkills,
} from './entries.ts';
import { BridgeError, toBridgeError } from './errors.ts';
import { lockHome, openHome, type BridgeIdentity } from './home.ts';
import { createLog, type Log } from './log.ts';
import { backfill } from './machines/backfill.ts';
import { childSpec, type ChildSpec } from './machines/child-spec.ts';
import { convexLink } from './machines/convex-link.ts';
import { convexWriter } from './machines/convex-writer.ts';
import { gateway } from './machines/gateway.ts';
import { libraryWatch } from './machines/library-watch.ts';
import { SYSTEM } from './machines/protocol.ts';
import { runs, runsSummary } from './machines/runs.ts';
import { sessionsWatch } from './machines/sessions-watch.ts';
import { supervisor } from './machines/supervisor.ts';
import type { OwnSecret } from './secrets/find-secrets.ts';
import { openTokenSigner, type TokenSigner } from './token-signer.ts';
import { packageVersion } from './version.ts';

export interface Daemon {
  /** Ends everything in order; `ended` tells when. */
  shutdown(reason: string): void;
  /** Resolves with the exit code: 0 after a shutdown, 1 when the root supervisor gave up. */
  readonly ended: Promise<0 | 1>;
}

/** What the parts are made of. */
interface Parts {
  config: Config;
  identity: BridgeIdentity;
  log: Log;
  connection: ConvexConnection;
  tokens: TokenSigner;
  codex: CodexProbe;
  redaction: Redaction;
  /** Milliseconds since the epoch. */
  startedAt: number;
  version: string;
}

/**
 * Starts every part. Throws a BridgeError before anything runs when the home cannot be
 * used (`home_unsafe`, `home_locked`, `config_invalid`); what fails later is restarted,
 * logged, and shown by `bridge.status`.
 */
export function startDaemon(config: Config): Daemon {
  const identity = openHome(config.home, config.token);
  const lock = lockHome(config.home);
  const log = createLog({ level: config.logLevel, secrets: [identity.token] });
  const tokens = openTokenSigner(config.home);
  const parts: Parts = {
    config,
    identity,
    log,
    tokens,
    connection: new ConvexConnection({
      token: async () => (await tokens.sign('bridge')).token,
      log: (level, message) => log[level]({ actor: 'convex' }, message),
    }),
    codex: codexProbe(config, log),
    redaction: new Redaction({
      enabled: config.redact,
      offIn: () => config.redactOffIn,
      own: () => ownSecrets(config, identity, tokens),
    }),
    startedAt: Date.now(),
    version: packageVersion(),
  };
  const registry = createRegistry({ onState: journalStates(log) });
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
  return {
    shutdown(reason) {
      log.info({ reason }, 'shutting down');
      root.send({ type: 'shutdown' });
    },
    ended: ended.promise,
  };
}

function registryChild(parts: Parts, registry: ReturnType<typeof createRegistry>): ChildSpec {
  return childSpec({
    id: SYSTEM.registry,
    systemId: SYSTEM.registry,
    logic: createRegistryActor(registry, (system) => bridgeFacts(parts, system)),
    restart: 'permanent',
    shutdown: 'brutal_kill',
  });
}

function convexChild({ config, connection, log, tokens }: Parts): ChildSpec {
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

function runsChild({ config, connection, identity, log, redaction }: Parts): ChildSpec {
  return childSpec({
    id: SYSTEM.runs,
    systemId: SYSTEM.runs,
    logic: runs.provide({
      actors: runActors({
        connection,
        machineId: identity.machineId,
        config,
        env: process.env,
        defaultDirectory: homedir(),
        ledgerFile: join(config.home, 'runs-ledger.json'),
        promptsFile: join(config.home, 'prompts.json'),
        redaction,
        log: (message, details) => log.info({ actor: SYSTEM.runs, ...details }, message),
      }),
    }),
    input: {
      machineId: identity.machineId,
      maxRuns: config.maxRuns,
      usualPolicy: { sandbox: config.sandbox, approvals: config.approvals },
      now: Date.now,
    },
    restart: 'permanent',
    shutdown: 4_000,
  });
}

function writerChild({ connection, identity, redaction }: Parts): ChildSpec {
  return childSpec({
    id: SYSTEM.writer,
    systemId: SYSTEM.writer,
    logic: convexWriter.provide({
      actors: {
        committer: committer({ connection, machineId: identity.machineId, redaction }),
      },
    }),
    input: { random: Math.random },
    restart: 'permanent',
    shutdown: 2_000,
  });
}

function sessionsChild({ config, connection, identity }: Parts): ChildSpec {
  const choice = new WatchChoice(config.home);
  const setAside = new RecentlySetAside();
  return childSpec({
    id: SYSTEM.sessions,
    systemId: SYSTEM.sessions,
    logic: sessionsWatch.provide({
      actors: {
        ...sessionActors({
          setAside,
          loadCursors: () => loadCursors(connection, identity.machineId),
        }),
        saveChoice: saveChoice(choice),
      },
    }),
    input: () => ({
      root: config.sessionsRoot,
      enabled: config.convexSync && (choice.read() ?? true),
      now: Date.now,
      setAside: () => setAside.lines,
    }),
    restart: 'permanent',
    shutdown: 500,
  });
}

function backfillChild({ config, log }: Parts): ChildSpec {
  const file = new JobFile(config.home);
  return childSpec({
    id: SYSTEM.backfill,
    systemId: SYSTEM.backfill,
    logic: backfill.provide({ actors: backfillActors({ file, root: config.sessionsRoot }) }),
    input: () => ({
      job: file.read((message) => log.warn({ actor: SYSTEM.backfill }, message)),
      createId: randomUUID,
      now: Date.now,
    }),
    restart: 'permanent',
    // It has nothing in hand: its job is written down, and the files are the watcher's.
    shutdown: 'brutal_kill',
  });
}

/** Projects and skills: two watchers under a supervisor of their own. */
function libraryChild({ config, connection, identity }: Parts): ChildSpec {
  const projects = new ProjectFiles(join(config.home, 'projects'));
  const skills = new SkillFiles(join(config.home, 'skills'), registrySkills(), projects);
  const options = { connection, machineId: identity.machineId };
  const watcher = (
    id: 'projects' | 'skills',
    actors: ReturnType<typeof projectActors> | ReturnType<typeof skillActors>,
  ) =>
    childSpec({
      id: SYSTEM[id],
      systemId: SYSTEM[id],
      logic: libraryWatch.provide({ actors }),
      input: { id, enabled: config.convexSync },
      restart: 'permanent',
      shutdown: 250,
    });
  return childSpec({
    id: 'library',
    logic: supervisor,
    input: {
      id: 'library',
      strategy: 'one_for_one',
      intensity: { maxRestarts: 5, windowMs: 60_000 },
      backoff: { minMs: 100, maxMs: 10_000, factor: 2 },
      random: Math.random,
      notify: SYSTEM.gateway,
      children: [
        watcher('projects', projectActors(projects, options)),
        watcher('skills', skillActors(skills, projects.folder, options)),
      ],
    },
    restart: 'permanent',
    shutdown: 500,
  });
}

function messagesChild({ connection, redaction }: Parts): ChildSpec {
  return childSpec({
    id: SYSTEM.messages,
    systemId: SYSTEM.messages,
    logic: createMessageReader({
      lookup: messageLookup(connection),
      readItem: readInThread,
      redact: (item, directory) => redaction.item(item, directory),
    }),
    restart: 'permanent',
    shutdown: 'brutal_kill',
  });
}

function verifierChild({ config, connection, identity, redaction, tokens }: Parts): ChildSpec {
  return childSpec({
    id: SYSTEM.verifier,
    systemId: SYSTEM.verifier,
    logic: createVerifier({
      root: config.sessionsRoot,
      machineId: identity.machineId,
      redaction,
      url: () => connection.url,
      token: async () => (await tokens.sign('bridge')).token,
    }),
    restart: 'permanent',
    shutdown: 'brutal_kill',
  });
}

function gatewayChild({ config, identity, version, connection, tokens }: Parts): ChildSpec {
  const server = gatewayServer({
    host: config.bind.host,
    port: config.bind.port,
    access: {
      token: identity.token,
      allowedOrigins: config.allowedOrigins,
      hostNames: ownNames(),
    },
    hello: (requestHost) => ({
      bridgeId: identity.bridgeId,
      machineId: identity.machineId,
      version,
      convexUrl: advertisedUrl(config, connection.url, requestHost),
    }),
    async convexToken(requestHost) {
      if (connection.url === null && config.convexPort === 0) {
        throw new BridgeError('convex_unavailable', 'its address is not known yet');
      }
      const url = advertisedUrl(config, connection.url, requestHost);
      return { url, ...(await tokens.sign('client')) };
    },
  });
  return childSpec({
    id: SYSTEM.gateway,
    systemId: SYSTEM.gateway,
    logic: gateway.provide({ actors: { server } }),
    restart: 'permanent',
    shutdown: 500,
  });
}

/** What opens the bridge and its Convex, which makes its key when it first starts. */
function ownSecrets(
  config: Config,
  identity: BridgeIdentity,
  tokens: TokenSigner,
): (OwnSecret | null)[] {
  const own = [
    { kind: 'bridge-token', value: identity.token },
    { kind: 'signing-key', value: tokens.privateValue },
  ];
  if (config.convexMode === 'remote') return own;
  const file = adminKeyFile(config.convexDb);
  if (!existsSync(file)) return [...own, null];
  return [...own, { kind: 'convex-admin-key', value: readFileSync(file, 'utf8').trim() }];
}

/** The names and addresses of this machine: a Host or Origin with one of them is our own. */
function ownNames(): string[] {
  const name = hostname().toLowerCase();
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  // Bonjour and Avahi add ".local".
  return [name, `${name}.local`, ...addresses.map(({ address }) => address.toLowerCase())];
}

/** Where this client reaches Convex: by the name under which it reached us, if Convex listens there too. */
function advertisedUrl(config: Config, url: string | null, requestHost: string): string {
  if (config.convexMode === 'remote') return config.convexUrl ?? '';
  const own = new URL(url ?? `http://127.0.0.1:${config.convexPort}`);
  const reachedBy = URL.parse(`http://${requestHost}`)?.hostname;
  const listensEverywhere = ['0.0.0.0', '::'].includes(config.convexInterface);
  if (listensEverywhere && reachedBy !== undefined) own.hostname = reachedBy;
  return own.origin;
}

/** What only the parts together know of `bridge.status`. */
function bridgeFacts(
  { config, connection, startedAt, version, codex }: Parts,
  system: AnyActorRef['system'],
): BridgeFacts {
  // The names under which these machines were started a few lines above.
  const control: ActorRefFrom<typeof gateway> | undefined = system.get(SYSTEM.gateway);
  const keeper: ActorRefFrom<typeof runs> | undefined = system.get(SYSTEM.runs);
  const summary = keeper && runsSummary(keeper.getSnapshot().context);
  return {
    bind: control?.getSnapshot().context.address ?? `${config.bind.host}:${config.bind.port}`,
    version,
    codex: { bin: config.codexBin, version: codex.version() },
    runs: { active: summary?.active ?? 0, queued: summary?.queued ?? 0 },
    lastThreadId: summary?.lastThreadId ?? null,
    convexUrl: advertisedUrl(config, connection.url, 'localhost'),
    convexHealthy: connection.connected,
    startedAt,
  };
}
