import { beforeEach, expect, test } from 'vitest';
import {
  createActor,
  fromCallback,
  fromPromise,
  setup,
  SimulatedClock,
  type AnyEventObject,
  type CallbackActorRef,
} from 'xstate';
import { broadcast, type WatchStatusFrame } from '../../src/control/frames.ts';
import { BridgeError } from '../../src/errors.ts';
import type { ImportEvent, ImportJob, ImportProgress } from '../../src/machines/backfill-events.ts';
import {
  SYSTEM,
  type ControlRequestEvent,
  type GatewayCommand,
} from '../../src/machines/protocol.ts';
import type {
  DiscoveryCommand,
  DiscoveryEvent,
  DiscoveryInput,
  FileCounts,
  SetAsideLine,
  ReaderCommand,
  ReaderEvent,
} from '../../src/machines/sessions-events.ts';
import { watchStatus } from '../../src/machines/sessions-status.ts';
import { sessionsWatch } from '../../src/machines/sessions-watch.ts';
import { tail } from '../../src/machines/tail.ts';

type Reader = CallbackActorRef<ReaderCommand, { path: string; tailId: string }>;
type Sessions = ReturnType<typeof createActor<typeof sessionsWatch>>;

const COUNTS: FileCounts = {
  known: 3,
  behind: 0,
  tailing: 0,
  reading: 0,
  quarantined: 0,
  bytesRead: 0,
  bytesPending: 0,
  rejected: 0,
  lastEventAt: null,
  degraded: null,
};
const PATH = '/s/2026/a.jsonl';
const SET_ASIDE: SetAsideLine[] = [
  {
    path: PATH,
    offset: 7,
    length: 9,
    sha256: 'a'.repeat(64),
    reason: 'not JSON',
    parserVersion: 1,
  },
];

const JOB: ImportJob = { id: 'j1', selection: { limit: 5 } };
const PROGRESS: ImportProgress = {
  files: { total: 1, done: 0, failed: 0 },
  bytes: { total: 9, done: 0 },
  messages: { inserted: 0, known: 0 },
  failures: [],
};

let clock: SimulatedClock;
let toDiscovery: DiscoveryCommand[];
let toGateway: GatewayCommand[];
let toConvex: AnyEventObject[];
let toBackfill: ImportEvent[];
let discoveryInput: DiscoveryInput;
let saved: boolean[];
let savingFails: boolean;
let readers: Map<string, { commands: ReaderCommand[]; answer: (event: ReaderEvent) => void }>;
let discovered: (event: DiscoveryEvent) => void;

beforeEach(() => {
  clock = new SimulatedClock();
  [toDiscovery, toGateway, toConvex, toBackfill, saved] = [[], [], [], [], []];
  savingFails = false;
  readers = new Map();
});

const sessions = sessionsWatch.provide({
  actors: {
    discovery: fromCallback<DiscoveryCommand, DiscoveryInput>(({ input, sendBack, receive }) => {
      discoveryInput = input;
      discovered = sendBack;
      receive((command) => toDiscovery.push(command));
    }),
    saveChoice: fromPromise<void, { enabled: boolean }>(async ({ input }) => {
      if (savingFails) throw new Error('disk full');
      saved.push(input.enabled);
    }),
    tail: tail.provide({
      actors: {
        reader: fromCallback<ReaderCommand, { path: string; tailId: string }>(
          ({ input, sendBack, receive }) => {
            const commands: ReaderCommand[] = [];
            readers.set(input.path, { commands, answer: sendBack });
            receive((command) => {
              commands.push(command);
              if (command.type === 'batch.rejected') throw new Error('a mistake of ours');
            });
          },
        ),
      },
    }),
  },
});

function start(enabled = true): Sessions {
  const note = (list: AnyEventObject[]) =>
    fromCallback(({ receive }) => receive((event) => list.push(event)));
  const tree = setup({
    actors: {
      sessions,
      gateway: note(toGateway),
      convex: note(toConvex),
      backfill: note(toBackfill),
      writer: note([]),
    },
  }).createMachine({
    invoke: [
      { src: 'gateway', systemId: SYSTEM.gateway },
      { src: 'convex', systemId: SYSTEM.convex },
      { src: 'backfill', systemId: SYSTEM.backfill },
      { src: 'writer', systemId: SYSTEM.writer },
      {
        src: 'sessions',
        id: 'sessions',
        systemId: SYSTEM.sessions,
        input: { root: '/s', enabled, now: () => clock.now(), setAside: () => SET_ASIDE },
      },
    ],
  });
  return createActor(tree, { clock }).start().system.get(SYSTEM.sessions) as Sessions;
}

function watching(): Sessions {
  const actor = start();
  actor.send({ type: 'convex.online' });
  discovered({ type: 'files.counted', counts: COUNTS });
  discovered({ type: 'scan.done' });
  return actor;
}

const state = (actor: Sessions) => actor.getSnapshot().context.state;
const status = (actor: Sessions) => watchStatus(actor.getSnapshot().context);
const count = (counts: Partial<FileCounts>) =>
  discovered({ type: 'files.counted', counts: { ...COUNTS, ...counts } });
const ask = (enabled?: boolean): ControlRequestEvent => ({
  type: 'control.request',
  requestId: 'r1',
  clientId: 'client-1',
  request:
    enabled === undefined
      ? { control: 'sessions.watch_status' }
      : { control: 'sessions.watch', enabled },
});
const broadcasts = (): WatchStatusFrame[] =>
  toGateway.flatMap((command) =>
    command.type === 'broadcast' && command.frame.type === 'bridge.sessions_watch_status'
      ? [command.frame]
      : [],
  );

test('who asks is also shown what was set aside; broadcasts leave it out', () => {
  const actor = start();
  actor.send(ask());
  expect(toGateway.at(-1)).toMatchObject({ type: 'control.reply', frame: { setAside: SET_ASIDE } });
  expect(broadcasts().every((frame) => !('setAside' in frame))).toBe(true);
  expect(broadcasts().length).toBeGreaterThan(0);
});

test('it asks for the state of Convex, scans when it is there, then watches', () => {
  const actor = start();
  expect(state(actor)).toBe('paused');
  expect(toConvex).toEqual([{ type: 'convex.state?', from: 'sessions' }]);
  actor.send({ type: 'convex.online' });
  expect(state(actor)).toBe('scanning');
  discovered({ type: 'scan.done' });
  expect(state(actor)).toBe('watching.settled');
});

test('the counts decide between settled, dirty and syncing', () => {
  const actor = watching();
  count({ behind: 2 });
  expect(state(actor)).toBe('watching.dirty');
  count({ behind: 2, reading: 1 });
  expect(state(actor)).toBe('watching.syncing');
  count({ behind: 1 });
  expect(state(actor)).toBe('watching.dirty');
  count({});
  expect(state(actor)).toBe('watching.settled');
  count({ reading: 1 });
  count({});
  expect(state(actor)).toBe('watching.settled');
  expect(actor.getSnapshot().value).toEqual({ watching: 'settled' });
});

test('a file that is due gets a tail, which is woken the next time and dropped when it ends', () => {
  const actor = watching();
  discovered({ type: 'file.due', path: PATH, live: true });
  const children = () => Object.keys(actor.getSnapshot().children);
  expect(children()).toEqual(['discovery', 'tail:/2026/a.jsonl']);
  readers.get(PATH)?.answer({ type: 'file.caughtUp' });
  expect(toDiscovery).toEqual([{ type: 'tail.caughtUp', path: PATH }]);
  discovered({ type: 'file.due', path: PATH, live: true });
  expect(readers.get(PATH)?.commands).toHaveLength(2);
  readers.get(PATH)?.answer({ type: 'file.gone' });
  expect(children()).toEqual(['discovery']);
  expect(toDiscovery[1]).toEqual({ type: 'tail.ended', path: PATH, reason: 'deleted' });

  discovered({ type: 'file.due', path: PATH, live: true });
  readers.get(PATH)?.answer({ type: 'file.caughtUp' });
  discovered({ type: 'file.retired', path: PATH });
  expect(toDiscovery.at(-1)).toEqual({ type: 'tail.ended', path: PATH, reason: 'quiet' });
  discovered({ type: 'file.retired', path: PATH });
});

test('the answers of the writer reach the tail whose job it was, and are counted', () => {
  const actor = watching();
  discovered({ type: 'file.due', path: PATH, live: true });
  const thread = { source: 'external' as const };
  const job = { id: 'tail:/2026/a.jsonl#7', origin: 'file' as const, priority: 'live' as const };
  readers.get(PATH)?.answer({ type: 'batch.ready', job: { ...job, thread, items: [], bytes: 0 } });
  actor.send({ type: 'writer.started' });
  expect(readers.get(PATH)?.commands).toHaveLength(2);
  const result = {
    threadDocId: 'd',
    threadId: 't',
    inserted: 2,
    known: 3,
    claimed: 1,
    rejected: [],
  };
  actor.send({ type: 'write.done', jobId: job.id, result });
  expect(readers.get(PATH)?.commands.at(-2)).toEqual({
    type: 'batch.committed',
    result: { rejected: [] },
  });
  expect(status(actor).items).toEqual({ inserted: 3, known: 3, rejected: 0 });
  // Of a tail that is gone by now.
  actor.send({ type: 'write.done', jobId: 'tail:/other#1', result });
  expect(status(actor).items.inserted).toBe(6);
});

test('one file that fails is told, and does not stop the others', () => {
  const actor = watching();
  discovered({ type: 'file.due', path: PATH, live: true });
  readers.get(PATH)?.answer({
    type: 'file.failed',
    error: new BridgeError('session_unreadable', 'EACCES'),
  });
  expect(toDiscovery).toMatchObject([{ type: 'tail.failed', path: PATH }]);
  expect(status(actor).lastError).toContain('EACCES');
  clock.increment(1_000);
  expect(toDiscovery[1]).toEqual({ type: 'tail.recovered', path: PATH });
  expect(actor.getSnapshot().status).toBe('active');
});

test('a tail that crashes is dropped, counted and told', () => {
  const actor = watching();
  discovered({ type: 'file.due', path: PATH, live: true });
  const child = actor.getSnapshot().children['tail:/2026/a.jsonl' as never] as Reader | undefined;
  expect(child).toBeDefined();
  const error = new Error('a mistake of ours');
  actor.send({
    type: 'xstate.error.actor.tail:/2026/a.jsonl',
    actorId: 'tail:/2026/a.jsonl',
    error,
  });
  expect(Object.keys(actor.getSnapshot().children)).toEqual(['discovery']);
  expect(toDiscovery).toEqual([{ type: 'tail.ended', path: PATH, reason: 'crashed' }]);
  expect(status(actor)).toMatchObject({
    restarts: 1,
    lastError: expect.stringContaining('mistake'),
  });
});

test.each(['scanning', 'watching'] as const)(
  'Convex going away while %s stops all reading',
  (from) => {
    const actor = from === 'watching' ? watching() : start();
    if (from === 'scanning') actor.send({ type: 'convex.online' });
    else discovered({ type: 'file.due', path: PATH, live: true });
    actor.send({ type: 'convex.offline', reason: 'gone' });
    expect(state(actor)).toBe('paused');
    expect(actor.getSnapshot().children).toEqual({});
    actor.send({ type: 'convex.online' });
    expect(state(actor)).toBe('scanning');
  },
);

test.each(['scanning', 'watching'] as const)(
  'a root that cannot be read while %s fails, and is tried again after 5 s',
  (from) => {
    const actor = from === 'watching' ? watching() : start();
    if (from === 'scanning') actor.send({ type: 'convex.online' });
    discovered({ type: 'scan.failed', error: new BridgeError('session_unreadable', 'EACCES /s') });
    expect(state(actor)).toBe('failed');
    expect(status(actor)).toMatchObject({ lastError: expect.stringContaining('/s'), restarts: 1 });
    expect(actor.getSnapshot().children).toEqual({});
    clock.increment(4_999);
    expect(state(actor)).toBe('failed');
    clock.increment(1);
    expect(state(actor)).toBe('paused');
    actor.send({ type: 'convex.online' });
    discovered({ type: 'scan.done' });
    expect(status(actor).lastError).toBeNull();
  },
);

test('it is turned off and on by request, the choice is kept, and then answered', async () => {
  const actor = watching();
  discovered({ type: 'file.due', path: PATH, live: true });
  actor.send(ask(false));
  expect(state(actor)).toBe('disabled');
  expect(Object.keys(actor.getSnapshot().children)).toEqual(['saving:r1']);
  await expect
    .poll(() => toGateway.at(-1))
    .toMatchObject({
      type: 'control.reply',
      requestId: 'r1',
      frame: { enabled: false, state: 'disabled' },
    });
  expect(actor.getSnapshot().children).toEqual({});
  actor.send(ask(true));
  expect(state(actor)).toBe('paused');
  await expect.poll(() => saved).toEqual([false, true]);
});

test('a choice that cannot be kept counts all the same, and the client is told', async () => {
  savingFails = true;
  const actor = watching();
  actor.send(ask(false));
  await expect
    .poll(() => toGateway.at(-1))
    .toMatchObject({
      type: 'control.failed',
      requestId: 'r1',
      error: { code: 'internal', message: expect.stringContaining('disk full') },
    });
  expect(state(actor)).toBe('disabled');
});

test('its status is answered in every state, and fits the protocol', () => {
  for (const actor of [start(), start(false), watching()]) {
    toGateway.length = 0;
    actor.send(ask());
    const reply = toGateway.at(-1);
    expect(reply).toMatchObject({ type: 'control.reply', requestId: 'r1' });
    expect(broadcast.safeParse(status(actor)).success).toBe(true);
  }
});

test('changes of state are broadcast at once, but at most once a second, and the last one always', () => {
  const actor = watching();
  expect(broadcasts().map((frame) => frame.state)).toEqual(['paused']);
  clock.increment(1_000);
  expect(broadcasts().map((frame) => frame.state)).toEqual(['paused', 'watching.settled']);
  clock.increment(1_000);
  count({ reading: 1 });
  count({});
  count({ reading: 1 });
  expect(broadcasts().map((frame) => frame.state)).toEqual([
    'paused',
    'watching.settled',
    'watching.syncing',
  ]);
  count({});
  clock.increment(1_000);
  expect(broadcasts().at(-1)?.state).toBe('watching.settled');
  clock.increment(10_000);
  expect(broadcasts()).toHaveLength(4);
  expect(actor.getSnapshot().context.announcement).toBe('none');
});

test('a backfill is read for while watching goes on, and is told how far it is', () => {
  const actor = watching();
  actor.send({ type: 'import.begin', job: JOB });
  actor.send({ type: 'import.leave' });
  expect(toDiscovery).toEqual([{ type: 'import.begin', job: JOB }, { type: 'import.leave' }]);
  const counted = { type: 'import.counted', jobId: JOB.id, progress: PROGRESS } as const;
  discovered(counted);
  const error = new BridgeError('path_missing', '/x');
  discovered({ type: 'import.refused', jobId: JOB.id, error });
  expect(toBackfill.slice(-2)).toEqual([counted, { type: 'import.refused', jobId: JOB.id, error }]);
  actor.send({ type: 'import.end', jobId: 'another' });
  actor.send({ type: 'import.end', jobId: JOB.id });
  expect(toDiscovery.slice(2)).toEqual([{ type: 'import.end', jobId: JOB.id }]);
  expect(state(actor)).toBe('watching.settled');
});

test('what Convex takes of a file is told to discovery, by the file', () => {
  const actor = watching();
  const result = {
    threadDocId: 'd',
    threadId: 't',
    inserted: 2,
    known: 3,
    claimed: 1,
    rejected: [],
  };
  actor.send({ type: 'write.done', jobId: 'tail@/elsewhere/r.jsonl#4', result });
  expect(toDiscovery).toEqual([
    { type: 'tail.wrote', path: '/elsewhere/r.jsonl', inserted: 3, known: 3 },
  ]);
});

test('a file that nobody wants any more is dropped while it is read', () => {
  const actor = watching();
  discovered({ type: 'file.due', path: '/elsewhere/r.jsonl', live: false });
  expect(Object.keys(actor.getSnapshot().children)).toContain('tail@/elsewhere/r.jsonl');
  discovered({ type: 'file.dropped', path: '/elsewhere/r.jsonl' });
  expect(Object.keys(actor.getSnapshot().children)).toEqual(['discovery']);
  expect(toDiscovery).toEqual([
    { type: 'tail.ended', path: '/elsewhere/r.jsonl', reason: 'quiet' },
  ]);
  discovered({ type: 'file.dropped', path: '/elsewhere/r.jsonl' });
  expect(toDiscovery).toHaveLength(1);
});

test('turned off, it reads for a backfill alone, and is off again when that has ended', () => {
  const actor = start(false);
  actor.send({ type: 'import.begin', job: JOB });
  actor.send({ type: 'convex.online' });
  expect(discoveryInput).toEqual({ root: '/s', follows: false, job: JOB, leavesFound: false });
  discovered({ type: 'scan.done' });
  expect(status(actor)).toMatchObject({ enabled: false, state: 'backfilling' });
  actor.send({ type: 'import.end', jobId: JOB.id });
  expect(state(actor)).toBe('disabled');
  expect(actor.getSnapshot().children).toEqual({});
});

test('turned off or on during a backfill it scans anew, and the backfill stays', () => {
  const actor = watching();
  actor.send({ type: 'import.begin', job: JOB });
  for (const enabled of [false, true]) {
    actor.send(ask(enabled));
    actor.send({ type: 'convex.online' });
    expect(discoveryInput).toMatchObject({ follows: enabled, job: JOB });
    discovered({ type: 'scan.done' });
    expect(state(actor)).toBe(enabled ? 'watching.settled' : 'backfilling');
  }
});

test('a backfill that was cancelled at the start stays so over an outage of Convex', () => {
  const actor = watching();
  actor.send({ type: 'import.leave' });
  actor.send({ type: 'convex.offline', reason: 'gone' });
  actor.send({ type: 'convex.online' });
  expect(discoveryInput.leavesFound).toBe(true);
});

test('the backfill hears when nothing is read, and why', () => {
  const actor = start(false);
  actor.send(ask(true));
  actor.send({ type: 'convex.online' });
  discovered({ type: 'scan.failed', error: new BridgeError('session_unreadable', 'EACCES /s') });
  actor.send({ type: 'import.begin', job: JOB });
  actor.send({ type: 'import.end', jobId: JOB.id });
  const failed = { type: 'import.waits', reason: 'The session file cannot be read: EACCES /s' };
  expect(toBackfill).toEqual([
    { type: 'sessions.started' },
    { type: 'import.waits', reason: 'watching is turned off' },
    { type: 'import.waits', reason: 'Convex is away' },
    { type: 'import.scanning' },
    failed,
    failed,
    failed,
  ]);
});

test.each(['paused', 'disabled', 'scanning', 'watching', 'failed'])(
  'shutdown from %s is an end at once',
  (from) => {
    const actor = from === 'watching' ? watching() : start(from !== 'disabled');
    if (from === 'scanning' || from === 'failed') actor.send({ type: 'convex.online' });
    if (from === 'failed') {
      discovered({ type: 'scan.failed', error: new BridgeError('session_unreadable', '') });
    }
    actor.send({ type: 'shutdown' });
    expect(actor.getSnapshot()).toMatchObject({ status: 'done', value: 'stopped' });
  },
);
