/** The rows of the table `runs`, for the keeper of all runs. */
import { fromCallback, fromPromise, type EventObject } from 'xstate';
import { api } from '../../../convex/_generated/api.js';
import type { Doc, Id } from '../../../convex/_generated/dataModel.js';
import { BridgeError } from '../../errors.ts';
import type { OpenRun, RunOutcome } from '../../machines/run-events.ts';
import type { OpenRunsEvent, SubmitInput, Submitted } from '../../machines/runs-events.ts';
import type { RunProject, RunThread } from '../codex-process/prepare-run.ts';
import type { ConvexConnection } from './connection.ts';
import type { PromptKeep } from './prompt-keep.ts';
import type { Redaction } from './redaction.ts';

/**
 * How long a run is ours, in milliseconds: the longest that a run may take, and an
 * hour for ending it. So it never runs out, and need not be prolonged.
 */
const LEASE_MS = 25 * 60 * 60_000;

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
    const { runId, threadId } = await connection.mutation(api.runs.enqueue, {
      ...run,
      text,
      threadDocId,
    });
    isOf?.(runId);
    return {
      run: { ...run, runId, threadDocId, status: 'pending', createdAt: Date.now() },
      threadId,
    };
  });
}

/** Sends all open runs at once and after each change, over every loss of the connection. */
export function openRuns(connection: ConvexConnection, { prompts }: PromptOptions) {
  return fromCallback<EventObject, { machineId: string }>(({ sendBack }) =>
    connection.onUpdate(api.runs.active, {}, (rows) => {
      const open = rows.flatMap(openRun);
      prompts.retain(open);
      const runs = open.map((run) => ({ ...run, text: prompts.typed(run) }));
      sendBack({ type: 'rows.open', runs } satisfies OpenRunsEvent);
    }),
  );
}

/** Writes how a run ended. Doing it again changes nothing: the first end stands. */
export function settleRow(connection: ConvexConnection, { redaction }: PromptOptions) {
  return fromPromise<void, RunOutcome>(async ({ input }) => {
    const { state, error, exitCode, usage } = input;
    // Ids of the table come from Convex itself.
    const runId = input.runId as Id<'runs'>;
    const exit = exitCode === null ? {} : { exitCode };
    const spent = usage === undefined ? {} : { usage };
    // It may be what Codex complained of last.
    const reason = redaction.text(error?.message ?? state);
    if (state === 'completed') {
      await connection.mutation(api.runs.complete, { runId, ...exit, ...spent });
    } else if (state === 'interrupted') {
      await connection.mutation(api.runs.interrupt, { runId, error: reason, ...exit });
    } else {
      await connection.mutation(api.runs.fail, { runId, error: reason, ...exit, ...spent });
    }
  });
}

/** Marks a run as ours; false when it is over, or another machine's. */
export async function leaseRun(
  connection: ConvexConnection,
  machineId: string,
  runId: string,
): Promise<boolean> {
  const row = await connection.mutation(api.runs.lease, {
    machineId,
    runId: runId as Id<'runs'>,
    leaseMs: LEASE_MS,
  });
  return row !== null;
}

export async function findThread(
  connection: ConvexConnection,
  id: string,
): Promise<(RunThread & { docId: Id<'threads'> }) | null> {
  const row = await connection.query(api.threads.byId, { id });
  if (row === null) return null;
  const { _id, threadId, resumeId, cwd, model, projectId } = row;
  return {
    docId: _id,
    threadId,
    ...(resumeId === undefined ? {} : { resumeId }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(model === undefined ? {} : { model }),
    ...(projectId === undefined ? {} : { projectId }),
  };
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

function openRun(row: Doc<'runs'>): OpenRun[] {
  const { _id, threadDocId, status, text, createdAt } = row;
  if (status !== 'pending' && status !== 'processing') return [];
  const { machineId, projectId, resumeId, model, sandbox, approvals } = row;
  return [
    {
      runId: _id,
      threadDocId,
      status,
      text,
      createdAt,
      ...(machineId === undefined ? {} : { machineId }),
      ...(projectId === undefined ? {} : { projectId }),
      ...(resumeId === undefined ? {} : { resumeId }),
      ...(model === undefined ? {} : { model }),
      ...(sandbox === undefined ? {} : { sandbox }),
      ...(approvals === undefined ? {} : { approvals }),
    },
  ];
}
