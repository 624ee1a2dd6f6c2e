/** Everything that the machine `runs` does outside: what the composition root provides it with. */
import { fromPromise } from 'xstate';
import type { Config } from '../config.ts';
import type { RunPlan } from '../machines/codex-process-events.ts';
import { codexRun } from '../machines/codex-run.ts';
import type { PrepareInput } from '../machines/codex-run-steps.ts';
import { childEnvironment } from './codex-process/child-environment.ts';
import { createAppServerProcess } from './codex-process/app-server-process.ts';
import type { CodexProcessOptions } from './codex-process/codex-child.ts';
import { createExecProcess } from './codex-process/exec-process.ts';
import { driverChoice } from './codex-process/driver-choice.ts';
import { prepareRun, type PrepareOptions } from './codex-process/prepare-run.ts';
import { createProcessGuard } from './codex-process/process-guard.ts';
import { approvalAnswers, recordApproval } from './convex/approval-rows.ts';
import type { ConvexConnection } from './convex/connection.ts';
import { PromptKeep } from './convex/prompt-keep.ts';
import type { Redaction } from './convex/redaction.ts';
import { findSessionHolder } from './codex-process/session-holder.ts';
import { judgeLeft } from './convex/judge-left.ts';
import { runProgress } from './convex/run-progress.ts';
import { sessionGrowth } from './convex/session-growth.ts';
import {
  editRow,
  findProject,
  findThread,
  leaseRun,
  openRuns,
  sessionFile,
  settleRow,
  submitRun,
} from './convex/run-rows.ts';

export interface RunActorsOptions {
  connection: ConvexConnection;
  machineId: string;
  config: Pick<
    Config,
    | 'codexBin'
    | 'codexArgs'
    | 'codexHome'
    | 'codexDriver'
    | 'sandbox'
    | 'approvals'
    | 'approvalTimeout'
    | 'runRoots'
    | 'runStall'
    | 'runLimit'
  >;
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
  const { connection, machineId, config, redaction, log } = options;
  const prompts = { redaction, prompts: new PromptKeep(options.promptsFile) };
  const env = childEnvironment(options.env, config.codexHome);
  const guard = createProcessGuard(options.ledgerFile);
  const choice = driverChoice(config, { env, guard }, log);
  // Asked before the first run waits for it.
  void choice.choose().catch(() => undefined);
  const prepareOptions: PrepareOptions = {
    lease: async (run) =>
      await leaseRun(connection, prompts, { machineId, runLimit: config.runLimit }, run),
    findThread: async (threadDocId) => await findThread(connection, threadDocId),
    findProject: async (projectId) => await findProject(connection, machineId, projectId),
    defaultDirectory: options.defaultDirectory,
    runRoots: config.runRoots,
    usualPolicy: { sandbox: config.sandbox, approvals: config.approvals },
    approvalTimeout: config.approvalTimeout,
    stallAfter: config.runStall,
    runLimit: config.runLimit,
    chooseDriver: async () => await choice.choose(),
    log,
  };
  const processOptions: CodexProcessOptions = {
    bin: config.codexBin,
    extraArguments: config.codexArgs,
    env,
    guard,
  };
  return {
    codexRun: codexRun.provide({
      actors: {
        prepare: fromPromise<RunPlan | null, PrepareInput>(
          async ({ input }) => await prepareRun(prepareOptions, input),
        ),
        findHolder: fromPromise<string | null, { sessionId: string }>(
          async ({ input }) => await findSessionHolder(config.codexHome, input.sessionId),
        ),
        watchFile: sessionGrowth(async (input) => await sessionFile(connection, input)),
        exec: createExecProcess(processOptions),
        appServer: createAppServerProcess(processOptions),
      },
    }),
    submit: submitRun(connection, prompts),
    edit: editRow(connection, prompts),
    judgeLeft: judgeLeft(async (input) => await sessionFile(connection, input)),
    progress: runProgress(connection, machineId),
    settleRow: settleRow(connection, prompts),
    openRuns: openRuns(connection, prompts),
    recordApproval: recordApproval(connection, redaction),
    approvalAnswers: approvalAnswers(connection),
    settleProcesses: fromPromise(async () => await guard.settle()),
  };
}
