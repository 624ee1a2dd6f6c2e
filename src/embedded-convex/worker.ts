/** The engine's thread: opens the database, loads the functions, and answers calls. */
import { workerData } from 'node:worker_threads';
import type { AuthProvider } from './auth/auth-config.ts';
import { Engine } from './engine.ts';
import { EngineError } from './engine-error.ts';
import { Heartbeat } from './heartbeat.ts';
import { packCommit } from './packed-commit.ts';
import { currentExecution } from './runtime/execution.ts';
import { installSyscalls } from './runtime/global-syscalls.ts';
import { loadRealm } from './runtime/realm.ts';
import type { SchemaJson } from './schema.ts';
import { copyName } from './snapshot/database-copy.ts';
import { Store } from './store.ts';
import type {
  Answer,
  FromWorker,
  SerialisedError,
  ToWorker,
  WorkerInput,
} from './worker-protocol.ts';

// Only worker-executor.ts starts this file.
const input = workerData as WorkerInput;
const heartbeat = new Heartbeat(input.heartbeat);
const post = (message: FromWorker): void => input.port.postMessage(message);

// The system's own functions run here, beside the realm of the application's.
installSyscalls(globalThis);

// What no code of a function awaits ends that function, not the thread.
process.on('unhandledRejection', failCurrentExecution);
process.on('uncaughtException', failCurrentExecution);

try {
  serve();
} catch (error) {
  post({ failed: serialise(error) });
  input.port.close();
}

function serve(): void {
  const realm = loadRealm(input.code, input.env);
  const store = Store.open(input.databasePath);
  try {
    // What `defineSchema` exported; `applySchema` checks what is in it.
    store.applySchema(realm.schema as SchemaJson | null);
  } catch (error) {
    store.close();
    throw error;
  }
  const engine = new Engine({
    store,
    realm,
    limits: input.limits,
    onCommit: (commit) => post({ commit: packCommit(commit) }),
    watch: heartbeat,
  });
  input.port.on('message', (message: ToWorker) => {
    if (message === 'close') void close(engine);
    else void answer(engine, message);
  });
  post({ ready: { latestTs: store.lastTs, authProviders: realm.authProviders } });
}

async function answer(engine: Engine, { ticket, call }: Exclude<ToWorker, 'close'>): Promise<void> {
  const deliver = (result: Answer): void => post({ ticket, answer: result });
  try {
    switch (call.method) {
      case 'queries':
        return await engine.queries(call, ticket, deliver);
      case 'mutation':
        return await engine.mutation(call.request, ticket, deliver);
      case 'action':
        return deliver(await whileBeating(() => engine.action(call.request, ticket)));
      case 'describe':
        return deliver(engine.describe(call.path));
      case 'tableCounts':
        return deliver(engine.tableCounts());
      case 'copyDatabase':
        return deliver(await whileBeating(() => copyDatabase(engine)));
      case 'loadCode':
        return deliver(await reload(engine, call.code));
      case 'dueJobs':
        return deliver(await engine.jobs.due(call.limit));
      case 'runJob':
        return deliver(await whileBeating(() => engine.jobs.run(call.id, ticket)));
      case 'failJob':
        return deliver(await engine.jobs.fail(call.id, call.error));
    }
  } catch (error) {
    post({ ticket, error: serialise(error) });
  }
}

async function copyDatabase(engine: Engine): Promise<string> {
  const copy = copyName(input.databasePath);
  await engine.copyTo(copy);
  return copy;
}

async function reload(engine: Engine, code: string): Promise<AuthProvider[]> {
  const { authProviders } = await engine.reload(() => loadRealm(code, input.env));
  return authProviders;
}

/** Code of actions gets the thread at any time: only a turning event loop shows that all is well. */
async function whileBeating<Result>(run: () => Promise<Result>): Promise<Result> {
  const beats = setInterval(() => heartbeat.beat(), beatIntervalMs);
  try {
    return await run();
  } finally {
    clearInterval(beats);
  }
}

/** A fraction of the time that a loop is given. */
const beatIntervalMs = 250;

async function close(engine: Engine): Promise<void> {
  try {
    await engine.close();
  } finally {
    // Actions that still run end here.
    process.exit();
  }
}

function failCurrentExecution(thrown: unknown): void {
  const execution = currentExecution.getStore();
  // Our own mistake: the thread ends, and the main thread starts a fresh one.
  if (execution === undefined) throw thrown;
  execution.fail(thrown);
}

function serialise(error: unknown): SerialisedError {
  const { code, message } = EngineError.from(error);
  return { code, message };
}
