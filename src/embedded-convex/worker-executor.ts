import type { Executor } from './executor.ts';
import { defaultExecutionLimits } from './executor-options.ts';
import type { ExecutorOptions } from './executor-options.ts';
import { EngineError } from './engine-error.ts';
import { EngineSupervisor } from './engine-supervisor.ts';
import { JobRunner } from './job-runner.ts';
import { loadFunctions } from './runtime/bundle.ts';
import { setAsideDamaged } from './set-aside.ts';
import { removeCopies } from './snapshot/database-copy.ts';

/**
 * Opens the database and the functions in a thread of their own. Rejects with an `EngineError`
 * when one of the two cannot be used: its message says what is wrong, its `code` which kind it
 * is. A query or mutation that does not end, or uses up the memory, is stopped, and fails; so
 * is, and do, the actions that run at that time, while all other calls are answered as if
 * nothing had happened.
 */
export async function openExecutor(options: ExecutorOptions): Promise<Executor> {
  const engine = new EngineSupervisor({
    databasePath: options.databasePath,
    code: await loadFunctions(options.functions),
    env: options.env ?? {},
    limits: { ...defaultExecutionLimits, ...options.limits },
    onStopped: options.onStopped ?? (() => {}),
  });
  await start(engine, options);
  const jobs = new JobRunner({
    dueJobs: (limit) => engine.call({ method: 'dueJobs', limit }),
    runJob: (id) => engine.call({ method: 'runJob', id }),
    failJob: (id, error) => engine.call({ method: 'failJob', id, error }),
    onCommit: (listener) => engine.onCommit(listener),
  });
  jobs.start();
  return {
    get latestTs() {
      return engine.latestTs;
    },
    get authProviders() {
      return engine.authProviders;
    },
    queries: (requests) => engine.call({ method: 'queries', requests, givenUp: [] }),
    mutation: (request) => engine.call({ method: 'mutation', request }),
    action: (request) => engine.call({ method: 'action', request }),
    describe: (path) => engine.call({ method: 'describe', path }),
    tableCounts: () => engine.call({ method: 'tableCounts' }),
    copyDatabase: () => engine.call({ method: 'copyDatabase' }),
    onCommit: (listener) => engine.onCommit(listener),
    reload: (code) => engine.reload(code),
    close: () => {
      jobs.stop();
      return engine.close();
    },
  };
}

async function start(engine: EngineSupervisor, options: ExecutorOptions): Promise<void> {
  const { databasePath, onSetAside } = options;
  try {
    await engine.start();
    removeCopies(databasePath);
  } catch (error) {
    const isDamaged = error instanceof EngineError && error.code === 'DatabaseCorrupt';
    if (!isDamaged || onSetAside === undefined) throw error;
    onSetAside(setAsideDamaged(databasePath, error.message));
    await engine.start();
  }
}
