import { expect, test } from 'vitest';
import type { InspectEvent } from '../../src/control/inspect-frames.ts';
import { EventLog } from '../../src/inspector/event-log.ts';

function born(sessionId: string, restarts = 0): InspectEvent {
  return {
    type: '@xstate.actor',
    at: 1,
    sessionId,
    rootId: 'x:0',
    parentId: null,
    name: 'lamp',
    path: '/lamp',
    machine: 'lamp',
    since: 1,
    restarts,
    lastError: null,
    snapshot: { status: 'active', value: null, context: {} },
  };
}

function became(
  sessionId: string,
  value: string,
  status: 'active' | 'error' = 'active',
): InspectEvent {
  const snapshot = { status, value, ...(status === 'error' && { error: 'it broke' }) };
  return { type: '@xstate.snapshot', at: 2, sessionId, event: { type: 'turn' }, snapshot };
}

function shown(log: EventLog, index?: number) {
  const view = index === undefined ? log.latest : log.viewAt(index);
  return view.actors.get('/lamp');
}

test('any moment can be gone back to, also between and before the kept pictures', () => {
  const log = new EventLog();
  log.push(born('x:1'));
  for (let n = 1; n <= 1_000; n += 1) log.push(became('x:1', `state${n}`));
  for (const index of [1, 199, 200, 201, 567, 1_000]) {
    expect(shown(log, index)?.value).toBe(`state${index}`);
  }
  expect(shown(log, 0)?.value).toBeNull();
});

test('the oldest events are forgotten, and what is left can still be gone back through', () => {
  const log = new EventLog();
  log.push(born('x:1'));
  for (let n = 1; n <= 20_000; n += 1) log.push(became('x:1', `state${n}`));
  expect(log.entries.length).toBeLessThanOrEqual(6_000);
  const [first] = log.entries;
  expect(shown(log, first?.index)?.value).toBe(`state${first?.index}`);
  expect(shown(log)?.value).toBe('state20000');
});

test('a crash and the next life are marked, and a late word of the earlier life changes nothing', () => {
  const log = new EventLog();
  log.push(born('x:1'));
  log.push(became('x:1', 'on'));
  log.push(became('x:1', 'on', 'error'));
  log.push(born('x:2', 1));
  log.push(became('x:1', 'off'));
  log.push(became('x:2', 'on'));
  expect(log.entries.map(({ kind }) => kind)).toEqual([
    'started',
    'state',
    'error',
    'restarted',
    'event',
    'state',
  ]);
  expect(shown(log, 2)).toMatchObject({ status: 'error', lastError: 'it broke' });
  expect(shown(log, 4)).toMatchObject({ sessionId: 'x:2', restarts: 1, value: null });
  expect(shown(log)).toMatchObject({ value: 'on', status: 'active' });
});

test('a gap is an entry of its own', () => {
  const log = new EventLog();
  log.pushGap(5, '12 events were left out');
  log.push(born('x:1'), true);
  expect(log.entries).toMatchObject([
    { kind: 'gap', what: expect.stringContaining('12') },
    { what: 'is there' },
  ]);
});

test('after a gap the picture begins anew: a daemon’s next life gives the sessions of its last one to others', () => {
  const log = new EventLog();
  const other = { name: 'fan', path: '/fan' };
  log.push(born('x:1'));
  log.push({ ...born('x:2'), ...other });
  log.pushGap(5, 'the daemon was away');
  log.push({ ...born('x:1'), ...other }, true);
  log.push(born('x:2'), true);
  log.push(became('x:1', 'still'));
  log.push(became('x:2', 'on'));
  expect(log.latest.actors.get('/fan')).toMatchObject({ sessionId: 'x:1', value: 'still' });
  expect(shown(log)).toMatchObject({ sessionId: 'x:2', value: 'on' });
  const gap = log.entries.findIndex(({ kind }) => kind === 'gap');
  expect([...log.viewAt(gap).actors.keys()]).toEqual([]);
  expect(log.viewAt(gap + 1).actors.get('/fan')).toMatchObject({ sessionId: 'x:1' });
});
