/**
 * One run of Codex, from its place in the queue to exactly one final state. Never
 * started twice: a prompt is not idempotent.
 *
 * queued                  waits for its turn
 * preparing.planning      takes the run's row in Convex; finds directory, session and settings
 * preparing.waiting       Convex was away; tried again after PREPARE_RETRY
 * spawning                starting the process
 * running.work.starting   it runs, and has not told its session yet
 * running.work.turn       Codex works
 * running.work.settling   the turn is over, the process is about to end
 * running.signs.alive     it shows signs of life
 * running.signs.stalled   it has shown none for `stallAfter`; it is left alone
 * heldElsewhere.looking   another process has the session open; finds out which
 * heldElsewhere.deciding  passed through: what the request wants then
 * heldElsewhere.waiting   until it is tried again
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

function seen(what: string) {
  return { type: 'noteSign', params: { what } } as const;
}

const sessionKnown = [
  seen('it has its session'),
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

const turnKnown = [
  seen('its turn has ended'),
  {
    type: 'rememberTurn',
    params: ({ event }: { event: ProcessEvent<'process.turnEnded'> }) => ({ turn: event.turn }),
  },
] as const;

const spawned = [
  seen('its process was started'),
  {
    type: 'rememberPid',
    params: ({ event }: { event: ProcessEvent<'process.spawned'> }) => ({ pid: event.pid }),
  },
] as const;

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
    evidence: null,
    toldAt: 0,
    spawnedAt: null,
    sessionAt: null,
    turnAt: null,
    conflict: null,
    fork: false,
    stop: null,
    error: null,
    taken: false,
  }),
  output: ({ context }) => outcomeOf(context),
  initial: 'queued',
  on: {
    'process.lines': { actions: [seen('it printed'), 'broadcastLines'] },
    'process.items': { actions: { type: 'reportItems', params: ({ event }) => event } },
    'process.pieces': { actions: { type: 'reportPieces', params: ({ event }) => event } },
    'process.conflict': { actions: 'rememberConflict' },
    'process.turnStarted': {
      actions: [
        seen('its turn has begun'),
        'rememberTurnStart',
        { type: 'reportState', params: { state: 'running' } },
      ],
    },
    'file.grew': { actions: seen('its session file grew') },
    'process.approval': { actions: { type: 'refuseApproval', params: ({ event }) => event } },
    'process.steered': { actions: { type: 'reportSteered', params: ({ event }) => event } },
    'run.steer': { actions: { type: 'refuseSteering', params: ({ event }) => event } },
    'process.session': { actions: sessionKnown },
    'process.turnEnded': { actions: turnKnown },
    'process.refused': {
      target: '.ending',
      actions: { type: 'rememberError', params: ({ event }) => ({ error: event.error }) },
    },
    'process.exited': [
      { guard: 'isHeldElsewhere', target: '.heldElsewhere' },
      {
        target: '.ending',
        actions: { type: 'rememberExit', params: ({ event }) => ({ exit: exitOf(event) }) },
      },
    ],
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
        'run.gone': { target: 'ending', actions: 'rememberTaken' },
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
            input: ({ context: { run, lastSessions, fork } }) => ({
              run,
              lastSessions,
              ...(fork ? { fork } : {}),
            }),
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
      type: 'parallel',
      on: { 'run.interrupt': { target: 'interrupting', actions: stopAsked } },
      after: {
        RUN_LIMIT: { target: 'interrupting', actions: overdue('The run took too long') },
      },
      states: {
        work: {
          initial: 'starting',
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
              invoke: {
                src: 'watchFile',
                input: ({ context: { run, resumeId, plan } }) => ({
                  threadDocId: run.threadDocId,
                  sessionId: resumeId ?? '',
                  interval: (plan?.stallAfter ?? 0) / 4,
                }),
              },
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
        signs: {
          initial: 'alive',
          states: {
            alive: {
              after: {
                SILENCE: [
                  { guard: 'isSilent', target: 'stalled' },
                  { target: 'alive', reenter: true },
                ],
              },
            },
            stalled: {
              entry: { type: 'reportState', params: { state: 'stalled' } },
              always: {
                guard: 'isHeard',
                target: 'alive',
                actions: { type: 'reportState', params: { state: 'running' } },
              },
            },
          },
        },
      },
    },
    heldElsewhere: {
      entry: ['forgetProcess', 'stopProcess'],
      initial: 'looking',
      on: { 'run.interrupt': { target: 'ending', actions: stopAsked } },
      states: {
        looking: {
          invoke: {
            src: 'findHolder',
            input: ({ context }) => ({ sessionId: context.plan?.resumeId ?? '' }),
            onDone: {
              target: 'deciding',
              actions: {
                type: 'rememberHolder',
                params: ({ event }) => ({ holder: event.output }),
              },
            },
            onError: 'deciding',
          },
        },
        deciding: {
          always: [
            { guard: { type: 'wants', params: { onConflict: 'wait' } }, target: 'waiting' },
            {
              guard: { type: 'wants', params: { onConflict: 'fork' } },
              target: '#codexRun.preparing',
              actions: 'rememberFork',
            },
            { target: '#codexRun.ending', actions: 'rememberRefusal' },
          ],
        },
        waiting: {
          entry: { type: 'reportState', params: { state: 'waiting' } },
          after: { CONFLICT_RETRY: '#codexRun.preparing' },
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
