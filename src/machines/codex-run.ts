/**
 * One run of Codex, from its place in the queue to exactly one final state. Never
 * started twice: a prompt is not idempotent.
 *
 * queued                  waits for its turn
 * preparing.planning      takes the run's row in Convex; finds directory, session and settings
 * preparing.waiting       Convex was away; tried again after PREPARE_RETRY
 * spawning                starting the process
 * running.starting        it runs, and has not told its session yet
 * running.turn            Codex works
 * running.settling        the turn is over, the process is about to end
 * interrupting.choosing   passed through: whether the driver can be asked
 * interrupting.asking     asked to end its turn, by a driver that can be asked
 * interrupting.sigint     asked to end its turn, by signal
 * interrupting.sigterm    asked to end
 * interrupting.sigkill    ended by force, with all that it has started
 * ending                  passed through: what the end was
 * completed               final: Codex did what it was asked
 * failed                  final: Codex or its start failed
 * interrupted             final: somebody ended it
 * timedOut                final: it took too long
 */
import type { ApprovalEnd } from './approvals.ts';
import { runSetup, type ProcessEvent } from './codex-run-steps.ts';
import type { RunCommand } from './run-events.ts';
import { exitOf, outcomeOf } from './run-outcome.ts';

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

function approvalEnded(end: ApprovalEnd) {
  return {
    type: 'answerApproval',
    params: ({ event: { approvalId } }: { event: { approvalId: string } }) => ({
      approvalId,
      end,
    }),
  } as const;
}

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
    approvals: {},
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
    'process.pieces': { actions: { type: 'reportPieces', params: ({ event }) => event } },
    'process.approval': { actions: { type: 'refuseApproval', params: ({ event }) => event } },
    'process.steered': { actions: { type: 'reportSteered', params: ({ event }) => event } },
    'run.steer': { actions: { type: 'refuseSteering', params: ({ event }) => event } },
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
        turn: {
          exit: 'withdrawApprovals',
          on: {
            'process.turnEnded': { target: 'settling', actions: turnKnown },
            'process.approval': {
              actions: { type: 'openApproval', params: ({ event }) => event },
            },
            'process.approvalGone': { actions: approvalEnded({ state: 'withdrawn' }) },
            'approval.expired': { actions: approvalEnded({ state: 'expired' }) },
            'approval.answer': {
              actions: {
                type: 'answerApproval',
                params: ({ event: { approvalId, decision, decidedBy } }) => ({
                  approvalId,
                  end: { state: 'answered', decision, decidedBy },
                }),
              },
            },
            'run.steer': [
              {
                guard: 'canBeAsked',
                actions: { type: 'steer', params: ({ event }) => event },
              },
              { actions: { type: 'refuseSteering', params: ({ event }) => event } },
            ],
          },
        },
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
      initial: 'choosing',
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
        choosing: { always: [{ guard: 'canBeAsked', target: 'asking' }, { target: 'sigint' }] },
        asking: { entry: 'ask', after: { SIGINT_DELAY: 'sigint' } },
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
