/** One run under a simulated clock, between a keeper that listens and a Codex that does as it is told. */
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
import type {
  CodexProcessCommand,
  CodexProcessEvent,
  RunPlan,
} from '../../src/machines/codex-process-events.ts';
import { codexRun } from '../../src/machines/codex-run.ts';
import type { PrepareInput } from '../../src/machines/codex-run-steps.ts';
import type { OpenRun, RunOutcome } from '../../src/machines/run-events.ts';

export interface Running {
  clock: SimulatedClock;
  /** What it takes for the time goes back by so many milliseconds; its timers do not. */
  setBack(milliseconds: number): void;
  send: ActorRefFrom<typeof codexRun>['send'];
  snapshot(): SnapshotFrom<typeof codexRun>;
  /** Dotted, e.g. `preparing.planning`; of a run that runs where its work stands. */
  state(): string;
  /** What the keeper was told, oldest first. */
  reports: EventObject[];
  /** What the gateway was told. */
  lines: EventObject[];
  /** The signals that the process got, oldest first. */
  signals: string[];
  /** Who has the session open is found out, or not. */
  held(holder: string | null): Promise<void>;
  /** What else the process was told, oldest first. */
  commands: CodexProcessCommand[];
  /** Whether there is a process actor. */
  hasProcess(): boolean;
  /** What the run has asked the preparation, oldest first. */
  preparations: PrepareInput[];
  /** The preparation ends. */
  prepared(plan: RunPlan | null): Promise<void>;
  unprepared(error: unknown): Promise<void>;
  /** Codex speaks. */
  codex(...events: CodexProcessEvent[]): void;
  outcome(): RunOutcome | undefined;
  stop(): void;
}

export const openRun: OpenRun = {
  runId: 'r1',
  threadDocId: 'd1',
  status: 'pending',
  text: 'do it',
  createdAt: 1,
};

export const runPlan: RunPlan = {
  runId: 'r1',
  threadId: 't1',
  driver: 'exec',
  prompt: 'do it',
  cwd: '/w',
  sandbox: 'danger-full-access',
  approvals: 'never',
  approvalTimeout: 60_000,
  stallAfter: 600_000,
  runLimit: 86_400_000,
};

/** The one that `startRunning` started last. */
let current: Pick<Running, 'signals' | 'commands' | 'preparations'> & {
  answer: PromiseWithResolvers<RunPlan | null>;
  holder: PromiseWithResolvers<string | null>;
};

/** One and the same machine for every start, so that its transitions can be counted. */
export const runUnderTest = codexRun.provide({
  actors: {
    prepare: fromPromise<RunPlan | null, PrepareInput>(async ({ input }) => {
      current.preparations.push(input);
      current.answer = Promise.withResolvers();
      return await current.answer.promise;
    }),
    findHolder: fromPromise<string | null, { sessionId: string }>(
      async () => await current.holder.promise,
    ),
    watchFile: fromCallback(() => {}),
    exec: standIn(),
    appServer: standIn(),
  },
});

/** A Codex that does nothing by itself. */
function standIn() {
  return fromCallback<CodexProcessCommand, { plan: RunPlan }>(({ receive }) => {
    const { signals, commands } = current;
    receive((command) => {
      if (command.type === 'process.signal') signals.push(command.signal);
      else commands.push(command);
    });
  });
}

export function startRunning(
  inspect?: (event: InspectionEvent) => void,
  given: OpenRun = openRun,
): Running {
  const clock = new SimulatedClock();
  let wrong = 0;
  const reports: EventObject[] = [];
  const lines: EventObject[] = [];
  const mine: typeof current = {
    signals: [],
    commands: [],
    preparations: [],
    answer: Promise.withResolvers(),
    holder: Promise.withResolvers(),
  };
  current = mine;
  const listener = (heard: EventObject[]) =>
    fromCallback(({ receive }) => receive((event) => void heard.push(event)));
  const tree = setup({
    actors: { run: runUnderTest, keeper: listener(reports), gateway: listener(lines) },
  }).createMachine({
    invoke: [
      { src: 'gateway', systemId: 'gateway' },
      { src: 'keeper', systemId: 'runs' },
      { src: 'run', systemId: 'run', input: { run: given, now: () => clock.now() - wrong } },
    ],
  });
  const root = createActor(tree, { clock, ...(inspect && { inspect }) }).start();
  // Registered above under this name.
  const run: ActorRefFrom<typeof codexRun> = root.system.get('run');
  return {
    clock,
    setBack: (milliseconds) => void (wrong += milliseconds),
    send: (event) => run.send(event),
    snapshot: () => run.getSnapshot(),
    state: () => {
      const { value } = run.getSnapshot();
      return dotted(value).replace(/^running\.work\.(\w+) signs\.\w+$/, 'running.$1');
    },
    reports,
    lines,
    signals: mine.signals,
    commands: mine.commands,
    hasProcess: () => 'process' in run.getSnapshot().children,
    preparations: mine.preparations,
    prepared: async (plan) => {
      mine.answer.resolve(plan);
      await settled();
    },
    held: async (holder) => {
      mine.holder.resolve(holder);
      await settled();
    },
    unprepared: async (error) => {
      mine.answer.reject(error);
      await settled();
    },
    codex: (...events) => {
      for (const event of events) run.send(event);
    },
    outcome: () => run.getSnapshot().output,
    stop: () => void root.stop(),
  };
}

function dotted(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([name, inner]) => `${name}.${dotted(inner)}`)
    .join(' ');
}

/** A promise actor answers a few microtasks after its promise. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
