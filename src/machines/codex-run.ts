/**
 * One run of Codex, from its place in the queue to exactly one final state. Never
 * started twice: a prompt is not idempotent.
 *
 * queued                waits for its turn
 * preparing.planning    takes the run's row in Convex; finds directory, session and settings
 * preparing.waiting     Convex was away; tried again after PREPARE_RETRY
 * spawning              starting the process
 * running.starting      it runs, and has not told its session yet
 * running.turn          Codex works
 * running.settling      the turn is over, the process is about to end
 * interrupting.sigint   asked to end its turn
 * interrupting.sigterm  asked to end
 * interrupting.sigkill  ended by force, with all that it has started
 * ending                passed through: what the end was
 * completed             final: Codex did what it was asked
 * failed                final: Codex or its start failed
 * interrupted           final: somebody ended it
 * timedOut              final: it took too long
 */
import { assign, enqueueActions, sendTo, setup, type AnyActorRef } from 'xstate';
import type { RunState } from '../control/frames.ts';
import { toBridgeError } from '../errors.ts';
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
  exitOf,
  factsOf,
  outcomeOf,
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
}

type CodexRunEvent = RunCommand | CodexProcessEvent;
type ProcessEvent<Type extends CodexProcessEvent['type']> = Extract<
  CodexProcessEvent,
  { type: Type }
>;

const runSetup = setup({
  types: {
    context: {} as CodexRunContext,
    events: {} as CodexRunEvent,
    input: {} as { run: OpenRun; now: () => number },
    output: {} as RunOutcome,
  },
  actors: {
    prepare: promisePort<RunPlan | null, PrepareInput>('prepare'),
    process: callbackPort<CodexProcessCommand, { plan: RunPlan }>('process'),
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
    rememberPid: assign({
      pid: (_, params: { pid: number }) => params.pid,
    }),
    rememberSession: assign({ resumeId: (_, params: { resumeId: string }) => params.resumeId }),
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
      enqueue.spawnChild('process', { id: 'process', input: { plan: context.plan } });
    }),
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
    broadcastLine: tell(
      SYSTEM.gateway,
      ({ context, event }: { context: CodexRunContext; event: CodexRunEvent }) =>
        event.type === 'process.line'
          ? {
              type: 'broadcast.line',
              runId: context.run.runId,
              threadId: context.plan?.threadId ?? context.run.threadDocId,
              stream: event.stream,
              line: event.line,
            }
          : undefined,
    ),
  },
  guards: {
    isNotOurs: (_, params: { plan: RunPlan | null }) => params.plan === null,
    isRetryable: (_, params: { error: unknown }) => toBridgeError(params.error).retryable,
    isNewHurry: ({ context }, params: { hurry: boolean }) => params.hurry && !context.stop?.hurry,
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
    /** An agent may work for hours; one that takes longer than a day hangs. */
    RUN_LIMIT: 24 * 60 * 60_000,
    /** After its turn Codex only writes its last lines. */
    SETTLE_LIMIT: 15_000,
    /** The ladder of the control protocol; shorter when the whole bridge ends within 10 s. */
    SIGTERM_DELAY: ({ context }) => (context.stop?.hurry ? 1_500 : 5_000),
    SIGKILL_DELAY: ({ context }) => (context.stop?.hurry ? 1_000 : 5_000),
    /** Only a process stuck in the kernel survives SIGKILL: it is given up. */
    KILL_LIMIT: ({ context }) => (context.stop?.hurry ? 500 : 5_000),
  },
});

const sessionKnown = [
  {
    type: 'rememberSession',
    params: ({ event }: { event: ProcessEvent<'process.session'> }) => ({
      resumeId: event.resumeId,
    }),
  },
  {
    type: 'reportSession',
    params: ({ event }: { event: ProcessEvent<'process.session'> }) => ({
      resumeId: event.resumeId,
    }),
  },
] as const;

const turnKnown = {
  type: 'rememberTurn',
  params: ({ event }: { event: ProcessEvent<'process.turnEnded'> }) => ({ turn: event.turn }),
} as const;

const spawned = {
  type: 'rememberPid',
  params: ({ event }: { event: ProcessEvent<'process.spawned'> }) => ({ pid: event.pid }),
} as const;

const stopAsked = {
  type: 'rememberStop',
  params: ({ event }: { event: Extract<RunCommand, { type: 'run.interrupt' }> }) => ({
    kind: 'interrupted' as const,
    reason: event.reason,
    hurry: event.hurry ?? false,
  }),
} as const;

function overdue(reason: string) {
  return {
    type: 'rememberStop',
    params: { kind: 'timedOut', reason, hurry: false },
  } as const;
}

export const codexRun = runSetup.createMachine({
  id: 'codexRun',
  context: ({ input }) => ({
    run: input.run,
    now: input.now,
    lastSessions: { byDirectory: {} },
    plan: null,
    pid: null,
    resumeId: null,
    turn: null,
    exit: null,
    stop: null,
    error: null,
    taken: false,
  }),
  output: ({ context }) => outcomeOf(context),
  initial: 'queued',
  on: {
    'process.line': { actions: 'broadcastLine' },
    'process.items': { actions: { type: 'reportItems', params: ({ event }) => event } },
    'process.session': { actions: sessionKnown },
    'process.turnEnded': { actions: turnKnown },
    'process.refused': {
      target: '.ending',
      actions: { type: 'rememberError', params: ({ event }) => ({ error: event.error }) },
    },
    'process.exited': {
      target: '.ending',
      actions: { type: 'rememberExit', params: ({ event }) => ({ exit: exitOf(event) }) },
    },
  },
  states: {
    queued: {
      on: {
        'run.start': {
          target: 'preparing',
          actions: {
            type: 'takeTurn',
            params: ({ event }) => ({ lastSessions: event.lastSessions }),
          },
        },
        'run.interrupt': { target: 'ending', actions: stopAsked },
      },
    },
    preparing: {
      entry: { type: 'reportState', params: { state: 'preparing' } },
      initial: 'planning',
      on: { 'run.interrupt': { target: 'ending', actions: stopAsked } },
      states: {
        planning: {
          invoke: {
            src: 'prepare',
            input: ({ context }) => ({ run: context.run, lastSessions: context.lastSessions }),
            onDone: [
              {
                guard: { type: 'isNotOurs', params: ({ event }) => ({ plan: event.output }) },
                target: '#codexRun.ending',
                actions: 'rememberTaken',
              },
              {
                target: '#codexRun.spawning',
                actions: { type: 'rememberPlan', params: ({ event }) => ({ plan: event.output }) },
              },
            ],
            onError: [
              {
                guard: { type: 'isRetryable', params: ({ event }) => ({ error: event.error }) },
                target: 'waiting',
              },
              {
                target: '#codexRun.ending',
                actions: { type: 'rememberError', params: ({ event }) => ({ error: event.error }) },
              },
            ],
          },
        },
        waiting: { after: { PREPARE_RETRY: 'planning' } },
      },
    },
    spawning: {
      entry: ['reportPlan', { type: 'reportState', params: { state: 'spawning' } }, 'spawn'],
      on: {
        'process.spawned': { target: 'running', actions: spawned },
        'run.interrupt': { target: 'interrupting', actions: stopAsked },
      },
      after: {
        SPAWN_LIMIT: { target: 'interrupting', actions: overdue('Codex did not start') },
      },
    },
    running: {
      entry: { type: 'reportState', params: { state: 'running' } },
      initial: 'starting',
      on: { 'run.interrupt': { target: 'interrupting', actions: stopAsked } },
      after: {
        RUN_LIMIT: { target: 'interrupting', actions: overdue('The run took too long') },
      },
      states: {
        starting: {
          on: {
            'process.session': {
              target: 'turn',
              actions: [...sessionKnown, { type: 'reportState', params: { state: 'running' } }],
            },
            'process.turnEnded': { target: 'settling', actions: turnKnown },
          },
          after: {
            START_LIMIT: {
              target: '#codexRun.interrupting',
              actions: overdue('Codex did not begin its session'),
            },
          },
        },
        turn: { on: { 'process.turnEnded': { target: 'settling', actions: turnKnown } } },
        settling: {
          after: {
            SETTLE_LIMIT: {
              target: '#codexRun.interrupting',
              actions: {
                type: 'rememberStop',
                params: {
                  kind: 'settled',
                  reason: 'Codex did not end after its turn',
                  hurry: false,
                },
              },
            },
          },
        },
      },
    },
    interrupting: {
      entry: { type: 'reportState', params: { state: 'interrupting' } },
      initial: 'sigint',
      on: {
        'process.spawned': { actions: spawned },
        'run.interrupt': {
          guard: { type: 'isNewHurry', params: ({ event }) => ({ hurry: event.hurry ?? false }) },
          target: 'interrupting',
          reenter: true,
          actions: stopAsked,
        },
      },
      states: {
        sigint: {
          entry: { type: 'signal', params: { signal: 'SIGINT' } },
          after: { SIGTERM_DELAY: 'sigterm' },
        },
        sigterm: {
          entry: { type: 'signal', params: { signal: 'SIGTERM' } },
          after: { SIGKILL_DELAY: 'sigkill' },
        },
        sigkill: {
          entry: { type: 'signal', params: { signal: 'SIGKILL' } },
          after: { KILL_LIMIT: '#codexRun.ending' },
        },
      },
    },
    /** Passed through in no time: which end it is depends on all that was seen. */
    ending: {
      always: [
        { guard: 'hasSucceeded', target: 'completed' },
        { guard: 'wasInterrupted', target: 'interrupted' },
        { guard: 'hasTimedOut', target: 'timedOut' },
        { target: 'failed' },
      ],
    },
    completed: { type: 'final' },
    failed: { type: 'final' },
    interrupted: { type: 'final' },
    timedOut: { type: 'final' },
  },
});

/** To the keeper. One that is gone has taken its runs with it. */
function report(
  system: { get: (id: SystemId) => AnyActorRef | undefined },
  enqueue: { sendTo: (target: AnyActorRef, event: RunReport) => void },
  event: RunReport,
): void {
  const keeper = system.get(SYSTEM.runs);
  if (keeper !== undefined) enqueue.sendTo(keeper, event);
}
