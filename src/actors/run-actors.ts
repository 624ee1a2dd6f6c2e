/** Everything that the machine `runs` does outside: what the composition root provides it with. */
import { fromPromise } from 'xstate';
import type { RunPlan } from '../machines/codex-process-events.ts';
import { codexRun, type PrepareInput } from '../machines/codex-run.ts';
import { childEnvironment } from './codex-process/child-environment.ts';
import { createCodexProcess } from './codex-process/codex-process.ts';
import { prepareRun, type PrepareOptions } from './codex-process/prepare-run.ts';
import { createProcessGuard } from './codex-process/process-guard.ts';
import type { ConvexConnection } from './convex/connection.ts';
import { PromptKeep } from './convex/prompt-keep.ts';
import type { Redaction } from './convex/redaction.ts';
import { findThread, leaseRun, openRuns, settleRow, submitRun } from './convex/run-rows.ts';

export interface RunActorsOptions {
  connection: ConvexConnection;
  machineId: string;
  codexBin: string;
  /** CODEX_ARGS. */
  codexArgs: readonly string[];
  codexHome: string;
  /** The daemon's own environment. */
  env: Readonly<Record<string, string | undefined>>;
  /** Where a run goes whose thread has no directory: the user's home. */
  defaultDirectory: string;
  /** `runs-ledger.json` in the OpenAgents home. */
  ledgerFile: string;
  /** `prompts.json` in the OpenAgents home. */
  promptsFile: string;
  redaction: Redaction;
  log: PrepareOptions['log'];
}

/** Starts the reaper, so it is called once in the life of a daemon. */
export function runActors(options: RunActorsOptions) {
  const { connection, machineId, codexBin, codexArgs, codexHome, env } = options;
  const prompts = { redaction: options.redaction, prompts: new PromptKeep(options.promptsFile) };
  const guard = createProcessGuard(options.ledgerFile);
  const prepareOptions: PrepareOptions = {
    lease: async (runId) => await leaseRun(connection, machineId, runId),
    findThread: async (threadDocId) => await findThread(connection, threadDocId),
    defaultDirectory: options.defaultDirectory,
    log: options.log,
  };
  return {
    codexRun: codexRun.provide({
      actors: {
        prepare: fromPromise<RunPlan | null, PrepareInput>(
          async ({ input }) => await prepareRun(prepareOptions, input),
        ),
        process: createCodexProcess({
          bin: codexBin,
          extraArguments: codexArgs,
          env: childEnvironment(env, codexHome),
          guard,
        }),
      },
    }),
    submit: submitRun(connection, prompts),
    settleRow: settleRow(connection, prompts),
    openRuns: openRuns(connection, prompts),
    settleProcesses: fromPromise(async () => await guard.settle()),
  };
}
