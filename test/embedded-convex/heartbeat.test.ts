import { expect, test } from 'vitest';
import { Heartbeat } from '../../src/embedded-convex/heartbeat.ts';

test('both threads see the same: which run has the thread, and whether anything moves', () => {
  const engine = new Heartbeat();
  const main = new Heartbeat(engine.buffer);
  const before = main.count;
  engine.started(7, 2);
  expect([main.isRunning, main.count > before]).toEqual([true, true]);
  expect(main.giveUp()).toEqual({ ticket: 7, part: 2 });
  expect([main.isRunning, main.giveUp()]).toEqual([false, null]);
});

test('a run that has ended cannot be given up, and none can while nothing runs', () => {
  const heartbeat = new Heartbeat();
  expect(heartbeat.giveUp()).toBeNull();
  heartbeat.started(1, 0);
  heartbeat.finished();
  expect([heartbeat.isRunning, heartbeat.giveUp()]).toEqual([false, null]);
});
