import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { noticeService } from '../../src/service/service-notice.ts';

const env = { NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '30000000' };
let told: string[];
const notify = (state: string) => Promise.resolve(told.push(state));

beforeEach(() => {
  told = [];
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

test('systemd is told that we are ready, and every half of its limit that we live', () => {
  const service = noticeService(() => true, env, notify);
  vi.advanceTimersByTime(30_000);
  service.stopping();
  vi.advanceTimersByTime(30_000);
  expect(told).toEqual(['READY=1', 'WATCHDOG=1', 'WATCHDOG=1', 'STOPPING=1']);
});

test('while a part is away the watchdog is not fed', () => {
  let alive = false;
  noticeService(() => alive, env, notify);
  vi.advanceTimersByTime(30_000);
  expect(told).toEqual(['READY=1']);
  alive = true;
  vi.advanceTimersByTime(15_000);
  expect(told).toEqual(['READY=1', 'WATCHDOG=1']);
});

test('without systemd nobody is told anything', () => {
  noticeService(() => true, {}, notify).stopping();
  expect(told).toEqual([]);
});
