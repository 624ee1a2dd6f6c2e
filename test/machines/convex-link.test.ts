import { describe, expect, test } from 'vitest';
import { broadcast, convexStatusFrame } from '../../src/control/frames.ts';
import { BridgeError } from '../../src/errors.ts';
import { linkUp } from '../support/convex-linking.ts';

const url = 'http://127.0.0.1:5555';
const gone = new BridgeError('convex_failed', 'it was ended by SIGKILL');

describe('coming up', () => {
  test('starts the backend, probes it, deploys to it, and only then is online', async () => {
    const link = linkUp();
    expect(link.state()).toBe('starting.spawning');
    link.send({ type: 'backend.ready', url });
    expect(link.state()).toBe('starting.probing');
    await link.settle('probe');
    expect(link.state()).toBe('starting.deploying');
    expect(link.received.writer).toEqual([]);
    await link.settle('deploy');
    expect(link.state()).toBe('online');
    expect(link.commands).toEqual(['start', `probe ${url}`, `deploy ${url}`, `health ${url}`]);
    for (const dependent of ['writer', 'sessions', 'runs'] as const) {
      expect(link.received[dependent]).toEqual([{ type: 'convex.online' }]);
    }
  });

  test('tells clients of each state', async () => {
    const link = linkUp();
    await link.comeOnline();
    const frames = link.received.gateway.map((event) => {
      if (!('frame' in event)) throw new Error(event.type);
      return broadcast.parse(event.frame);
    });
    expect(frames).toMatchObject([
      { state: 'starting.spawning', healthy: false, url: 'http://127.0.0.1:7788' },
      { state: 'starting.probing', healthy: false, url },
      { state: 'starting.deploying', healthy: false, url },
      { state: 'online', healthy: true, url, mode: 'embedded', db: '/data/convex.sqlite' },
    ]);
  });

  test('gives up on a backend that does not get ready in time, and tries again', () => {
    const link = linkUp();
    link.clock.increment(120_000);
    expect(link.state()).toBe('backingOff');
    expect(link.commands).toEqual(['start', 'stop']);
    link.clock.increment(125);
    expect(link.state()).toBe('starting.spawning');
    expect(link.commands).toEqual(['start', 'stop', 'start']);
  });

  test.each(['probe', 'deploy'] as const)('tries again when the %s fails', async (which) => {
    const link = linkUp();
    link.send({ type: 'backend.ready', url });
    if (which === 'deploy') await link.settle('probe');
    await link.settle(which, new BridgeError('convex_unavailable', 'no answer'));
    expect(link.state()).toBe('backingOff');
    link.clock.increment(125);
    await link.comeOnline();
    expect(link.state()).toBe('online');
  });

  test('waits longer after each failure', async () => {
    const link = linkUp();
    for (const delay of [125, 250, 500, 1000]) {
      link.send({ type: 'backend.failed', error: gone });
      link.clock.increment(delay - 1);
      expect(link.state()).toBe('backingOff');
      link.clock.increment(1);
      expect(link.state()).toBe('starting.spawning');
    }
  });
});

describe('an outage', () => {
  test('is told once to everyone who waits, with its reason, and ended in the same way', async () => {
    const link = linkUp();
    await link.comeOnline();
    link.send({ type: 'backend.failed', error: gone });
    link.clock.increment(125);
    link.send({ type: 'backend.failed', error: gone });
    link.clock.increment(250);
    await link.comeOnline();
    for (const dependent of ['writer', 'sessions', 'runs'] as const) {
      expect(link.received[dependent]).toEqual([
        { type: 'convex.online' },
        { type: 'convex.offline', reason: gone.message },
        { type: 'convex.online' },
      ]);
    }
  });

  test('is told by a link that has just started too: what an earlier one told is not known', () => {
    const link = linkUp();
    link.send({ type: 'backend.failed', error: gone });
    expect(link.received.sessions).toEqual([{ type: 'convex.offline', reason: gone.message }]);
  });

  test('that the health check found ends the backend before a new one starts', async () => {
    const link = linkUp();
    await link.comeOnline();
    link.commands.length = 0;
    link.send({ type: 'health.lost', error: new BridgeError('convex_unavailable', 'no answer') });
    expect(link.commands).toEqual(['health ends', 'stop']);
    link.send({ type: 'backend.stopped' });
    link.clock.increment(125);
    expect(link.commands.at(-1)).toBe('start');
  });

  test('soon after the last counts as one more, after a while as the first', async () => {
    const link = linkUp();
    await link.comeOnline();
    link.send({ type: 'backend.failed', error: gone });
    link.clock.increment(125);
    await link.comeOnline();
    link.send({ type: 'backend.failed', error: gone });
    link.clock.increment(249);
    expect(link.state()).toBe('backingOff');
    link.clock.increment(1);
    await link.comeOnline();
    link.clock.increment(3000);
    link.send({ type: 'backend.failed', error: gone });
    link.clock.increment(125);
    expect(link.state()).toBe('starting.spawning');
  });
});

test('a backend that serves but complains stays online, and says so until it is over', async () => {
  const link = linkUp();
  await link.comeOnline();
  const error = new BridgeError('convex_disk_full', '');
  link.send({ type: 'backend.complained', error });
  const frame = { state: 'online', healthy: true, lastError: error.message };
  expect(link.received.gateway.at(-1)).toMatchObject({ frame });
  link.send({ type: 'backend.recovered', code: 'convex_failed' });
  expect(link.received.gateway.at(-1)).toMatchObject({ frame });
  link.send({ type: 'backend.recovered', code: 'convex_disk_full' });
  expect(link.received.gateway.at(-1)).toMatchObject({ frame: { ...frame, lastError: null } });
});

describe('what only a person can mend', () => {
  test.each(['port_taken', 'convex_corrupt', 'convex_misconfigured'] as const)(
    '%s is told, and tried again ever more seldom',
    async (code) => {
      const link = linkUp();
      const error = new BridgeError(code, 'see to it');
      link.send({ type: 'backend.failed', error });
      expect(link.state()).toBe('failed');
      link.send(statusRequest);
      expect(link.received.gateway.at(-1)).toMatchObject({
        frame: { state: 'failed', healthy: false, lastError: error.message },
      });
      for (const delay of [2_500, 5_000, 10_000, 20_000, 30_000, 30_000]) {
        link.clock.increment(delay - 1);
        expect(link.state()).toBe('failed');
        link.clock.increment(1);
        expect(link.state()).toBe('starting.spawning');
        link.send({ type: 'backend.failed', error });
      }
      link.clock.increment(30_000);
      await link.comeOnline();
      expect(link.state()).toBe('online');
    },
  );

  test('is also what a deployment finds missing', async () => {
    const link = linkUp();
    link.send({ type: 'backend.ready', url });
    await link.settle('probe');
    await link.settle('deploy', new BridgeError('convex_misconfigured', 'no functions'));
    expect(link.state()).toBe('failed');
  });
});

describe('questions', () => {
  test('a newcomer learns the present state', async () => {
    const link = linkUp();
    link.send({ type: 'convex.state?', from: 'writer' });
    await link.comeOnline();
    link.send({ type: 'convex.state?', from: 'runs' });
    expect(link.received.writer[0]).toEqual({
      type: 'convex.offline',
      reason: 'Convex is being started',
    });
    expect(link.received.runs).toEqual([{ type: 'convex.online' }, { type: 'convex.online' }]);
  });

  test('convex.status is answered in every state, with the rows per table once they are known', async () => {
    const link = linkUp();
    await link.comeOnline();
    link.send({ type: 'health.tables', tables: { threads: 2 } });
    link.send(statusRequest);
    const answer = link.received.gateway.at(-1);
    expect(answer).toMatchObject({ type: 'control.reply', requestId: 'r1' });
    if (!answer || !('frame' in answer)) throw new Error('no frame');
    expect(convexStatusFrame.parse(answer.frame)).toMatchObject({
      state: 'online',
      tables: { threads: 2 },
      lastError: null,
    });
  });

  test('a verb that is not its own is refused', () => {
    const link = linkUp();
    link.send({ ...statusRequest, request: { control: 'runs.list' } });
    expect(link.received.gateway.at(-1)).toMatchObject({
      type: 'control.failed',
      error: { code: 'unknown_control' },
    });
  });
});

describe('shutdown', () => {
  test('waits for the backend to end', async () => {
    const link = linkUp();
    await link.comeOnline();
    link.send({ type: 'shutdown' });
    expect(link.state()).toBe('stopping');
    expect(link.received.writer.at(-1)).toMatchObject({ type: 'convex.offline' });
    expect(link.commands.at(-1)).toBe('stop');
    link.send({ type: 'backend.stopped' });
    expect(link.link.getSnapshot()).toMatchObject({ status: 'done', value: 'stopped' });
  });

  test('does not wait for ever', async () => {
    const link = linkUp();
    link.send({ type: 'shutdown' });
    link.send({ type: 'shutdown' });
    link.clock.increment(8000);
    expect(link.link.getSnapshot().status).toBe('done');
  });
});

const statusRequest = {
  type: 'control.request',
  requestId: 'r1',
  clientId: 'client-1',
  request: { control: 'convex.status' },
} as const;
