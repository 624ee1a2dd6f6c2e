/** Decides how one run goes: where, in which session, with which settings. */
import { stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import type { ApprovalMode, SandboxMode } from '../../control/modes.ts';
import { BridgeError } from '../../errors.ts';
import type { TokenUsage } from '../../codex/thread-item.ts';
import type { CodexDriver, RunPlan } from '../../machines/codex-process-events.ts';
import type { PrepareInput } from '../../machines/codex-run-steps.ts';
import type { OpenRun } from '../../machines/run-events.ts';
import { policyOf, type RunPolicy } from '../../machines/run-book.ts';
import { isAllowed } from '../within.ts';

/** What Convex knows of a thread. */
export interface RunThread {
  threadId: string;
  resumeId?: string;
  cwd?: string;
  model?: string;
  projectId?: string;
  usage?: TokenUsage;
}

/** What a `PROJECT.md` of this machine asks for. */
export interface RunProject {
  workingDir: string;
  model?: string;
  sandbox?: SandboxMode;
  approvals?: ApprovalMode;
  instructions?: string;
  agentFile?: string;
}

export interface PrepareOptions {
  /** Marks the run as ours; null when it is over, or another machine's. Its text is what it is then. */
  lease: (run: OpenRun) => Promise<{ text: string } | null>;
  /** Null when there is no such thread. */
  findThread: (threadDocId: string) => Promise<RunThread | null>;
  /** Null when this machine has no such project. */
  findProject: (projectId: string) => Promise<RunProject | null>;
  /** Where a run goes whose thread has no directory. */
  defaultDirectory: string;
  /** In and below which runs may work; empty: anywhere. */
  runRoots: readonly string[];
  /** What a run may do that says nothing about it. */
  usualPolicy: RunPolicy;
  /** Milliseconds until an approval that nobody answers is declined. */
  approvalTimeout: number;
  /** Milliseconds without a sign of life after which it is shown as stalled. */
  stallAfter: number;
  /** Milliseconds after which it is ended. */
  runLimit: number;
  chooseDriver: () => Promise<CodexDriver>;
  log: (message: string, details: Record<string, string>) => void;
}

/**
 * Null when the run is not ours to do. What the request says beats the project, which
 * beats what is usual. Errors: `thread_unknown`, `project_unknown`,
 * `working_directory_missing`, `working_directory_refused`, `convex_unavailable`.
 */
export async function prepareRun(
  options: PrepareOptions,
  { run, lastSessions, fork }: PrepareInput,
): Promise<RunPlan | null> {
  const { lease, findThread, defaultDirectory, log } = options;
  const leased = await lease(run);
  if (leased === null) return null;
  const thread = await findThread(run.threadDocId);
  if (thread === null) throw new BridgeError('thread_unknown', run.threadDocId);
  const projectId = run.projectId ?? thread.projectId;
  const project = await projectOf(options, projectId);
  const cwd = project.workingDir ?? thread.cwd ?? defaultDirectory;
  await requireDirectory(cwd);
  if (!isAllowed(cwd, options.runRoots)) throw new BridgeError('working_directory_refused', cwd);
  const { sandbox, approvals } = policyOf(run, policyOf(project, options.usualPolicy));
  const driver = await options.chooseDriver();
  if (sandbox === 'danger-full-access') {
    log('codex runs with full access', { runId: run.runId, cwd, approvals, driver });
  }
  const model = run.model ?? project.model ?? thread.model;
  const { instructions, agentFile } = project;
  const resumeId = sessionFor(run.resumeId, thread, cwd, lastSessions);
  return {
    runId: run.runId,
    threadId: thread.threadId,
    driver,
    prompt: leased.text,
    cwd,
    ...(resumeId === undefined ? {} : { resumeId }),
    ...(fork ? { fork } : {}),
    ...(thread.usage && resumeId === thread.resumeId ? { usedBefore: thread.usage } : {}),
    ...(model === undefined ? {} : { model }),
    ...(projectId === undefined ? {} : { projectId }),
    ...(instructions === undefined ? {} : { instructions }),
    ...(agentFile === undefined ? {} : { agentFile }),
    sandbox,
    approvals,
    approvalTimeout: options.approvalTimeout,
    stallAfter: options.stallAfter,
    runLimit: options.runLimit,
  };
}

/**
 * The session to go on with, or undefined for a new one. What this bridge ran last is
 * newer than the thread's row. The last session of a directory belongs to another
 * thread, so it is only taken when it is asked for by name ("last").
 */
export function sessionFor(
  asked: string | undefined,
  thread: RunThread,
  cwd: string,
  { ofThread, byDirectory }: PrepareInput['lastSessions'],
): string | undefined {
  if (asked === 'new' || asked === 'none') return undefined;
  if (asked !== undefined && asked !== 'last') return asked;
  const own = ofThread ?? thread.resumeId;
  return own ?? (asked === 'last' ? byDirectory[cwd] : undefined);
}

/** A project that is gone may have asked for less than everything: its runs do not go on without it. */
async function projectOf(
  { findProject }: PrepareOptions,
  projectId: string | undefined,
): Promise<Partial<RunProject>> {
  if (projectId === undefined) return {};
  const project = await findProject(projectId);
  if (project === null) throw new BridgeError('project_unknown', projectId);
  return project;
}

async function requireDirectory(path: string): Promise<void> {
  // It would be taken from where the daemon was started, which no client can know.
  if (!isAbsolute(path)) {
    throw new BridgeError('working_directory_missing', `${path} is not an absolute path`);
  }
  const found = await stat(path).catch((cause: unknown) => {
    throw new BridgeError('working_directory_missing', path, { cause });
  });
  if (!found.isDirectory()) {
    throw new BridgeError('working_directory_missing', `${path} is not a directory`);
  }
}
