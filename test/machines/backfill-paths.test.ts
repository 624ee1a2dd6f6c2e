import { createActor, fromPromise, type AnyEventObject, type SnapshotFrom } from 'xstate';
import { expect, test } from 'vitest';
import { BridgeError } from '../../src/errors.ts';
import { NO_PROGRESS, type BackfillEvent, type Job } from '../../src/machines/backfill-status.ts';
import { backfill } from '../../src/machines/backfill.ts';
import { transitionCoverage, walksOf } from '../support/walk-paths.ts';

/** Nobody lives here: what children would say is among the events. */
const model = backfill.provide({
  actors: {
    openJob: fromPromise<Job, Job>(() => new Promise(() => {})),
    forgetJob: fromPromise<void>(() => new Promise(() => {})),
  },
});

const OLD: Job = { id: 'asked', kind: 'request', selection: {}, startedAt: 0 };
const error = new BridgeError('path_missing', 'x');
const ask = (request: object): AnyEventObject => ({
  type: 'control.request',
  requestId: 'r1',
  clientId: 'client-1',
  request,
});
const counted = (jobId: string | null, done: number): AnyEventObject => ({
  type: 'import.counted',
  jobId,
  progress: { ...NO_PROGRESS, files: { total: 1, done, failed: 0 } },
});
const end = (kind: 'done' | 'error', actorId: string): AnyEventObject => ({
  type: `xstate.${kind}.actor.${actorId}`,
  actorId,
  ...(kind === 'done' ? { output: OLD } : { error }),
});

const events: AnyEventObject[] = [
  ask({ control: 'convex.backfill' }),
  ask({ control: 'convex.backfill_status' }),
  ...['asked', 'new', 'none'].map((jobId) => ask({ control: 'convex.backfill_cancel', jobId })),
  ...[0, 1].flatMap((done) => [counted(null, done), counted('asked', done)]),
  { type: 'import.refused', jobId: 'asked', error },
  { type: 'import.waits', reason: 'x' },
  { type: 'import.scanning' },
  { type: 'sessions.started' },
  { type: 'announcement.cooled' },
  end('done', 'opening'),
  end('error', 'opening'),
  end('done', 'forgetting:asked'),
  end('error', 'forgetting:asked'),
];

test('generated walks end where the model says, and take every transition', () => {
  const coverage = transitionCoverage(model);
  let walks = 0;
  for (const job of [null, OLD]) {
    const input = { job, createId: () => 'new', now: () => 0 };
    const key = ({ value, context }: SnapshotFrom<typeof backfill>) =>
      JSON.stringify([
        value,
        context.job?.id,
        context.job?.kind,
        context.waiting === null,
        context.owed.length > 0,
        context.announcement,
      ]);
    const canCome = ({ value }: SnapshotFrom<typeof backfill>, { type }: AnyEventObject) =>
      !type.endsWith('.opening') || (typeof value === 'object' && value['scanning'] === 'opening');
    for (const walk of walksOf(model, { input, events, key, canCome })) {
      const actor = createActor(model, { input, inspect: coverage.inspect }).start();
      for (const event of walk.events) {
        // Work done is XState's own event, which the types do not list.
        actor.send(event as BackfillEvent);
      }
      expect(actor.getSnapshot().value, JSON.stringify(walk.events)).toEqual(walk.value);
      actor.stop();
      walks += 1;
    }
  }
  expect(walks).toBeGreaterThan(300);
  expect(coverage.missing()).toEqual([]);
});
