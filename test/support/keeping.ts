/** The keeper of all runs under a simulated clock; Convex, Codex and the siblings do as they are told. */
import {
  createActor,
  fromCallback,
  fromPromise,
  setup,
  SimulatedClock,
  type ActorRefFrom,
  type EventObject,
  type InspectionEvent,
  type SnapshotFrom,
} from 'xstate';
import type { BridgeError } from '../../src/errors.ts';
import type { ApprovalFrame, RunFrame } from '../../src/control/frames.ts';
import type { ControlRequest } from '../../src/control/requests.ts';
import type { PromptFrame } from '../../src/control/parse-frame.ts';
import type {
  CodexProcessCommand,
  CodexProcessEvent,
  RunPlan,
} from '../../src/machines/codex-process-events.ts';
import { codexRun } from '../../src/machines/codex-run.ts';
import type { PrepareInput } from '../../src/machines/codex-run-steps.ts';
import type { SystemId } from '../../src/machines/protocol.ts';
import type { OpenRun, RunOutcome } from '../../src/machines/run-events.ts';
import type {
  AnsweredApproval,
  AnsweredEvent,
  EditInput,
  OpenRunsEvent,
  ProgressEvent,
  SubmitInput,
  Submitted,
} from '../../src/machines/runs-events.ts';
import { runs } from '../../src/machines/runs.ts';

/** One thing asked of the outside, waiting for its answer. */
export interface Asked<Input, Output> {
  input: Input;
  answer(output: Output): Promise<void>;
  refuse(error: unknown): Promise<void>;
}

interface Outside {
  submissions: Asked<SubmitInput, Submitted>[];
  preparations: Asked<PrepareInput, RunPlan | null>[];
  settlements: Asked<RunOutcome, void>[];
  edits: Asked<EditInput, BridgeError | null>[];
  judgements: Asked<OpenRun, RunOutcome>[];
  /** What was to be written of how far runs have come. */
  progress: RunFrame[];
  recoveries: Asked<unknown, { ended: string[] }>[];
  /** What of approvals is to be written. */
  records: Asked<ApprovalFrame, ApprovalFrame['state']>[];
  /** The process of each run, by run id. */
  processes: Map<
    string,
    {
      tell: (event: CodexProcessEvent) => void;
      signals: string[];
      commands: CodexProcessCommand[];
    }
  >;
  /** Convex tells what apps have answered there. */
  answers: (answers: AnsweredApproval[]) => void;
  /** Convex tells which runs are open. */
  rows: (rows: OpenRun[]) => void;
}

export interface Keeping extends Outside {
  clock: SimulatedClock;
  send: ActorRefFrom<typeof runs>['send'];
  snapshot(): SnapshotFrom<typeof runs>;
  /** What the siblings were told, oldest first. */
  told: { to: SystemId; event: EventObject & Record<string, unknown> }[];
  /** The events of one type that one sibling was told. */
  toldTo(to: SystemId, type: string): Record<string, unknown>[];
  request(request: ControlRequest, requestId?: string): void;
  prompt(prompt: PromptFrame, requestId?: string): void;
  /** The reply or refusal that a request got. */
  replyTo(requestId: string): Record<string, unknown> | undefined;
  /** The states of a run, as `bridge.run` has told them. */
  states(runId: string): unknown[];
  /** Nothing left behind, Convex online: ready for requests. */
  serve(): Promise<void>;
  /** From a row in Convex to a Codex in the middle of its turn. */
  working(row: OpenRun, plan?: Partial<RunPlan>): Promise<void>;
  /** Ids of the child actors. */
  children(): string[];
  stop(): void;
}

let current: Outside;

/** One and the same machine for every start, so that its transitions can be counted. */
export const runsUnderTest = runs.provide({
  actors: {
    codexRun: codexRun.provide({
      actors: {
        prepare: asking<PrepareInput, RunPlan | null>(() => current.preparations),
        findHolder: fromPromise<string | null, { sessionId: string }>(() => Promise.resolve(null)),
        watchFile: fromCallback(() => {}),
        exec: standIn(),
        appServer: standIn(),
      },
    }),
    submit: asking<SubmitInput, Submitted>(() => current.submissions),
    edit: asking<EditInput, BridgeError | null>(() => current.edits),
    judgeLeft: asking<OpenRun, RunOutcome>(() => current.judgements),
    progress: fromCallback<ProgressEvent>(({ receive }) => {
      const { progress } = current;
      receive(({ frame }) => void progress.push(frame));
    }),
    settleRow: asking<RunOutcome, void>(() => current.settlements),
    settleProcesses: asking<unknown, { ended: string[] }>(() => current.recoveries),
    recordApproval: asking<ApprovalFrame, ApprovalFrame['state']>(() => current.records),
    approvalAnswers: fromCallback<EventObject>(({ sendBack }) => {
      current.answers = (answers) =>
        sendBack({ type: 'rows.answered', answers } satisfies AnsweredEvent);
    }),
    openRuns: fromCallback<EventObject, { machineId: string }>(({ sendBack }) => {
      current.rows = (rows) => sendBack({ type: 'rows.open', runs: rows } satisfies OpenRunsEvent);
    }),
  },
});

export function row(runId: string, fields: Partial<OpenRun> = {}): OpenRun {
  return {
    runId,
    threadDocId: `thread-of-${runId}`,
    status: 'pending',
    machineId: 'm1',
    text: `prompt of ${runId}`,
    createdAt: 1_000,
    ...fields,
  };
}

export function startKeeping(
  options: { maxRuns?: number; inspect?: (event: InspectionEvent) => void } = {},
): Keeping {
  const { maxRuns = 2, inspect } = options;
  const clock = new SimulatedClock();
  const told: Keeping['told'] = [];
  const outside: Outside = {
    submissions: [],
    preparations: [],
    settlements: [],
    edits: [],
    judgements: [],
    progress: [],
    recoveries: [],
    records: [],
    processes: new Map(),
    answers: () => {
      throw new Error('nobody watches the answers');
    },
    rows: () => {
      throw new Error('nobody watches the rows');
    },
  };
  current = outside;
  const listener = (to: SystemId) =>
    fromCallback<EventObject>(({ receive }) => receive((event) => void told.push({ to, event })));
  const tree = setup({
    actors: {
      gateway: listener('gateway'),
      writer: listener('writer'),
      convex: listener('convex'),
      runs: runsUnderTest,
    },
  }).createMachine({
    invoke: [
      { src: 'gateway', systemId: 'gateway' },
      { src: 'writer', systemId: 'writer' },
      { src: 'convex', systemId: 'convex' },
      {
        src: 'runs',
        systemId: 'runs',
        input: {
          machineId: 'm1',
          maxRuns,
          usualPolicy: { sandbox: 'danger-full-access', approvals: 'never' },
          now: () => 2_000 + clock.now(),
        },
      },
    ],
  });
  const root = createActor(tree, { clock, ...(inspect && { inspect }) }).start();
  // Registered above under this name.
  const actor: ActorRefFrom<typeof runs> = root.system.get('runs');
  const toldTo = (to: SystemId, type: string) =>
    told.flatMap((it) => (it.to === to && it.event.type === type ? [it.event] : []));
  const keeping: Keeping = Object.assign(outside, {
    clock,
    told,
    toldTo,
    send: (event: Parameters<typeof actor.send>[0]) => actor.send(event),
    snapshot: () => actor.getSnapshot(),
    request: (request: ControlRequest, requestId = 'q') =>
      actor.send({ type: 'control.request', requestId, clientId: 'client-1', request }),
    prompt: (prompt: PromptFrame, requestId = 'q') =>
      actor.send({ type: 'prompt.submitted', requestId, prompt }),
    replyTo: (requestId: string) => {
      const found = told.findLast(({ event }) => event['requestId'] === requestId)?.event;
      return (found?.['frame'] ?? found?.['error']) as Record<string, unknown> | undefined;
    },
    states: (runId: string) =>
      toldTo('gateway', 'broadcast').flatMap(({ frame }) => {
        const { runId: id, state } = frame as { runId: string; state: string };
        return id === runId ? [state] : [];
      }),
    serve: async () => {
      actor.send({ type: 'convex.online' });
      await outside.recoveries[0]?.answer({ ended: [] });
    },
    working: async (open: OpenRun, plan: Partial<RunPlan> = {}) => {
      keeping.rows([open]);
      const asked = outside.preparations.find(({ input }) => input.run.runId === open.runId);
      await asked?.answer({ ...planOf(open), ...plan });
      const process = outside.processes.get(open.runId);
      process?.tell({ type: 'process.spawned', pid: 7 });
      process?.tell({ type: 'process.session', resumeId: `session-of-${open.runId}` });
    },
    children: () => Object.keys(actor.getSnapshot().children),
    stop: () => void root.stop(),
  });
  return keeping;
}

export function planOf(open: OpenRun): RunPlan {
  return {
    runId: open.runId,
    threadId: open.threadDocId,
    driver: 'exec',
    prompt: open.text,
    cwd: '/w',
    sandbox: 'danger-full-access',
    approvals: 'never',
    approvalTimeout: 60_000,
    stallAfter: 600_000,
    runLimit: 86_400_000,
  };
}

/** A Codex that does nothing by itself. */
function standIn() {
  return fromCallback<CodexProcessCommand, { plan: RunPlan }>(({ input, sendBack, receive }) => {
    const signals: string[] = [];
    const commands: CodexProcessCommand[] = [];
    current.processes.set(input.plan.runId, { tell: sendBack, signals, commands });
    receive((command) => {
      commands.push(command);
      if (command.type === 'process.signal') signals.push(command.signal);
    });
  });
}

function asking<Input, Output>(list: () => Asked<Input, Output>[]) {
  return fromPromise<Output, Input>(async ({ input }) => {
    const answer = Promise.withResolvers<Output>();
    list().push({
      input,
      answer: async (output) => {
        answer.resolve(output);
        await settled();
      },
      refuse: async (error) => {
        answer.reject(error);
        await settled();
      },
    });
    return await answer.promise;
  });
}

/** A promise actor answers a few microtasks after its promise. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
