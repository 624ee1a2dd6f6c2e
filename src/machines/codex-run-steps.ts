/** What one run of Codex does within a turn of its machine; see `codex-run.ts`. */
import {
  assign,
  enqueueActions,
  sendTo,
  setup,
  stopChild,
  type AnyActorRef,
  type EventObject,
} from 'xstate';
import type { RunState } from '../control/frames.ts';
import type { OnConflict } from '../control/modes.ts';
import { BridgeError, toBridgeError } from '../errors.ts';
import { decided, opened, without, type ApprovalEnd } from './approvals.ts';
import type {
  CodexProcessCommand,
  CodexProcessEvent,
  KillSignal,
  RunPlan,
  TurnEnd,
} from './codex-process-events.ts';
import { callbackPort, promisePort } from './port.ts';
import { SYSTEM, type SystemId } from './protocol.ts';
import type { LastSessions, OpenRun, RunCommand, RunOutcome, RunReport } from './run-events.ts';
import {
  factsOf,
  verdictOn,
  type CodexRunContext,
  type ProcessExit,
  type RunStop,
} from './run-outcome.ts';
import { tell } from './tell.ts';

/** What preparing a run needs to know. Null instead of a plan: the run is not ours to do. */
export interface PrepareInput {
  run: OpenRun;
  lastSessions: LastSessions;
  /** Begins a session of its own, as a copy. */
  fork?: boolean;
}

type CodexRunEvent =
  | RunCommand
  | CodexProcessEvent
  | { type: 'file.grew' }
  | { type: 'approval.expired'; approvalId: string };
type Command<Type extends RunCommand['type']> = Extract<RunCommand, { type: Type }>;
export type ProcessEvent<Type extends CodexProcessEvent['type']> = Extract<
  CodexProcessEvent,
  { type: Type }
>;

export const runSetup = setup({
  types: {
    context: {} as CodexRunContext,
    events: {} as CodexRunEvent,
    input: {} as { run: OpenRun; now: () => number },
    output: {} as RunOutcome,
  },
  actors: {
    prepare: promisePort<RunPlan | null, PrepareInput>('prepare'),
    /** Who has the session open, as a person would say it; null when that is not to be found out. */
    findHolder: promisePort<string | null, { sessionId: string }>('findHolder'),
    /** Sends `file.grew`; `interval` in milliseconds. */
    watchFile: callbackPort<
      EventObject,
      { threadDocId: string; sessionId: string; interval: number }
    >('watchFile'),
    exec: callbackPort<CodexProcessCommand, { plan: RunPlan }>('exec'),
    appServer: callbackPort<CodexProcessCommand, { plan: RunPlan }>('appServer'),
  },
  actions: {
    takeTurn: assign({
      lastSessions: (_, params: { lastSessions: LastSessions }) => params.lastSessions,
    }),
    rememberPlan: assign({ plan: (_, params: { plan: RunPlan | null }) => params.plan }),
    rememberTaken: assign({ taken: true }),
    rememberError: assign({
      error: (_, params: { error: unknown }) => toBridgeError(params.error),
    }),
    rememberPid: assign(({ context }, { pid }: { pid: number }) => ({
      pid,
      spawnedAt: context.now(),
    })),
    rememberSession: assign(({ context }, { resumeId }: { resumeId: string }) => ({
      resumeId,
      sessionAt: context.sessionAt ?? context.now(),
      conflict: null,
    })),
    rememberTurnStart: assign({ turnAt: ({ context }) => context.turnAt ?? context.now() }),
    noteSign: enqueueActions(({ context, system, enqueue }, { what }: { what: string }) => {
      const at = context.now();
      const evidence = { what, at };
      enqueue.assign({ evidence });
      const passed = at - context.toldAt;
      // Negative when the clock was set back.
      if (passed >= 0 && passed < TELL_INTERVAL) return;
      enqueue.assign({ toldAt: at });
      const facts = factsOf({ ...context, evidence });
      report(system, enqueue, { type: 'run.alive', runId: context.run.runId, facts });
    }),
    rememberConflict: assign({ conflict: { holder: null } }),
    rememberHolder: assign({ conflict: (_, params: { holder: string | null }) => params }),
    rememberFork: assign({ fork: true }),
    rememberRefusal: assign({
      error: ({ context }) =>
        new BridgeError('session_conflict', context.conflict?.holder ?? 'by whom is not known'),
    }),
    /** It has done nothing; the next one begins anew. */
    forgetProcess: assign({ pid: null, spawnedAt: null, turn: null, exit: null }),
    rememberTurn: assign({ turn: (_, params: { turn: TurnEnd }) => params.turn }),
    rememberExit: assign({
      exit: (_, params: { exit: ProcessExit }) => params.exit,
    }),
    rememberStop: assign({
      // The first reason stands; only the hurry can still come.
      stop: ({ context }, params: RunStop) =>
        context.stop === null
          ? params
          : { ...context.stop, hurry: params.hurry || context.stop.hurry },
    }),
    spawn: enqueueActions(({ context, enqueue }) => {
      if (context.plan === null) return;
      const { plan } = context;
      const src = plan.driver === 'exec' ? 'exec' : 'appServer';
      enqueue.spawnChild(src, { id: 'process', input: { plan } });
    }),
    stopProcess: stopChild('process'),
    ask: sendTo('process', { type: 'process.interrupt' }),
    signal: sendTo('process', (_, params: { signal: KillSignal }) => ({
      type: 'process.signal',
      signal: params.signal,
    })),
    reportState: enqueueActions(({ context, system, enqueue }, params: { state: RunState }) => {
      report(system, enqueue, {
        type: 'run.changed',
        runId: context.run.runId,
        state: params.state,
        facts: factsOf(context),
      });
    }),
    reportPlan: enqueueActions(({ context, system, enqueue }) => {
      const { plan } = context;
      if (plan === null) return;
      report(system, enqueue, { type: 'run.planned', plan, startedAt: context.now() });
    }),
    reportSession: enqueueActions(({ context, system, enqueue }, params: { resumeId: string }) => {
      const { runId } = context.run;
      report(system, enqueue, { type: 'run.sessionKnown', runId, resumeId: params.resumeId });
    }),
    reportItems: enqueueActions(
      ({ context, system, enqueue }, params: ProcessEvent<'process.items'>) => {
        const { runId } = context.run;
        const { items, bytes } = params;
        report(system, enqueue, { type: 'run.printed', runId, items, bytes });
      },
    ),
    reportPieces: enqueueActions(
      ({ context, system, enqueue }, params: ProcessEvent<'process.pieces'>) => {
        if (context.plan === null) return;
        const { threadId } = context.plan;
        report(system, enqueue, { type: 'run.streamed', threadId, pieces: params.pieces });
      },
    ),
    openApproval: enqueueActions(
      ({ context, system, enqueue }, { request }: ProcessEvent<'process.approval'>) => {
        const { run, now, plan, approvals } = context;
        const timeout = plan?.approvalTimeout ?? 0;
        const approval = opened(request, { runId: run.runId, now: now(), timeout });
        const { approvalId } = approval;
        enqueue.assign({ approvals: { ...approvals, [approvalId]: approval } });
        report(system, enqueue, { type: 'run.approval', approval });
        const expiry = { id: `expiry-${approvalId}`, delay: timeout };
        enqueue.raise({ type: 'approval.expired', approvalId }, expiry);
      },
    ),
    /** Nobody can be asked any more. */
    refuseApproval: sendTo('process', (_, params: ProcessEvent<'process.approval'>) => ({
      type: 'process.answer',
      approvalId: params.request.approvalId,
      decision: 'cancel',
    })),
    answerApproval: enqueueActions(
      ({ context, system, enqueue }, params: { approvalId: string; end: ApprovalEnd }) => {
        const { approvalId, end } = params;
        const open = context.approvals[approvalId];
        if (open === undefined) return;
        const approval = decided(open, end, context.now());
        enqueue.cancel(`expiry-${approvalId}`);
        enqueue.assign({ approvals: without(context.approvals, approvalId) });
        if (approval.decision !== undefined) {
          const { decision } = approval;
          enqueue.sendTo('process', { type: 'process.answer', approvalId, decision });
        }
        report(system, enqueue, { type: 'run.approval', approval });
      },
    ),
    withdrawApprovals: enqueueActions(({ context, system, enqueue }) => {
      for (const open of Object.values(context.approvals)) {
        enqueue.cancel(`expiry-${open.approvalId}`);
        const approval = decided(open, { state: 'withdrawn' }, context.now());
        report(system, enqueue, { type: 'run.approval', approval });
      }
      enqueue.assign({ approvals: {} });
    }),
    steer: sendTo('process', (_, params: Command<'run.steer'>) => ({
      type: 'process.steer',
      requestId: params.requestId,
      text: params.text,
    })),
    refuseSteering: enqueueActions(({ context, system, enqueue }, params: Command<'run.steer'>) => {
      const error =
        context.plan?.driver === 'exec'
          ? 'This run is driven by "codex exec", which takes no more words once it has begun.'
          : 'This run has no turn that goes on.';
      const { requestId } = params;
      report(system, enqueue, { type: 'run.steered', runId: context.run.runId, requestId, error });
    }),
    reportSteered: enqueueActions(
      ({ context, system, enqueue }, params: ProcessEvent<'process.steered'>) => {
        report(system, enqueue, { ...params, type: 'run.steered', runId: context.run.runId });
      },
    ),
    broadcastLines: tell(
      SYSTEM.gateway,
      ({ context, event }: { context: CodexRunContext; event: CodexRunEvent }) =>
        event.type === 'process.lines'
          ? {
              type: 'broadcast.lines',
              runId: context.run.runId,
              threadId: context.plan?.threadId ?? context.run.threadDocId,
              stream: event.stream,
              lines: event.lines,
            }
          : undefined,
    ),
  },
  guards: {
    isNotOurs: (_, params: { plan: RunPlan | null }) => params.plan === null,
    isRetryable: (_, params: { error: unknown }) => toBridgeError(params.error).retryable,
    isNewHurry: ({ context }, params: { hurry: boolean }) => params.hurry && !context.stop?.hurry,
    /** `codex exec` understands signals alone. */
    canBeAsked: ({ context }) => context.plan?.driver === 'app-server',
    isSilent: ({ context }) => !isHeard(context),
    isHeard: ({ context }) => isHeard(context),
    isHeldElsewhere: ({ context }) => context.conflict !== null && context.stop === null,
    wants: ({ context }, params: { onConflict: OnConflict }) =>
      context.run.onConflict === params.onConflict,
    hasSucceeded: ({ context }) => verdictOn(context) === 'completed',
    wasInterrupted: ({ context }) => verdictOn(context) === 'interrupted',
    hasTimedOut: ({ context }) => verdictOn(context) === 'timedOut',
  },
  delays: {
    /** Convex announces its return; this is for when it never seemed away. */
    PREPARE_RETRY: 2_000,
    /** A process starts in milliseconds or not at all. */
    SPAWN_LIMIT: 30_000,
    /** Codex tells its session before the first request; it may start many MCP servers before. */
    START_LIMIT: 5 * 60_000,
    RUN_LIMIT: ({ context }) => context.plan?.runLimit ?? 0,
    /** Until it may have stalled: counted from its last sign of life. */
    SILENCE: ({ context: { plan, evidence, now } }) => {
      const quiet = now() - (evidence?.at ?? now());
      return Math.max(MIN_SILENCE, (plan?.stallAfter ?? 0) - Math.max(0, quiet));
    },
    /** Codex refuses at once, so trying costs little. */
    CONFLICT_RETRY: 3_000,
    /** After its turn Codex only writes its last lines. */
    SETTLE_LIMIT: 15_000,
    /** An app-server that was asked ends its turn in milliseconds, and itself after it. */
    SIGINT_DELAY: ({ context }) => (context.stop?.hurry ? 500 : 2_000),
    /**
     * The ladder of the control protocol, counted from the start of the interrupt; shorter
     * when the whole bridge ends within 10 s.
     */
    SIGTERM_DELAY: ({ context }) => {
      const asked = context.plan?.driver === 'app-server';
      if (context.stop?.hurry) return asked ? 1_000 : 1_500;
      return asked ? 3_000 : 5_000;
    },
    SIGKILL_DELAY: ({ context }) => (context.stop?.hurry ? 1_000 : 5_000),
    /** Only a process stuck in the kernel survives SIGKILL: it is given up. */
    KILL_LIMIT: ({ context }) => (context.stop?.hurry ? 500 : 5_000),
  },
});

/** Milliseconds between two reports of signs of life that change nothing else. */
const TELL_INTERVAL = 10_000;
/** Milliseconds; while it waits for a person it is not asked again and again. */
const MIN_SILENCE = 1_000;

/** Who waits for an approval does not have to say anything. */
function isHeard({ approvals, evidence, plan, now }: CodexRunContext): boolean {
  if (Object.keys(approvals).length > 0) return true;
  const quiet = now() - (evidence?.at ?? now());
  // A clock that was set back does not tell; the next sign of life does.
  return quiet >= 0 && quiet < (plan?.stallAfter ?? 0);
}

/** To the keeper. One that is gone has taken its runs with it. */
function report(
  system: { get: (id: SystemId) => AnyActorRef | undefined },
  enqueue: { sendTo: (target: AnyActorRef, event: RunReport) => void },
  event: RunReport,
): void {
  const keeper = system.get(SYSTEM.runs);
  if (keeper !== undefined) enqueue.sendTo(keeper, event);
}
