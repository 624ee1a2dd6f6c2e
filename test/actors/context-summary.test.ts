import { createActor, setup } from 'xstate';
import { expect, test } from 'vitest';
import { contextSummary } from '../../src/actors/context-summary.ts';

test('shows plain data as it is', () => {
  const context = { n: 1, ok: true, none: null, text: 'short', list: [1, 'two'], in: { a: 1 } };
  expect(contextSummary(context)).toEqual(context);
});

test('never shows secrets, however deep they are', () => {
  const context = {
    token: 'abc',
    connection: { authToken: 'abc', headers: { Authorization: 'Bearer abc' } },
    env: { PATH: 'abc' },
    apiKey: 'abc',
    list: [{ password: { nested: 'abc' } }],
  };
  expect(JSON.stringify(contextSummary(context))).not.toContain('abc');
});

test('is bounded in text, entries and depth', () => {
  const context = {
    text: 'x'.repeat(10_000),
    list: Array.from({ length: 1000 }, (_, index) => index),
    wide: Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`k${index}`, index])),
    deep: { deep: { deep: { deep: { deep: 1 } } } },
  };
  expect(JSON.stringify(contextSummary(context)).length).toBeLessThan(1500);
  expect(contextSummary(context)).toMatchObject({
    text: expect.stringContaining('… (10000)'),
    deep: { deep: { deep: '1 fields' } },
  });
});

test('replaces what has no meaning outside of the process', () => {
  const actor = createActor(setup({}).createMachine({}));
  const circular: Record<string, unknown> = { function: () => 1, undefined, symbol: Symbol('s') };
  circular['self'] = circular;
  expect(
    contextSummary({
      big: 12n,
      nan: Number.NaN,
      error: new Error('broken'),
      date: new Date(5),
      bytes: new Uint8Array(3),
      map: new Map([[1, 2]]),
      actor,
      circular,
    }),
  ).toEqual({
    big: '12',
    nan: 'NaN',
    error: 'broken',
    date: 5,
    bytes: '3 bytes',
    map: '1 entries',
    actor: `actor ${actor.sessionId}`,
    circular: { self: { self: '4 fields' } },
  });
});

test('of no context is empty', () => {
  for (const context of [undefined, null, 'text', [1]]) expect(contextSummary(context)).toEqual({});
});
