/** The writer under a simulated clock, between senders that listen and a committer that does as it is told. */
import {
  createActor,
  fromCallback,
  setup,
  SimulatedClock,
  type ActorRefFrom,
  type EventObject,
  type InspectionEvent,
  type SnapshotFrom,
} from 'xstate';
import { BridgeError } from '../../src/errors.ts';
import {
  convexWriter,
  type CommitterCommand,
  type CommitterEvent,
} from '../../src/machines/convex-writer.ts';
import type { SystemId, WriteJob, WriteResult } from '../../src/machines/protocol.ts';

export interface Writing {
  clock: SimulatedClock;
  send: ActorRefFrom<typeof convexWriter>['send'];
  snapshot(): SnapshotFrom<typeof convexWriter>;
  /** What the committer was told, oldest first. */
  commands: CommitterCommand[];
  /** Ids of the jobs that were started, oldest first; a retry names its job again. */
  started(): string[];
  /** What the other actors were told, oldest first. */
  told: { to: SystemId; event: EventObject }[];
  /** The committer speaks. */
  report(event: CommitterEvent): void;
  /** Convex is there and nothing was left behind. */
  goOnline(): void;
  submit(job: WriteJob, from?: SystemId): void;
  /** The newest attempt at this job ends well. */
  done(jobId: string, result?: Partial<WriteResult>): void;
  fail(jobId: string, error?: BridgeError): void;
  stop(): void;
}

/** The one that `startWriting` started last. */
let current: { commands: CommitterCommand[]; report: Writing['report'] };

/** One and the same machine for every start, so that its transitions can be counted. */
export const writerUnderTest = convexWriter.provide({
  actors: {
    committer: fromCallback<CommitterCommand>(({ sendBack, receive }) => {
      const { commands } = current;
      current.report = sendBack;
      receive((command) => void commands.push(command));
    }),
  },
});

export function startWriting(inspect?: (event: InspectionEvent) => void): Writing {
  const clock = new SimulatedClock();
  const commands: CommitterCommand[] = [];
  const told: Writing['told'] = [];
  const committer = { commands, report: (_event: CommitterEvent): void => {} };
  current = committer;
  const listener = (to: SystemId) =>
    fromCallback(({ receive }) => receive((event) => void told.push({ to, event })));
  const tree = setup({
    actors: {
      convex: listener('convex'),
      runs: listener('runs'),
      sessions: listener('sessions'),
      writer: writerUnderTest,
    },
  }).createMachine({
    invoke: [
      { src: 'convex', id: 'convex', systemId: 'convex' },
      { src: 'runs', id: 'runs', systemId: 'runs' },
      { src: 'sessions', id: 'sessions', systemId: 'sessions' },
      // Half of every backoff: long enough to be seen, always the same.
      { src: 'writer', id: 'writer', systemId: 'writer', input: { random: () => 0.5 } },
    ],
  });
  const root = createActor(tree, { clock, ...(inspect ? { inspect } : {}) }).start();
  const ref = root.getSnapshot().children['writer'];
  if (ref === undefined) throw new Error('the writer did not start');
  // The tree above invokes this very machine under this id.
  const actor = ref as ActorRefFrom<typeof convexWriter>;
  const attemptOf = (jobId: string): number => {
    const attempt = actor.getSnapshot().context.inFlight[jobId]?.attempt;
    if (attempt === undefined) throw new Error(`${jobId} is not in flight`);
    return attempt;
  };
  return {
    clock,
    commands,
    told,
    send: (event) => actor.send(event),
    snapshot: () => actor.getSnapshot(),
    started: () => commands.flatMap((it) => (it.type === 'commit.start' ? [it.job.id] : [])),
    report: (event) => committer.report(event),
    goOnline: () => {
      actor.send({ type: 'convex.online' });
      committer.report({ type: 'recall.done', runs: [] });
    },
    submit: (job, from = 'sessions') => actor.send({ type: 'write.submit', job, from }),
    done: (jobId, result) =>
      committer.report({
        type: 'commit.done',
        jobId,
        attempt: attemptOf(jobId),
        result: { ...written, ...result },
      }),
    fail: (jobId, error = new BridgeError('convex_unavailable', 'gone')) =>
      committer.report({ type: 'commit.failed', jobId, attempt: attemptOf(jobId), error }),
    stop: () => root.stop(),
  };
}

export const written: WriteResult = {
  threadDocId: 'doc',
  threadId: 'thread',
  inserted: 1,
  known: 0,
  claimed: 0,
  rejected: [],
};

export function writeJob(id: string, fields: Partial<WriteJob> = {}): WriteJob {
  return {
    id,
    origin: 'file',
    priority: 'live',
    thread: { resumeId: id, source: 'external' },
    items: [],
    bytes: 100,
    ...fields,
  };
}

/** A job of one session file. */
export function fileJob(id: string, resumeId: string, fields: Partial<WriteJob> = {}): WriteJob {
  return writeJob(id, { thread: { resumeId, source: 'external' }, ...fields });
}
