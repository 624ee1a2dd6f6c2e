/**
 * Starts children in order, restarts what fails, stops them in reverse order, as OTP's
 * supervisor does. What it has no answer to it fails with, so that its parent decides.
 *
 * starting            the specs are checked
 * running.steady      each child is up, or waits alone for its own restart
 * running.regrouping  rest_for_one, one_for_all: the affected siblings stop, last first
 * running.backingOff  they are down; after the delay they start together
 * stopping            told to end, or a significant child ended: children stop, last first
 * escalating          children failed too often: the rest stops, last first
 * stopped             final
 * failed              the parent gets the error
 */
import { BridgeError } from '../errors.ts';
import { specProblem, type SupervisorInput } from './child-spec.ts';
import {
  childIds,
  findChild,
  newChild,
  nextToStop,
  verdictOn,
  type Child,
  type Verdict,
} from './child-table.ts';
import {
  exitOf,
  isChildEnd,
  type ChildEnd,
  type SupervisorContext,
  type SupervisorEvent,
} from './supervisor-events.ts';
import {
  addChild,
  affectAll,
  dropChild,
  giveUp,
  planRestart,
  removeChild,
  report,
  settleEnd,
  startChildren,
  stopChild,
  supervisorSetup,
  type Turn,
} from './supervisor-steps.ts';

const { enqueueActions } = supervisorSetup;

const machine = supervisorSetup.extend({
  guards: {
    isMisconfigured: ({ context }) => context.failure !== null,
    isRefused: ({ context, event }) => refusalOf(context, event) !== null,
    /** What the end of a child means; see Verdict. */
    is: ({ context, event }, params: { verdict: Verdict }) =>
      isChildEnd(event) && verdictOn(context, event.actorId, exitOf(event)) === params.verdict,
    isOfChild: ({ context, event }) =>
      isChildEnd(event) && findChild(context.children, event.actorId) !== undefined,
    allDown: ({ context }) => nextToStop(context.children, context.affected) === undefined,
    nextIsUp: ({ context }) => nextToStop(context.children, context.affected)?.phase === 'up',
  },
  actions: {
    startAll: enqueueActions((turn) => startChildren(turn, childIds(turn.context.children))),
    startAffected: enqueueActions((turn) => startChildren(turn, turn.context.affected)),
    startOne: enqueueActions((turn) => {
      if (turn.event.type === 'restart.due') startChildren(turn, [turn.event.id]);
    }),
    add: enqueueActions((turn) => {
      if (turn.event.type === 'child.start') addChild(turn, turn.event.spec);
    }),
    remove: enqueueActions((turn) => {
      const child = namedChild(turn);
      if (child) removeChild(turn, child);
    }),
    refuse: enqueueActions((turn) => {
      const refusal = refusalOf(turn.context, turn.event);
      if (refusal) report(turn, { type: 'child.refused', ...refusal });
    }),
    refuseLate: enqueueActions((turn) => {
      if (turn.event.type !== 'child.start') return;
      const { id: child } = turn.event.spec;
      report(turn, { type: 'child.refused', child, error: new BridgeError('shutdown', '') });
    }),
    reportLate: enqueueActions((turn) => {
      const { event } = turn;
      if (!isChildEnd(event) || !('error' in event)) return;
      report(turn, { type: 'child.failed', child: event.actorId, error: event.error });
    }),
    settle: onChildEnd(settleEnd),
    planRestart: onChildEnd(planRestart),
    giveUp: onChildEnd(giveUp),
    forgetRestart: supervisorSetup.assign({ recent: ({ context }) => context.recent.slice(1) }),
    dropOverdue: enqueueActions((turn) => {
      const child = namedChild(turn);
      if (child?.phase !== 'stopping') return;
      const limit = `did not end within ${child.spec.shutdown} ms and was dropped`;
      dropChild(turn, child, new BridgeError('internal', `"${child.id}" ${limit}`));
    }),
    stopNext: enqueueActions((turn) => {
      const child = nextToStop(turn.context.children, turn.context.affected);
      if (child) stopChild(turn, child);
    }),
    affectAll: enqueueActions(affectAll),
    affectNone: supervisorSetup.assign({ affected: [] }),
  },
  delays: {
    backoff: ({ context }) => context.delay,
  },
});

const settled = [
  { guard: { type: 'is', params: { verdict: 'late' } }, actions: 'reportLate' },
  { guard: { type: 'is', params: { verdict: 'told' } }, actions: 'settle' },
] as const;

const decided = [
  ...settled,
  { guard: { type: 'is', params: { verdict: 'ends' } }, actions: 'settle' },
  {
    guard: { type: 'is', params: { verdict: 'shutdown' } },
    actions: 'settle',
    target: '#supervisor.stopping',
  },
  { guard: { type: 'is', params: { verdict: 'alone' } }, actions: 'planRestart' },
  {
    guard: { type: 'is', params: { verdict: 'group' } },
    actions: 'planRestart',
    target: '#supervisor.running.regrouping',
  },
  {
    guard: { type: 'is', params: { verdict: 'escalate' } },
    actions: 'giveUp',
    target: '#supervisor.escalating',
  },
] as const;

export const supervisor = machine.createMachine({
  id: 'supervisor',
  context: ({ input }) => initialContext(input),
  initial: 'starting',
  on: {
    'restart.forgotten': { actions: 'forgetRestart' },
    'stop.overdue': { actions: 'dropOverdue' },
  },
  states: {
    starting: {
      always: [{ guard: 'isMisconfigured', target: 'failed' }, { target: 'running' }],
    },
    running: {
      entry: 'startAll',
      initial: 'steady',
      on: {
        shutdown: 'stopping',
        'xstate.done.actor.*': decided,
        'xstate.error.actor.*': decided,
        'child.start': [{ guard: 'isRefused', actions: 'refuse' }, { actions: 'add' }],
        'child.terminate': [{ guard: 'isRefused', actions: 'refuse' }, { actions: 'remove' }],
      },
      states: {
        steady: { entry: 'affectNone', on: { 'restart.due': { actions: 'startOne' } } },
        regrouping: {
          always: [
            { guard: 'allDown', target: 'backingOff' },
            { guard: 'nextIsUp', actions: 'stopNext' },
          ],
        },
        backingOff: {
          after: { backoff: { target: 'steady', actions: 'startAffected' } },
        },
      },
    },
    stopping: {
      entry: 'affectAll',
      on: {
        'xstate.done.actor.*': settled,
        'xstate.error.actor.*': settled,
        'child.start': { actions: 'refuseLate' },
      },
      always: [
        { guard: 'allDown', target: 'stopped' },
        { guard: 'nextIsUp', actions: 'stopNext' },
      ],
    },
    escalating: {
      entry: 'affectAll',
      on: {
        shutdown: 'stopping',
        'xstate.done.actor.*': settled,
        'xstate.error.actor.*': settled,
        'child.start': { actions: 'refuseLate' },
      },
      always: [
        { guard: 'allDown', target: 'failed' },
        { guard: 'nextIsUp', actions: 'stopNext' },
      ],
    },
    stopped: { type: 'final' },
    failed: {
      // The error of this actor is left unhandled on purpose: that is how a machine fails.
      invoke: { src: 'failing', input: ({ context }) => ({ error: context.failure }) },
      on: { 'xstate.error.actor.*': { guard: 'isOfChild' } },
    },
  },
});

function initialContext(input: SupervisorInput): SupervisorContext {
  const { children, autoShutdown = 'never', ...settings } = input;
  const problem = children
    .map((spec, index) =>
      specProblem(
        spec,
        children.slice(0, index).map((other) => other.id),
        autoShutdown,
      ),
    )
    .find((found) => found !== null);
  return {
    ...settings,
    autoShutdown,
    children: children.map(newChild),
    affected: [],
    recent: [],
    restarts: 0,
    delay: 0,
    failure: problem === undefined ? null : new BridgeError('internal', problem),
  };
}

function refusalOf(
  context: SupervisorContext,
  event: SupervisorEvent,
): { child: string; error: BridgeError } | null {
  if (event.type === 'child.start') {
    const { id } = event.spec;
    const problem = specProblem(event.spec, childIds(context.children), context.autoShutdown);
    return problem === null ? null : { child: id, error: new BridgeError('internal', problem) };
  }
  if (event.type === 'child.terminate' && !findChild(context.children, event.id)) {
    return { child: event.id, error: new BridgeError('internal', `"${event.id}" is no child`) };
  }
  return null;
}

function onChildEnd(step: (turn: Turn, child: Child, event: ChildEnd) => void) {
  return enqueueActions((turn) => {
    const { context, event } = turn;
    if (!isChildEnd(event)) return;
    const child = findChild(context.children, event.actorId);
    if (child) step(turn, child, event);
  });
}

function namedChild({ context, event }: Turn): Child | undefined {
  return 'id' in event ? findChild(context.children, event.id) : undefined;
}
