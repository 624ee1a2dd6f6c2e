import type { AnyEventObject, SnapshotFrom } from 'xstate';
import { expect, test } from 'vitest';
import { BridgeError } from '../../src/errors.ts';
import type { ConvexLinkOwnEvent } from '../../src/machines/convex-link-status.ts';
import { convexLink } from '../../src/machines/convex-link.ts';
import { linkUp } from '../support/convex-linking.ts';
import { transitionCoverage, walksOf } from '../support/walk-paths.ts';

const passing = new BridgeError('convex_unavailable', 'no answer');
const lasting = new BridgeError('port_taken', 'see to it');
const works = ['0.convexLink.starting.probing', '0.convexLink.starting.deploying', 'health'];

const events: AnyEventObject[] = [
  { type: 'shutdown' },
  { type: 'convex.state?', from: 'writer' },
  {
    type: 'control.request',
    requestId: 'r1',
    clientId: 'client-1',
    request: { control: 'convex.status' },
  },
  { type: 'backend.ready', url: 'http://127.0.0.1:5555' },
  { type: 'backend.stopped' },
  { type: 'health.tables', tables: {} },
  ...[passing, lasting].flatMap((error) => [
    { type: 'backend.failed', error },
    { type: 'backend.complained', error },
    { type: 'backend.recovered', code: error.code },
    { type: 'health.lost', error },
    ...works.map((id) => ({ type: `xstate.error.actor.${id}`, actorId: id, error })),
  ]),
  ...works.map((id) => ({ type: `xstate.done.actor.${id}`, actorId: id, output: undefined })),
  ...['START_LIMIT.convexLink.starting.spawning', 'STABLE.convexLink.online'].map(after),
  ...['backoff.convexLink.backingOff', 'SELDOM.convexLink.failed'].map(after),
  after('STOP_LIMIT.convexLink.stopping'),
];

/** What comes of an actor or a timer comes only where that is. */
function canCome({ value }: SnapshotFrom<typeof convexLink>, { type }: AnyEventObject): boolean {
  const at = typeof value === 'string' ? value : `starting.${value.starting}`;
  if (type.endsWith('.health') || type.startsWith('health.')) return at === 'online';
  return !type.startsWith('xstate.') || type.endsWith(`convexLink.${at}`);
}

test('generated walks end where the model says, and take every transition', () => {
  const coverage = transitionCoverage(convexLink);
  const input = { mode: 'embedded', url: '', db: null, now: () => 0, random: () => 0.5 } as const;
  const walks = walksOf(convexLink, {
    input,
    events,
    canCome,
    key: ({ value, status, context }) =>
      JSON.stringify([value, status, context.isAnnounced, context.lastError?.code]),
  });
  for (const walk of walks) {
    const link = linkUp(coverage.inspect);
    for (const event of walk.events) {
      // Timers and work done are XState's own events, which the types do not list.
      link.send(event as ConvexLinkOwnEvent);
    }
    expect(link.link.getSnapshot().value, JSON.stringify(walk.events)).toEqual(walk.value);
  }
  expect(walks.length).toBeGreaterThan(100);
  expect(coverage.missing()).toEqual([]);
});

function after(timer: string): AnyEventObject {
  return { type: `xstate.after.${timer}` };
}
