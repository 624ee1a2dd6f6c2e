/** How a run ended, from all that was seen of it. Pure. */
import { usageBetween } from '../codex/token-usage.ts';
import type { TokenUsage } from '../codex/thread-item.ts';
import { BridgeError } from '../errors.ts';
import type { OpenApprovals } from './approvals.ts';
import type { CodexProcessEvent, RunPlan, TurnEnd } from './codex-process-events.ts';
import type { Evidence, LastSessions, OpenRun, RunFacts, RunOutcome } from './run-events.ts';

/** What a run remembers of itself. */
export interface CodexRunContext {
  run: OpenRun;
  /** Milliseconds since the epoch. */
  now: () => number;
  lastSessions: LastSessions;
  plan: RunPlan | null;
  pid: number | null;
  /** As Codex has told it. */
  resumeId: string | null;
  turn: TurnEnd | null;
  /** What Codex waits for. */
  approvals: OpenApprovals;
  exit: ProcessExit | null;
  evidence: Evidence | null;
  /** When the keeper was last told of a sign of life. */
  toldAt: number;
  spawnedAt: number | null;
  sessionAt: number | null;
  turnAt: number | null;
  /** The session is open elsewhere: whether Codex has said so, and who it is, where that is found. */
  conflict: { holder: string | null } | null;
  /** What to do about it the next time: begin a copy. */
  fork: boolean;
  /** Why it is being ended, if it is. */
  stop: RunStop | null;
  error: BridgeError | null;
  taken: boolean;
}

export interface ProcessExit {
  exitCode: number | null;
  signal: string | null;
  /** What Codex last complained of. */
  error?: string;
}

/** That a run is being ended, and why. `settled`: its turn is over, only its process is not. */
export interface RunStop {
  kind: 'interrupted' | 'timedOut' | 'settled';
  reason: string;
  /** The bridge itself is ending. */
  hurry: boolean;
}

export function verdictOn({
  taken,
  error,
  turn,
  stop,
  exit,
}: CodexRunContext): RunOutcome['state'] {
  if (taken) return 'interrupted';
  if (error !== null) return 'failed';
  const endedWell = exit?.exitCode === 0 || stop !== null;
  if (turn?.status === 'completed' && endedWell) return 'completed';
  if (stop !== null && stop.kind !== 'settled') return stop.kind;
  // An approval that was answered with "cancel" ends the turn.
  if (turn?.status === 'interrupted') return 'interrupted';
  // Without a turn nothing was done, whatever the exit code says.
  return 'failed';
}

export function outcomeOf(context: CodexRunContext): RunOutcome {
  const { run, exit, taken } = context;
  const state = verdictOn(context);
  const usage = usageOf(context);
  const error = state === 'completed' ? null : explanationOf(context, state);
  return {
    runId: run.runId,
    state,
    exitCode: exit?.exitCode ?? null,
    signal: exit?.signal ?? null,
    ...(error === null ? {} : { error: { code: error.code, message: error.message } }),
    ...(usage === undefined ? {} : { usage }),
    facts: factsOf(context),
    ...(taken ? { taken } : {}),
  };
}

/** `codex exec` tells what the whole session has used; of a copy nobody knows what that was before. */
function usageOf({ turn, plan }: CodexRunContext): TokenUsage | undefined {
  if (turn?.usage === undefined || plan?.driver !== 'exec') return turn?.usage;
  if (plan.fork) return undefined;
  return usageBetween(plan.usedBefore, turn.usage);
}

function explanationOf(context: CodexRunContext, state: RunOutcome['state']): BridgeError | null {
  const { taken, error, turn, stop, exit, pid } = context;
  if (taken) return new BridgeError('run_taken', '');
  if (error !== null) return error;
  const unkillable = pid !== null && exit === null ? `; process ${pid} could not be ended` : '';
  if (state === 'interrupted') {
    const reason = stop?.reason ?? turn?.error ?? 'Codex ended the turn early';
    return new BridgeError('run_interrupted', `${reason}${unkillable}`);
  }
  if (state === 'timedOut') return new BridgeError('run_timed_out', `${stop?.reason}${unkillable}`);
  const lastWord = FROM_OUTSIDE.has(exit?.signal ?? '') ? undefined : exit?.error;
  const reason = turn?.error ?? lastWord;
  if (exit?.exitCode !== 0 || turn !== null) {
    return new BridgeError('codex_failed', reason ?? endingOf(exit));
  }
  return context.turnAt === null
    ? new BridgeError('codex_without_turn', reason ?? endingOf(exit))
    : new BridgeError('codex_failed', reason ?? 'it ended before its turn did');
}

/** By these a process is ended by others: what it said before has nothing to do with it. */
const FROM_OUTSIDE: ReadonlySet<string> = new Set([
  'SIGKILL',
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  'SIGQUIT',
]);

function endingOf(exit: ProcessExit | null): string {
  return exit?.signal == null
    ? `it ended with code ${exit?.exitCode ?? 'unknown'}`
    : `it was ended by ${exit.signal}`;
}

export function factsOf(context: CodexRunContext): RunFacts {
  const { plan, pid, resumeId, evidence, conflict, spawnedAt, sessionAt, turnAt } = context;
  const session = resumeId ?? plan?.resumeId;
  return {
    ...(plan && {
      threadId: plan.threadId,
      cwd: plan.cwd,
      sandbox: plan.sandbox,
      approvals: plan.approvals,
      driver: plan.driver,
    }),
    ...(plan?.model === undefined ? {} : { model: plan.model }),
    ...(session === undefined ? {} : { resumeId: session }),
    ...(pid === null ? {} : { pid }),
    ...(evidence === null ? {} : { evidence }),
    ...(conflict?.holder ? { holder: conflict.holder } : {}),
    ...(spawnedAt === null ? {} : { spawnedAt }),
    ...(sessionAt === null ? {} : { sessionAt }),
    ...(turnAt === null ? {} : { turnAt }),
  };
}

export function exitOf({
  exitCode,
  signal,
  error,
}: Extract<CodexProcessEvent, { type: 'process.exited' }>): ProcessExit {
  return { exitCode, signal, ...(error === undefined ? {} : { error }) };
}

/** Of a run of an earlier life of the bridge. */
export function leftBehind(runId: string): RunOutcome {
  const { code, message } = new BridgeError('run_interrupted', 'the bridge ended while it went on');
  return { runId, state: 'interrupted', exitCode: null, signal: null, error: { code, message } };
}

/** The same, where its turn came to an end all the same. */
export function outcomeOfTurn(runId: string, turn: TurnEnd): RunOutcome {
  const base = { runId, exitCode: null, signal: null };
  if (turn.status === 'completed') return { ...base, state: 'completed' };
  const { code, message } = new BridgeError('codex_failed', turn.error ?? 'it did not say why');
  return { ...base, state: 'failed', error: { code, message } };
}
