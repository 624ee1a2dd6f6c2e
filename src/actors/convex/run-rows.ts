/** The rows of the table `runs`, for the keeper of all runs. */
import { ConvexError } from 'convex/values';
import { fromCallback, fromPromise, type EventObject } from 'xstate';
import { api } from '../../../convex/_generated/api.js';
import type { Doc, Id } from '../../../convex/_generated/dataModel.js';
import { defined } from '../../codex/defined.ts';
import { BridgeError, toBridgeError } from '../../errors.ts';
import type { OpenRun, RunOutcome } from '../../machines/run-events.ts';
import type {
  EditInput,
  OpenRunsEvent,
  SubmitInput,
  Submitted,
} from '../../machines/runs-events.ts';
import type { RunProject, RunThread } from '../codex-process/prepare-run.ts';
import type { ConvexConnection } from './connection.ts';
import type { PromptKeep } from './prompt-keep.ts';
import type { Redaction } from './redaction.ts';
import { progressOf } from './run-progress.ts';

/**
 * Milliseconds that a run is ours beyond the longest that it may take: for preparing and
 * ending it. So the lease never runs out, and need not be prolonged.
 */
const LEASE_MARGIN_MS = 60 * 60_000;

export interface PromptOptions {
  redaction: Redaction;
  prompts: PromptKeep;
}

/**
 * Finds or makes the thread, then writes the prompt and the pending run in one
 * transaction. Rows have the prompt redacted; the run gets it as it was typed.
 */
export function submitRun(connection: ConvexConnection, { redaction, prompts }: PromptOptions) {
  return fromPromise<Submitted, SubmitInput>(async ({ input }) => {
    const { thread, ...run } = input;
    const { machineId, projectId } = run;
    const project =
      projectId === undefined ? null : await requireProject(connection, machineId, projectId);
    const found = await threadFor(connection, thread, machineId);
    const { threadDocId } = found;
    const cwd = project?.workingDir ?? found.cwd;
    const text = redaction.text(run.text, cwd);
    const isOf = text === run.text ? undefined : prompts.keep(threadDocId, text, run.text);
    const written = await connection
      .mutation(api.runs.enqueue, { ...run, text, threadDocId })
      .catch((error: unknown) => {
        throw withCode(error, 'receipt_reused');
      });
    const { runId, threadId, repeated } = written;
    if (repeated) return await submittedBefore(connection, prompts, runId, threadId);
    isOf?.(runId);
    return {
      run: { ...run, runId, threadDocId, status: 'pending', createdAt: Date.now() },
      threadId,
    };
  });
}

/** The run that a receipt names, as it is by now. */
async function submittedBefore(
  connection: ConvexConnection,
  prompts: PromptKeep,
  id: string,
  threadId: string,
): Promise<Submitted> {
  const row = await connection.query(api.runs.byId, { id });
  if (row === null) throw new BridgeError('run_unknown', id);
  const run = openRun(row);
  if (isOpen(row)) return { run: { ...run, text: prompts.typed(run) }, threadId };
  return { run, threadId, outcome: outcomeOf(row) };
}

function outcomeOf({ _id: runId, status, error, exitCode, usage }: Doc<'runs'>): RunOutcome {
  const state = status === 'done' ? 'completed' : status === 'error' ? 'failed' : 'interrupted';
  const code = state === 'failed' ? 'codex_failed' : 'run_interrupted';
  return {
    runId,
    state,
    exitCode: exitCode ?? null,
    signal: null,
    ...(error === undefined ? {} : { error: { code, message: error } }),
    ...(usage === undefined ? {} : { usage }),
  };
}

/** Gives a run that waits another text. Says why it could not: `run_begun` when it is too late. */
export function editRow(connection: ConvexConnection, options: PromptOptions) {
  return fromPromise<BridgeError | null, EditInput>(async ({ input }) => {
    try {
      await edit(connection, options, input);
      return null;
    } catch (error) {
      return toBridgeError(withCode(error, 'run_begun'));
    }
  });
}

async function edit(
  connection: ConvexConnection,
  { redaction, prompts }: PromptOptions,
  { run, text: typed }: EditInput,
): Promise<void> {
  const directory = (await findThread(connection, run.threadDocId))?.cwd;
  const text = redaction.text(typed, directory);
  const runId = run.runId as Id<'runs'>;
  if (text !== typed) prompts.keep(run.threadDocId, text, typed)(runId);
  await connection.mutation(api.runs.edit, { runId, text });
}

/** A refusal of Convex that the catalogue has under the same name. */
function withCode(error: unknown, code: 'receipt_reused' | 'run_begun'): unknown {
  const cause = error instanceof BridgeError ? error.cause : error;
  const data: unknown = cause instanceof ConvexError ? cause.data : null;
  const isMeant = typeof data === 'object' && data !== null && 'code' in data && data.code === code;
  return isMeant ? new BridgeError(code, '', { cause }) : error;
}

/** Sends all open runs at once and after each change, over every loss of the connection. */
export function openRuns(connection: ConvexConnection, { prompts }: PromptOptions) {
  return fromCallback<EventObject, { machineId: string }>(({ sendBack }) =>
    connection.onUpdate(api.runs.active, {}, (rows) => {
      const open = rows.filter(isOpen).map(openRun);
      prompts.retain(open);
      const runs = open.map((run) => ({ ...run, text: prompts.typed(run) }));
      sendBack({ type: 'rows.open', runs } satisfies OpenRunsEvent);
    }),
  );
}

/** Writes how a run ended. Doing it again changes nothing: the first end stands. */
export function settleRow(connection: ConvexConnection, { redaction }: PromptOptions) {
  return fromPromise<void, RunOutcome>(async ({ input }) => {
    const { state, error, exitCode, usage, facts } = input;
    const end = {
      // Ids of the table come from Convex itself.
      runId: input.runId as Id<'runs'>,
      ...defined({ exitCode, usage }),
      // Of a short run the end may come before its progress was written.
      ...(facts === undefined ? {} : { progress: progressOf(facts) }),
    };
    // It may be what Codex complained of last.
    const reason = redaction.text(error?.message ?? state);
    if (state === 'completed') {
      await connection.mutation(api.runs.complete, end);
    } else if (state === 'interrupted') {
      await connection.mutation(api.runs.interrupt, { ...end, error: reason });
    } else {
      await connection.mutation(api.runs.fail, { ...end, error: reason });
    }
  });
}

/** Marks a run as ours, and tells its text; null when it is over, or another machine's. */
export async function leaseRun(
  connection: ConvexConnection,
  { prompts }: Pick<PromptOptions, 'prompts'>,
  options: { machineId: string; runLimit: number },
  run: OpenRun,
): Promise<{ text: string } | null> {
  const row = await connection.mutation(api.runs.lease, {
    machineId: options.machineId,
    runId: run.runId as Id<'runs'>,
    leaseMs: options.runLimit + LEASE_MARGIN_MS,
  });
  return row === null ? null : { text: prompts.typed(openRun(row)) };
}

export async function findThread(
  connection: ConvexConnection,
  id: string,
): Promise<(RunThread & { docId: Id<'threads'> }) | null> {
  const row = await connection.query(api.threads.byId, { id });
  if (row === null) return null;
  const { _id, threadId, resumeId, cwd, model, projectId, usage } = row;
  return {
    docId: _id,
    threadId,
    ...(resumeId === undefined ? {} : { resumeId }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(model === undefined ? {} : { model }),
    ...(projectId === undefined ? {} : { projectId }),
    ...(usage === undefined ? {} : { usage }),
  };
}

/** Where the file of a thread's session is, once a watcher has seen it. */
export async function sessionFile(
  connection: ConvexConnection,
  { threadDocId, sessionId }: { threadDocId: string; sessionId: string },
): Promise<string | undefined> {
  const row = await connection.query(api.threads.byId, { id: threadDocId });
  if (row === null || row.resumeId !== sessionId || row.rolloutDeletedAt !== undefined) return;
  return row.rolloutPath?.includes(sessionId) ? row.rolloutPath : undefined;
}

/** As its row has it, which its file is mirrored into. */
export async function findProject(
  connection: ConvexConnection,
  machineId: string,
  id: string,
): Promise<RunProject | null> {
  return await connection.query(api.projects.byId, { id, machineId });
}

async function requireProject(connection: ConvexConnection, machineId: string, id: string) {
  const project = await findProject(connection, machineId, id);
  if (project === null) throw new BridgeError('project_unknown', `${id} on this machine`);
  return project;
}

async function threadFor(
  connection: ConvexConnection,
  wanted: SubmitInput['thread'],
  machineId: string,
): Promise<{ threadDocId: Id<'threads'>; cwd?: string }> {
  if ('docId' in wanted) {
    const found = await findThread(connection, wanted.docId);
    if (found === null) throw new BridgeError('thread_unknown', wanted.docId);
    return { threadDocId: found.docId, ...(found.cwd === undefined ? {} : { cwd: found.cwd }) };
  }
  const { cwd, sessionId } = wanted;
  const place = cwd === undefined ? {} : { cwd };
  if (sessionId === undefined) {
    const threadDocId = await connection.mutation(api.threads.create, { ...place, machineId });
    return { threadDocId, ...place };
  }
  const thread = { resumeId: sessionId, source: 'bridge' as const, ...place };
  const { threadDocId } = await connection.mutation(api.threads.upsertFromStream, {
    machineId,
    thread,
  });
  return { threadDocId, ...place };
}

function isOpen({ status }: Doc<'runs'>): boolean {
  return status === 'pending' || status === 'processing';
}

function openRun(row: Doc<'runs'>): OpenRun {
  const { _id, threadDocId, status, text, createdAt, cancelRequestedAt } = row;
  const { machineId, projectId, resumeId, model, sandbox, approvals, onConflict } = row;
  const { sessionId, startedAt } = row;
  return {
    runId: _id,
    threadDocId,
    status: status === 'pending' ? 'pending' : 'processing',
    text,
    createdAt,
    ...defined({ machineId, projectId, resumeId, model, sandbox, approvals, onConflict }),
    ...defined({ sessionId, startedAt }),
    ...(cancelRequestedAt === undefined ? {} : { cancelled: true as const }),
  };
}
