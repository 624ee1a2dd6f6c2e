import { beforeEach, expect, test } from 'vitest';
import { createActor, fromCallback, setup, SimulatedClock, type AnyEventObject } from 'xstate';
import { BridgeError } from '../../src/errors.ts';
import { SYSTEM, type WriteJob } from '../../src/machines/protocol.ts';
import type { ReaderCommand, ReaderEvent } from '../../src/machines/sessions-events.ts';
import { tail, type TailInput } from '../../src/machines/tail.ts';
import { transitionCoverage, walksOf } from '../support/walk-paths.ts';

const unreadable = new BridgeError('session_unreadable', 'EACCES');
const refused = new BridgeError('convex_rejected', 'no');
const away = new BridgeError('convex_unavailable', 'gone');
const input: TailInput = { id: 'tail:/a.jsonl', path: '/s/a.jsonl', live: true };

function job(n: number): WriteJob {
  const cursor = {
    path: input.path,
    fingerprint: '',
    device: '1',
    inode: '2',
    offset: n * 100,
    tailHash: '',
    generation: 0,
    quarantine: [],
    parserVersion: 1,
  };
  const thread = { source: 'external' as const };
  return {
    id: `${input.id}#${n}`,
    origin: 'file',
    priority: 'live',
    thread,
    items: [],
    cursor,
    bytes: 1,
  };
}
const done = (n: number) => ({
  type: 'write.done' as const,
  jobId: job(n).id,
  result: { threadDocId: 'd', threadId: 't', inserted: 1, known: 0, claimed: 0, rejected: [] },
});
const failed = (n: number, error: BridgeError) => ({
  type: 'write.failed' as const,
  jobId: job(n).id,
  error,
});

let clock: SimulatedClock;
let asked: ReaderCommand[];
let reported: AnyEventObject[];
let written: AnyEventObject[];
let answer: (event: ReaderEvent) => void;
beforeEach(() => {
  clock = new SimulatedClock();
  asked = [];
  reported = [];
  written = [];
});

const realTail = tail.provide({
  actors: {
    reader: fromCallback<ReaderCommand, { path: string; tailId: string }>(
      ({ receive, sendBack }) => {
        answer = sendBack;
        receive((command) => asked.push(command));
      },
    ),
  },
});

/** A tail beside a watcher and a writer that note what they are told. */
function start(options: Partial<TailInput> = {}) {
  const parent = setup({
    actors: {
      tail: realTail,
      writer: fromCallback(({ receive }) => receive((event) => written.push(event))),
      sessions: fromCallback(({ receive }) => receive((event) => reported.push(event))),
    },
  }).createMachine({
    invoke: [
      { src: 'writer', systemId: SYSTEM.writer },
      { src: 'sessions', systemId: SYSTEM.sessions },
      { src: 'tail', id: 'tail', systemId: 'tail', input: { ...input, ...options } },
    ],
  });
  const actor = createActor(parent, { clock }).start();
  return actor.system.get('tail') as ReturnType<typeof createActor<typeof tail>>;
}

test('it reads at once, gives each batch to the writer, and reads on only after the answer', () => {
  const actor = start();
  expect(asked).toEqual([{ type: 'batch.next', live: true }]);
  answer({ type: 'batch.ready', job: job(1) });
  expect(actor.getSnapshot().value).toEqual({ reading: 'committing' });
  expect(written).toEqual([{ type: 'write.submit', job: job(1), from: 'sessions' }]);
  actor.send(done(2));
  expect(actor.getSnapshot().value).toEqual({ reading: 'committing' });
  actor.send(done(1));
  expect(asked.slice(1)).toEqual([
    { type: 'batch.committed', result: { rejected: [] } },
    { type: 'batch.next', live: true },
  ]);
  expect(actor.getSnapshot().context).toMatchObject({ offset: 100, commits: 1, jobId: null });
});

test('of a cursor that did not move it knows where it stands instead', () => {
  const actor = start();
  const { cursor } = job(2);
  if (cursor === undefined) throw new Error('it has a cursor');
  for (const [stored, offset] of [
    [cursor, 200],
    [null, 0],
  ] as const) {
    answer({ type: 'batch.ready', job: job(1) });
    const reply = done(1);
    actor.send({ ...reply, result: { ...reply.result, stored } });
    expect(asked.at(-2)).toEqual({ type: 'batch.committed', result: { rejected: [], stored } });
    expect(actor.getSnapshot().context.offset).toBe(offset);
  }
});

test('it keeps neither lines nor jobs in its context', () => {
  const actor = start();
  answer({ type: 'batch.ready', job: job(1) });
  const { context } = actor.getSnapshot();
  const kept = Object.values(context).filter((value) => typeof value === 'object');
  expect(kept).toEqual([null]);
  expect(context).toMatchObject({ jobId: job(1).id, nextOffset: 100, lastError: null });
});

test('a writer that has restarted gets the batch again', () => {
  const actor = start();
  answer({ type: 'batch.ready', job: job(1) });
  actor.send({ type: 'writer.started' });
  expect(asked).toHaveLength(2);
  answer({ type: 'batch.ready', job: job(1) });
  expect(written).toHaveLength(2);
});

test('a live file is followed when it is read, and let go after 10 quiet minutes', () => {
  const actor = start();
  answer({ type: 'file.caughtUp' });
  expect(actor.getSnapshot().value).toBe('waiting');
  expect(reported).toEqual([{ type: 'tail.caughtUp', path: input.path }]);
  clock.increment(599_999);
  actor.send({ type: 'tail.read', live: true });
  expect(asked).toHaveLength(2);
  answer({ type: 'file.caughtUp' });
  clock.increment(600_000);
  expect(actor.getSnapshot()).toMatchObject({
    status: 'done',
    output: { path: input.path, reason: 'quiet' },
  });
});

test('a file of history is let go as soon as it is read, unless it changes meanwhile', () => {
  const quiet = start({ live: false });
  answer({ type: 'file.caughtUp' });
  expect(quiet.getSnapshot()).toMatchObject({ status: 'done', output: { reason: 'quiet' } });

  const changing = start({ live: false });
  changing.send({ type: 'tail.read', live: true });
  answer({ type: 'file.caughtUp' });
  expect(changing.getSnapshot().value).toBe('waiting');
});

test('a deleted file ends its tail', () => {
  const actor = start();
  answer({ type: 'file.gone' });
  expect(actor.getSnapshot()).toMatchObject({ status: 'done', output: { reason: 'deleted' } });
});

test('failures in a row are waited out twice as long each time, up to a minute', () => {
  const actor = start();
  for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
    reported.length = 0;
    answer({ type: 'file.failed', error: unreadable });
    expect(actor.getSnapshot().value).toBe('backingOff');
    clock.increment(seconds * 1_000 - 1);
    expect(reported).toEqual([
      {
        type: 'tail.failed',
        path: input.path,
        code: 'session_unreadable',
        message: unreadable.message,
      },
    ]);
    clock.increment(1);
    expect(reported[1]).toEqual({ type: 'tail.recovered', path: input.path });
    actor.send({ type: 'tail.read', live: true });
    expect(actor.getSnapshot().value).toEqual({ reading: 'chunk' });
  }
  answer({ type: 'batch.ready', job: job(1) });
  actor.send(done(1));
  expect(actor.getSnapshot().context).toMatchObject({ failures: 0, lastError: null });
});

test('what Convex refuses for good is set aside by the reader, what fails for now waits', () => {
  const actor = start();
  answer({ type: 'batch.ready', job: job(1) });
  actor.send(failed(1, refused));
  expect(asked.at(-1)).toEqual({ type: 'batch.rejected', error: refused });
  answer({ type: 'batch.ready', job: job(2) });
  expect(written).toHaveLength(2);
  actor.send(failed(2, away));
  expect(actor.getSnapshot().value).toBe('backingOff');
});

test('generated walks end where the model says, and take every transition', () => {
  const events: AnyEventObject[] = [
    { type: 'tail.read', live: true },
    { type: 'tail.retire' },
    { type: 'writer.started' },
    { type: 'batch.ready', job: job(1) },
    { type: 'file.caughtUp' },
    { type: 'file.gone' },
    { type: 'file.failed', error: unreadable },
    done(1),
    failed(1, refused),
    failed(1, away),
    { type: 'xstate.after.QUIET_LIMIT.tail.waiting' },
    { type: 'xstate.after.RETRY.tail.backingOff' },
  ];
  const model = tail.provide({
    actors: { reader: fromCallback<ReaderCommand, { path: string; tailId: string }>(() => {}) },
  });
  const coverage = transitionCoverage(model);
  let walks = 0;
  for (const live of [true, false]) {
    const options = {
      input: { ...input, live },
      events,
      key: ({ value, context }: ReturnType<ReturnType<typeof start>['getSnapshot']>) =>
        JSON.stringify([value, context.live, context.jobId]),
    };
    for (const walk of walksOf(model, options)) {
      const actor = createActor(model, {
        input: { ...input, live },
        inspect: coverage.inspect,
        clock,
      }).start();
      for (const event of walk.events) actor.send(event as Parameters<typeof actor.send>[0]);
      expect(actor.getSnapshot().value, JSON.stringify(walk.events)).toEqual(walk.value);
      actor.stop();
      walks += 1;
    }
  }
  expect(walks).toBeGreaterThan(50);
  expect(coverage.missing()).toEqual([]);
});
