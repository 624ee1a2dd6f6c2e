import { expect, test } from 'vitest';
import { Pairings } from '../../../src/actors/gateway/pairings.ts';

test('a code works once', () => {
  const pairings = new Pairings();
  const { code, pairingId } = pairings.open('client-1');
  expect(pairings.redeem('another')).toBeUndefined();
  expect(pairings.redeem(code)).toBe(pairingId);
  expect(pairings.redeem(code)).toBeUndefined();
});

test('a code is of no use after five minutes', () => {
  let now = 0;
  const pairings = new Pairings(() => now);
  const first = pairings.open('client-1');
  const second = pairings.open('client-1');
  now = 299_999;
  expect(pairings.redeem(first.code)).toBe(first.pairingId);
  now = 300_000;
  expect(pairings.redeem(second.code)).toBeUndefined();
});

test('eight codes at once are enough, and old ones make room', () => {
  let now = 0;
  const pairings = new Pairings(() => now);
  for (let n = 0; n < 8; n += 1) pairings.open('client-1');
  const one = () => pairings.open('client-2');
  expect(one).toThrow(expect.objectContaining({ code: 'pairings_exhausted' }));
  now = 300_000;
  expect(one).not.toThrow();
});
