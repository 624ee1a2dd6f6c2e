import { beforeEach, expect, test } from 'vitest';
import {
  createActor,
  fromCallback,
  fromPromise,
  setup,
  SimulatedClock,
  type AnyEventObject,
} from 'xstate';
import { broadcast, type BackfillFrame } from '../../src/control/frames.ts';
import type { ControlRequest } from '../../src/control/requests.ts';
import { BridgeError } from '../../src/errors.ts';
import type { ImportProgress } from '../../src/machines/backfill-events.ts';
import { backfillFrameOf, type Job } from '../../src/machines/backfill-status.ts';
import { backfill } from '../../src/machines/backfill.ts';
import { SYSTEM, type GatewayCommand } from '../../src/machines/protocol.ts';

type Backfill = ReturnType<typeof createActor<typeof backfill>>;

let clock: SimulatedClock;
let toSessions: AnyEventObject[];
let toGateway: GatewayCommand[];
let opening: PromiseWithResolvers<Job>;
let forgetting: PromiseWithResolvers<void>;
let forgotten: number;

beforeEach(() => {
  clock = new SimulatedClock();
  [toSessions, toGateway] = [[], []];
  opening = Promise.withResolvers();
  forgetting = Promise.withResolvers();
  forgotten = 0;
});

const logic = backfill.provide({
  actors: {
    openJob: fromPromise<Job, Job>(() => opening.promise),
    forgetJob: fromPromise<void>(() => {
      forgotten += 1;
      return forgetting.promise;
    }),
  },
});

function start(job: Job | null = null): Backfill {
  const note = (list: AnyEventObject[]) =>
    fromCallback(({ receive }) => receive((event) => list.push(event)));
  let jobs = 0;
  const tree = setup({
    actors: { backfill: logic, gateway: note(toGateway), sessions: note(toSessions) },
  }).createMachine({
    invoke: [
      { src: 'gateway', systemId: SYSTEM.gateway },
      { src: 'sessions', systemId: SYSTEM.sessions },
      {
        src: 'backfill',
        id: 'backfill',
        systemId: SYSTEM.backfill,
        input: { job, createId: () => `j${(jobs += 1)}`, now: () => clock.now() },
      },
    ],
  });
  return createActor(tree, { clock }).start().system.get(SYSTEM.backfill) as Backfill;
}

const ask = (actor: Backfill, request: ControlRequest, requestId = 'r1') =>
  actor.send({ type: 'control.request', requestId, clientId: 'client-1', request });
const progress = (done: number, total = 4, more: Partial<ImportProgress> = {}): ImportProgress => ({
  files: { total, done, failed: 0 },
  bytes: { total: total * 1_000, done: done * 1_000 },
  messages: { inserted: done, known: 0 },
  failures: [],
  ...more,
});
const counted = (actor: Backfill, jobId: string | null, now: ImportProgress) =>
  actor.send({ type: 'import.counted', jobId, progress: now });
const frame = (actor: Backfill) => backfillFrameOf(actor.getSnapshot().context);
const broadcasts = (): BackfillFrame[] =>
  toGateway.flatMap((command) =>
    command.type === 'broadcast' && command.frame.type === 'bridge.convex_backfill'
      ? [command.frame]
      : [],
  );
const shown = () => broadcasts().map(({ jobId, state }) => `${jobId} ${state}`);
const replies = () => toGateway.filter(({ type }) => type.startsWith('control.'));

async function begun(selection: { limit?: number; since?: number; path?: string } = {}) {
  const actor = start();
  ask(actor, { control: 'convex.backfill', ...selection });
  opening.resolve(actor.getSnapshot().context.job as Job);
  await expect.poll(() => actor.getSnapshot().value).toEqual({ scanning: 'selecting' });
  return actor;
}

test('a request is answered when its job is written down, and then handed to the watcher', async () => {
  const actor = start();
  ask(actor, { control: 'convex.backfill', limit: 5, since: 7, path: '/link/../x' });
  expect(toGateway).toEqual([]);
  const job = actor.getSnapshot().context.job as Job;
  opening.resolve({ ...job, selection: { ...job.selection, path: '/x' } });
  await expect.poll(() => replies().length).toBe(1);
  const selection = { limit: 5, since: 7, path: '/x' };
  expect(replies()[0]).toMatchObject({
    type: 'control.reply',
    requestId: 'r1',
    frame: { jobId: 'j1', kind: 'request', state: 'scanning', selection },
  });
  expect(toSessions).toEqual([{ type: 'import.begin', job: { id: 'j1', selection } }]);
  counted(actor, 'j1', progress(1));
  counted(actor, 'j1', progress(4));
  expect(shown()).toEqual(['j1 scanning', 'j1 importing', 'j1 done']);
  expect(toSessions.at(-1)).toEqual({ type: 'import.end', jobId: 'j1' });
  expect(forgotten).toBe(1);
  expect(frame(actor).files).toEqual({ total: 4, done: 4, failed: 0 });
});

test.each([
  ['path_missing', 'not_found'],
  ['path_refused', 'invalid_request'],
  ['internal', 'internal'],
] as const)('a job that cannot be opened for %s is refused with %s', async (code, refusal) => {
  const actor = start();
  ask(actor, { control: 'convex.backfill', path: '/nowhere' });
  opening.reject(new BridgeError(code, '/nowhere'));
  await expect.poll(() => actor.getSnapshot().value).toBe('failed');
  expect(replies()).toMatchObject([
    { type: 'control.failed', error: { code: refusal, message: expect.stringContaining('/now') } },
  ]);
  expect(toSessions).not.toContainEqual(expect.objectContaining({ type: 'import.begin' }));
});

test('a second request is a conflict that names the first, and disturbs nothing', async () => {
  const actor = await begun();
  counted(actor, 'j1', progress(1));
  ask(actor, { control: 'convex.backfill' }, 'r2');
  expect(replies().at(-1)).toMatchObject({
    requestId: 'r2',
    error: { code: 'conflict', jobId: 'j1' },
  });
  expect(frame(actor)).toMatchObject({ jobId: 'j1', state: 'importing' });
});

test('who cancels is answered when no restart can bring the job back', async () => {
  const actor = await begun();
  counted(actor, 'j1', progress(1));
  ask(actor, { control: 'convex.backfill_cancel', jobId: 'another' }, 'r2');
  expect(replies().at(-1)).toMatchObject({ requestId: 'r2', error: { code: 'not_found' } });
  ask(actor, { control: 'convex.backfill_cancel', jobId: 'j1' }, 'r3');
  expect(toSessions.at(-1)).toEqual({ type: 'import.end', jobId: 'j1' });
  expect(replies()).toHaveLength(2);
  forgetting.resolve();
  await expect.poll(() => replies().length).toBe(3);
  expect(replies().at(-1)).toMatchObject({
    type: 'control.reply',
    requestId: 'r3',
    frame: { jobId: 'j1', state: 'cancelled', files: { done: 1 } },
  });
  counted(actor, 'j1', progress(2));
  expect(frame(actor)).toMatchObject({ state: 'cancelled', files: { done: 1 } });
  expect(actor.getSnapshot().children).toEqual({});
});

test('a cancelled job that cannot be forgotten is cancelled all the same, and the client is told', async () => {
  const actor = await begun();
  ask(actor, { control: 'convex.backfill_cancel', jobId: 'j1' }, 'r2');
  forgetting.reject(new Error('disk full'));
  await expect
    .poll(() => replies().at(-1))
    .toMatchObject({
      type: 'control.failed',
      error: { code: 'internal', message: expect.stringContaining('disk full') },
    });
  expect(actor.getSnapshot().value).toBe('cancelled');
});

test('it waits out what keeps the watcher from reading, and goes on', async () => {
  const actor = await begun();
  counted(actor, 'j1', progress(1));
  actor.send({ type: 'import.waits', reason: 'Convex is away' });
  expect(frame(actor)).toMatchObject({ state: 'paused', lastError: 'Convex is away' });
  actor.send({ type: 'import.waits', reason: 'still' });
  expect(frame(actor).lastError).toBe('still');
  actor.send({ type: 'import.scanning' });
  expect(frame(actor).state).toBe('scanning');
  counted(actor, 'j1', progress(2));
  expect(frame(actor)).toMatchObject({ state: 'importing', lastError: null, files: { done: 2 } });
});

test('a watcher that was restarted is told the job again', async () => {
  const actor = await begun();
  counted(actor, 'j1', progress(1));
  actor.send({ type: 'sessions.started' });
  expect(toSessions.filter(({ type }) => type === 'import.begin')).toHaveLength(2);
  expect(actor.getSnapshot().value).toEqual({ scanning: 'selecting' });
});

test('the job of an earlier life goes on under its id, with nobody to answer', () => {
  const job: Job = { id: 'old', kind: 'request', selection: { since: 1 }, startedAt: 5 };
  const actor = start(job);
  expect(toSessions).toEqual([
    { type: 'import.begin', job: { id: 'old', selection: { since: 1 } } },
  ]);
  counted(actor, 'old', progress(4));
  expect(shown()).toEqual(['old scanning', 'old done']);
  expect(replies()).toEqual([]);
});

test('files that cannot be had at all end the job as failed', async () => {
  const actor = await begun({ path: '/x' });
  const error = new BridgeError('path_missing', '/x');
  actor.send({ type: 'import.refused', jobId: 'other', error });
  actor.send({ type: 'import.refused', jobId: 'j1', error });
  expect(frame(actor)).toMatchObject({ state: 'failed', lastError: error.message });
});

test('files that fail are counted, and do not keep the job from its end', async () => {
  const actor = await begun();
  const failures = [{ path: '/x', reason: 'EACCES' }];
  counted(actor, 'j1', progress(3, 4, { files: { total: 4, done: 3, failed: 1 }, failures }));
  expect(frame(actor)).toMatchObject({ state: 'done', files: { failed: 1 }, failures });
});

test('what the watcher finds at its start is a job too, which needs no memory', () => {
  const actor = start();
  counted(actor, null, progress(0, 0));
  expect(frame(actor)).toMatchObject({ jobId: null, state: 'idle' });
  counted(actor, null, progress(0));
  expect(frame(actor)).toMatchObject({ jobId: 'j1', kind: 'startup', state: 'importing' });
  counted(actor, null, progress(4));
  expect(shown()).toEqual(['j1 importing', 'j1 done']);
  expect([toSessions, forgotten]).toEqual([[], 0]);
});

test('the job of the start steps back for a request, and goes on after it', async () => {
  const actor = start();
  counted(actor, null, progress(1));
  ask(actor, { control: 'convex.backfill', limit: 1 });
  counted(actor, null, progress(2));
  opening.resolve(actor.getSnapshot().context.job as Job);
  await expect.poll(() => actor.getSnapshot().value).toEqual({ scanning: 'selecting' });
  counted(actor, null, progress(3));
  counted(actor, 'j2', progress(1, 1));
  expect(shown()).toEqual(['j1 importing', 'j1 paused', 'j2 scanning', 'j2 done', 'j1 scanning']);
  expect(frame(actor)).toMatchObject({ jobId: 'j1', files: { done: 3 } });
  counted(actor, null, progress(4));
  expect(shown().at(-1)).toBe('j1 done');
});

test('the job of the start is cancelled by its id, as the present one or while it waits', async () => {
  const actor = start();
  counted(actor, null, progress(1));
  ask(actor, { control: 'convex.backfill' });
  ask(actor, { control: 'convex.backfill_cancel', jobId: 'j1' }, 'r2');
  expect(replies()).toMatchObject([
    { requestId: 'r2', frame: { jobId: 'j1', state: 'cancelled', files: { done: 1 } } },
  ]);
  expect(toSessions).toEqual([{ type: 'import.leave' }]);
  opening.reject(new Error('no'));
  await expect.poll(() => actor.getSnapshot().value).toBe('failed');
  counted(actor, null, progress(1));
  toSessions.length = 0;
  ask(actor, { control: 'convex.backfill_cancel', jobId: 'j3' }, 'r3');
  expect(toSessions).toEqual([{ type: 'import.leave' }]);
  expect(actor.getSnapshot().value).toBe('cancelled');
});

test('progress is broadcast at most four times a second, and a change of the state at once', async () => {
  const actor = await begun();
  counted(actor, 'j1', progress(0, 100));
  toGateway.length = 0;
  for (let at = 0; at < 2_000; at += 10) {
    counted(actor, 'j1', progress(at / 100, 100));
    clock.increment(10);
  }
  expect(broadcasts().length).toBeGreaterThanOrEqual(7);
  expect(broadcasts().length).toBeLessThanOrEqual(8);
  const before = broadcasts().length;
  actor.send({ type: 'import.waits', reason: 'x' });
  expect(broadcasts()).toHaveLength(before + 1);
  clock.increment(10_000);
  expect(broadcasts()).toHaveLength(before + 1);
  expect(actor.getSnapshot().context.announcement).toBe('none');
});

test('its rate is that of the last seconds, and tells the time that is left', async () => {
  const actor = await begun();
  counted(actor, 'j1', progress(0, 100));
  for (let second = 1; second <= 30; second += 1) {
    clock.increment(1_000);
    counted(actor, 'j1', progress(second < 15 ? second : 15 + (second - 15) * 2, 100));
  }
  expect(frame(actor)).toMatchObject({ bytesPerSecond: 2_000, etaMs: 27_500 });
  actor.send({ type: 'import.waits', reason: 'x' });
  expect(frame(actor)).toMatchObject({ bytesPerSecond: null, etaMs: null });
});

test('its status is answered in every state, and fits the protocol', async () => {
  const actor = start();
  const check = () => {
    ask(actor, { control: 'convex.backfill_status' }, 'status');
    const reply = replies().at(-1);
    expect(reply).toMatchObject({ type: 'control.reply', requestId: 'status' });
    expect(broadcast.safeParse(frame(actor)).success).toBe(true);
  };
  check();
  ask(actor, { control: 'convex.backfill' });
  check();
  opening.resolve(actor.getSnapshot().context.job as Job);
  await expect.poll(() => actor.getSnapshot().value).toEqual({ scanning: 'selecting' });
  check();
  counted(actor, 'j1', progress(1));
  check();
  counted(actor, 'j1', progress(4));
  check();
});
