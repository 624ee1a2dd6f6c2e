/** The embedded backend as a process of its own; `--help` says what it takes and prints. */
import { setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { instanceName, loadAdminKey } from './admin-key.ts';
import { ArgumentError, parseArguments, usage } from './arguments.ts';
import type { Arguments } from './arguments.ts';
import { DiskFullNotice } from './disk-full-notice.ts';
import { EngineError } from './engine-error.ts';
import type { FunctionsSource } from './executor-options.ts';
import { loadFunctions } from './runtime/bundle.ts';
import { unservedFiles } from './runtime/discover.ts';
import { startServer } from './server.ts';
import type { SetAside } from './set-aside.ts';
import type { RunningServer } from './server.ts';
import { FunctionsWatch } from './watch-functions.ts';
import { openExecutor } from './worker-executor.ts';
import type { Executor } from './executor.ts';

/** ms. The server gives requests three seconds; then the database has this to close. */
const closeLimitMs = 4500;

/** Node's names for what goes wrong with an address, in words that say what to do. */
const listenErrors: Record<string, { code: string; message: string }> = {
  EADDRINUSE: {
    code: 'PortTaken',
    message: 'The port is in use; stop the other program or choose another with --port.',
  },
  EADDRNOTAVAIL: {
    code: 'AddressUnavailable',
    message: 'This machine does not have the address given with --interface.',
  },
};

/**
 * The engine has little in use and allocates much, so V8 would collect all of its heap again and
 * again: it may grow to three times of what is in use. (`engine-thread.ts` takes room for that
 * from its new objects.)
 */
setFlagsFromString('--heap-growing-percent=200');
process.on('uncaughtException', (error) => fail(error));
await main().catch((error: unknown) => fail(error));

async function main(): Promise<void> {
  const options = parseArguments(process.argv.slice(2));
  if (options === null) {
    process.stdout.write(usage);
    return;
  }
  if (options.watchStdin) endWithParent();
  const stopRequested = awaitStop();
  const functions = { code: await loadFunctions(options.functions) };
  let setAside: SetAside | undefined;
  const executor = await openExecutor({
    databasePath: options.databasePath,
    functions,
    env: options.env,
    onSetAside: (damaged) => (setAside = damaged),
    // Without its engine the server is of no use; whoever supervises us starts a new one.
    onStopped: fail,
  });
  const server = await serve(executor, options);
  const { url, port } = server;
  process.stdout.write(`${JSON.stringify({ ready: true, url, port, instanceName, setAside })}\n`);
  tellUnserved(options.functions);
  const watch = options.watch ? follow(options.functions, functions.code, executor) : null;
  await stopRequested;
  await watch?.close();
  await Promise.race([close(server, executor), wait(closeLimitMs)]);
  process.exit(0);
}

async function serve(executor: Executor, options: Arguments): Promise<RunningServer> {
  try {
    const adminKey = await loadAdminKey(options.adminKeyFile);
    const diskFull = new DiskFullNotice({ full: report, recovered });
    executor.onCommit(() => diskFull.committed());
    const onError = (error: unknown) => void (diskFull.take(error) || report(error));
    return await startServer({ ...options, executor, adminKey, onError });
  } catch (error) {
    await executor.close();
    throw error;
  }
}

/** They are no reason not to start, but nobody should wait for them. */
function tellUnserved(source: FunctionsSource): void {
  if (!('folder' in source)) return;
  for (const line of unservedFiles(source.folder)) process.stdout.write(`${line}\n`);
}

function follow(source: FunctionsSource, code: string, executor: Executor): FunctionsWatch | null {
  if (!('folder' in source)) return null;
  return new FunctionsWatch({
    folder: source.folder,
    code,
    load: (changed) => executor.reload(changed),
    onLoaded: () => process.stdout.write('The changed functions are served now.\n'),
    onRefused: (error) => {
      const refused = describe(error);
      const message = `${refused.message}\nThe functions from before the change go on being served.`;
      report(new EngineError(refused.code, message));
    },
  });
}

async function close(server: RunningServer, executor: Executor): Promise<void> {
  await server.close();
  await executor.close();
}

function awaitStop(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
}

/**
 * The parent's next life may already wait for our port and our database, so nothing is
 * drained: what was committed is on disk, and clients send again what has no answer.
 */
function endWithParent(): void {
  const end = () => process.exit(0);
  process.stdin.once('end', end).once('error', end).resume();
}

function fail(error: unknown): never {
  report(error);
  process.exit(1);
}

function recovered(): void {
  process.stdout.write(`${JSON.stringify({ recovered: 'DiskFull' })}\n`);
}

function report(error: unknown): void {
  const { code, message } = describe(error);
  process.stderr.write(`${JSON.stringify({ error: code, message })}\n`);
}

function describe(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: 'InternalServerError', message: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  if (error instanceof ArgumentError) return { code, message: `${error.message} See --help.` };
  return listenErrors[code] ?? { code, message: error.message };
}
