import {
  createActor,
  fromCallback,
  fromPromise,
  SimulatedClock,
  type AnyEventObject,
  type InspectionEvent,
  type SnapshotFrom,
} from 'xstate';
import { expect, test } from 'vitest';
import { BridgeError } from '../../src/errors.ts';
import type { ImportJob } from '../../src/machines/backfill-events.ts';
import { NO_PROGRESS } from '../../src/machines/backfill-status.ts';
import type {
  DiscoveryCommand,
  DiscoveryInput,
  FileCounts,
  ReaderCommand,
} from '../../src/machines/sessions-events.ts';
import type { SessionsEvent } from '../../src/machines/sessions-status.ts';
import { sessionsWatch } from '../../src/machines/sessions-watch.ts';
import { tail } from '../../src/machines/tail.ts';
import { inPieces, tellingWalks, transitionCoverage, walksOf } from '../support/walk-paths.ts';

const PATH = '/s/2026/a.jsonl';
const JOB: ImportJob = { id: 'j1', selection: {} };
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

// Nobody lives here: what children would say is among the events.
const model = sessionsWatch.provide({
  actors: {
    discovery: fromCallback<DiscoveryCommand, DiscoveryInput>(() => {}),
    saveChoice: fromPromise<void, { enabled: boolean }>(() => new Promise(() => {})),
    tail: tail.provide({
      actors: {
        reader: fromCallback<ReaderCommand, { path: string; tailId: string }>(() => {}),
      },
    }),
  },
});
const error = new BridgeError('internal', 'x');
const result = {
  threadDocId: 'd',
  threadId: 't',
  inserted: 0,
  known: 0,
  claimed: 0,
  rejected: [],
};
const end = (kind: 'done' | 'error', actorId: string): AnyEventObject => ({
  type: `xstate.${kind}.actor.${actorId}`,
  actorId,
  ...(kind === 'done' ? { output: { reason: 'quiet' } } : { error }),
});
const events: AnyEventObject[] = [
  { type: 'shutdown' },
  { type: 'convex.online' },
  { type: 'convex.offline', reason: '' },
  ...[{ control: 'sessions.watch_status' }, watch(true), watch(false)].map((request) => ({
    type: 'control.request',
    requestId: 'r1',
    clientId: 'client-1',
    request,
  })),
  { type: 'scan.done' },
  { type: 'scan.failed', error },
  ...[{}, { behind: 1 }, { reading: 1 }].map((counts) => ({
    type: 'files.counted',
    counts: { ...COUNTS, ...counts },
  })),
  { type: 'file.due', path: PATH, live: true },
  { type: 'file.retired', path: PATH },
  { type: 'file.dropped', path: PATH },
  { type: 'import.begin', job: JOB },
  { type: 'import.end', jobId: JOB.id },
  { type: 'import.leave' },
  { type: 'import.counted', jobId: JOB.id, progress: NO_PROGRESS },
  { type: 'import.refused', jobId: JOB.id, error },
  { type: 'tail.caughtUp', path: PATH },
  { type: 'tail.failed', path: PATH, code: 'internal', message: 'x' },
  { type: 'tail.recovered', path: PATH },
  { type: 'write.done', jobId: 'tail:/x#1', result },
  { type: 'write.failed', jobId: 'tail:/x#1', error },
  { type: 'writer.started' },
  { type: 'announcement.cooled' },
  end('done', 'tail:/2026/a.jsonl'),
  end('error', 'tail:/2026/a.jsonl'),
  end('done', 'saving:r1'),
  end('error', 'saving:r1'),
  end('error', 'discovery'),
  { type: 'xstate.after.RETRY_DELAY.sessionsWatch.failed' },
];
// A backfill changes nothing about counts and announcements: it is walked through by itself.
const isOfBackfill = ({ type }: AnyEventObject) => type.startsWith('import.');
const kinds = [
  {
    chosen: events.filter((event) => !isOfBackfill(event)),
    key: ({ value, context }: SnapshotFrom<typeof sessionsWatch>) =>
      JSON.stringify([value, context.enabled, context.announcement, context.counts]),
  },
  {
    chosen: events,
    key: ({ value, context }: SnapshotFrom<typeof sessionsWatch>) =>
      JSON.stringify([value, context.enabled, context.job]),
  },
];

const walks = [true, false].flatMap((enabled) => {
  const input = { root: '/s', enabled, now: () => 0, setAside: () => [] };
  return kinds.flatMap(({ chosen, key }) =>
    walksOf(model, { input, events: chosen, key }).map((walk) => ({ ...walk, input })),
  );
});

function play(
  { events, input }: (typeof walks)[number],
  inspect?: (event: InspectionEvent) => void,
) {
  const clock = new SimulatedClock();
  const actor = createActor(model, { input, clock, ...(inspect && { inspect }) }).start();
  for (const event of events) actor.send(event as SessionsEvent);
  const { value } = actor.getSnapshot();
  actor.stop();
  return value;
}

test.each(inPieces(walks))(
  'generated walks end where the model says, from $first on',
  ({ some }) => {
    for (const walk of some) {
      expect(play(walk), JSON.stringify(walk.events)).toEqual(walk.value);
    }
  },
);

test('generated walks take every transition', () => {
  const coverage = transitionCoverage(model);
  const telling = tellingWalks(walks, ({ input, events }) => [
    input.enabled,
    events.some(({ type }) => type === 'import.begin'),
  ]);
  for (const walk of telling) play(walk, coverage.inspect);
  expect(coverage.missing()).toEqual([]);
  expect(walks.length).toBeGreaterThan(5_000);
});

function watch(enabled: boolean) {
  return { control: 'sessions.watch', enabled };
}
