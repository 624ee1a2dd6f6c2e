import { expect, test } from 'vitest';
import { CommitLog } from '../../../src/embedded-convex/live-queries/commit-log.ts';

const readSet = [{ index: 't.by_id', from: Buffer.from('b'), to: Buffer.from('d') }];

test('it names the first later commit that changed what was read', () => {
  const log = new CommitLog(10n);
  log.add(commit(11n, 'c'));
  log.add(commit(12n, 'a'));
  log.add(commit(13n, 'b'));
  log.add(commit(14n, 'c'));
  expect(log.firstChange(readSet, 10n)).toBe(11n);
  expect(log.firstChange(readSet, 11n)).toBe(13n);
  expect(log.firstChange(readSet, 13n)).toBe(14n);
  expect(log.firstChange(readSet, 14n)).toBeNull();
});

test('the end of an interval and other indexes do not count', () => {
  const log = new CommitLog(10n);
  log.add(commit(11n, 'd'));
  log.add({ ts: 12n, writes: [{ index: 'u.by_id', key: Buffer.from('c') }] });
  expect(log.firstChange(readSet, 10n)).toBeNull();
  const open = [{ index: 't.by_id', from: Buffer.from('d'), to: null }];
  expect(log.firstChange(open, 10n)).toBe(11n);
});

test('of what it does not know any more it says that it may have changed', () => {
  const log = new CommitLog(10n, 10);
  expect(log.firstChange(readSet, 9n)).toBe(10n);
  for (let ts = 11n; ts < 100n; ts++) log.add(commit(ts, 'elsewhere'));
  expect(log.firstChange(readSet, 11n)).toBe(12n);
  expect(log.firstChange(readSet, 98n)).toBeNull();
});

test('commits without writes do not make it grow for ever', () => {
  const log = new CommitLog(10n, 10);
  for (let ts = 11n; ts < 100n; ts++) log.add({ ts, writes: [] });
  expect(log.firstChange(readSet, 11n)).toBe(12n);
});

function commit(ts: bigint, key: string) {
  return { ts, writes: [{ index: 't.by_id', key: Buffer.from(key) }] };
}
