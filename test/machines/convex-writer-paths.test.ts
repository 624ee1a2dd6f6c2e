import { expect, test } from 'vitest';
import type { EventFromLogic, SnapshotFrom } from 'xstate';
import { fromCallback } from 'xstate';
import { BridgeError } from '../../src/errors.ts';
import { convexWriter, type CommitterCommand } from '../../src/machines/convex-writer.ts';
import { startWriting, writeJob, writerUnderTest, written } from '../support/writing.ts';
import { inPieces, transitionCoverage, walksOf } from '../support/walk-paths.ts';

const modelled = convexWriter.provide({
  actors: { committer: fromCallback<CommitterCommand>(() => {}) },
});

const refusal = new BridgeError('convex_rejected', 'bad');
const outage = new BridgeError('convex_unavailable', 'gone');
const job = writeJob('a', { thread: { resumeId: 'codex', source: 'external', cwd: '/w' } });
/** Of the same thread: it can only follow. */
const next = writeJob('c', { thread: job.thread });
const huge = writeJob('b', { bytes: 40 * 1024 * 1024, thread: job.thread });

type WriterEvent = EventFromLogic<typeof convexWriter>;

/** Two explorations: all of both at once would only multiply what does not meet. */
const explorations: Record<string, WriterEvent[]> = {
  'a life': [
    { type: 'convex.online' },
    { type: 'convex.offline', reason: 'gone' },
    { type: 'shutdown' },
    { type: 'write.submit', from: 'runs', job },
    { type: 'write.submit', from: 'sessions', job: next },
    { type: 'write.pieces', threadId: 't', pieces: [] },
    { type: 'run.expected', runId: 'r', threadId: 't', cwd: '/w', startedAt: 1 },
    { type: 'run.session', runId: 'r', resumeId: 'codex' },
    { type: 'run.ended', runId: 'r' },
    { type: 'run.settle', runId: 'r' },
    { type: 'recall.done', runs: [] },
    { type: 'recall.failed', error: outage },
    { type: 'commit.failed', jobId: 'a', attempt: 1, error: outage },
    { type: 'commit.overdue', jobId: 'a', attempt: 1 },
    { type: 'commit.retry', jobId: 'a', attempt: 1 },
    { type: 'commit.done', jobId: 'a', attempt: 1, result: written },
    // Timers of XState itself, which the types of a machine do not list.
    { type: 'xstate.after.RECALL_BACKOFF.convexWriter.recalling.waiting' } as never,
    { type: 'xstate.after.DRAIN_LIMIT.convexWriter.draining' } as never,
  ],
  'a job that is refused, and one too many': [
    { type: 'convex.online' },
    { type: 'convex.offline', reason: 'gone' },
    { type: 'recall.done', runs: [] },
    { type: 'write.submit', from: 'sessions', job },
    { type: 'write.submit', from: 'sessions', job: huge },
    ...[1, 2, 3, 4, 5].flatMap((attempt) => [
      { type: 'commit.failed' as const, jobId: 'a', attempt, error: refusal },
      { type: 'commit.retry' as const, jobId: 'a', attempt },
    ]),
  ],
};

/** What decides about transitions: attempts and refusals matter, who was counted does not. */
function key({ value, status, context }: SnapshotFrom<typeof convexWriter>): string {
  const { queue, held, inFlight, open, recalled } = context;
  const ids = (entries: readonly { job: { id: string } }[]) => entries.map((it) => it.job.id);
  const flying = Object.values(inFlight).map((it) => [
    it.job.id,
    it.attempt,
    it.refusals,
    it.committing,
  ]);
  const waiting = [...new Set(ids(queue.waiting))];
  return JSON.stringify([value, status, waiting, ids(held), flying, open, recalled]);
}

const walks = Object.values(explorations).flatMap((events) =>
  walksOf(modelled, { input: { random: () => 0.5 }, events, key }),
);
const coverage = transitionCoverage(writerUnderTest);

test.each(inPieces(walks))(
  'generated walks end where the model says, from $first on',
  ({ some }) => {
    for (const walk of some) {
      const writing = startWriting(coverage.inspect);
      // A machine that was given its actors has lost the names of its events.
      for (const event of walk.events as WriterEvent[]) writing.send(event);
      expect(writing.snapshot().value, JSON.stringify(walk.events)).toEqual(walk.value);
      writing.stop();
    }
  },
);

test('together they take every transition', () => {
  expect(coverage.missing()).toEqual([]);
});
