import { expect, test } from 'vitest';
import { FailedAttempts } from '../../../src/actors/gateway/failed-attempts.ts';

let now = 0;
const attempts = () => new FailedAttempts(() => now);
const guess = (all: FailedAttempts, address: string, count: number) => {
  for (let n = 0; n < count; n += 1) all.add(address, `guess ${n}`);
};

test('five different tokens within a minute shut an address out until the minute is over', () => {
  const all = attempts();
  guess(all, '10.0.0.1', 4);
  expect(all.waitFor('10.0.0.1')).toBe(0);
  now += 1_000;
  all.add('10.0.0.1', 'the fifth');
  expect(all.waitFor('10.0.0.1')).toBe(59_000);
  expect(all.waitFor('10.0.0.2')).toBe(0);
  now += 59_000;
  expect(all.waitFor('10.0.0.1')).toBe(0);
  guess(all, '10.0.0.1', 4);
  expect(all.waitFor('10.0.0.1')).toBe(0);
});

test('an old token that is shown again and again shuts nobody out', () => {
  const all = attempts();
  for (let n = 0; n < 100; n += 1) all.add('127.0.0.1', 'the old token');
  expect(all.waitFor('127.0.0.1')).toBe(0);
});

test('addresses of one IPv6 network are one, and a mapped IPv4 address is itself', () => {
  const all = attempts();
  guess(all, '2001:db8:1:2::5', 5);
  expect(all.waitFor('2001:db8:1:2:aaaa::9')).toBeGreaterThan(0);
  expect(all.waitFor('2001:db8:1:3::5')).toBe(0);
  guess(all, '::ffff:10.0.0.9', 5);
  expect(all.waitFor('10.0.0.9')).toBeGreaterThan(0);
  expect(all.waitFor('::1')).toBe(0);
});

test('a flood from many addresses takes no more memory than that from a thousand', () => {
  const all = attempts();
  guess(all, '10.9.9.9', 5);
  for (let n = 0; n < 1_024; n += 1) all.add(`10.1.${n >> 8}.${n & 255}`, 'x');
  // It was the first, and had to go.
  expect(all.waitFor('10.9.9.9')).toBe(0);
});
