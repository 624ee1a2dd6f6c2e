import { createActor, setup } from 'xstate';
import { expect, test } from 'vitest';
import { BridgeError } from '../../src/errors.ts';
import { createValueRecorder } from '../../src/recording/recorded-value.ts';
import { createReviver } from '../../src/recording/revived-value.ts';

const recorder = (own = '') =>
  createValueRecorder({
    secret: /token|secret/i,
    holdsSecret: (text) => own !== '' && text.includes(own),
    homeDirectory: '/home/ada',
  });
const reviver = () => createReviver({ now: () => 42, draw: () => 'drawn' });
const there = (value: unknown) =>
  reviver().revive(JSON.parse(JSON.stringify(recorder().encode(value))));

test('names, ids, numbers and the shape come back as they were', () => {
  const value = {
    type: 'write.done',
    jobId: 'file-17',
    path: '/srv/sessions/rollout-1.jsonl',
    counts: [1, 2.5, Infinity],
    isLast: true,
    nothing: null,
  };
  expect(there(value)).toEqual(value);
});

test('what somebody said is replaced by a text of its length, the same for the same', () => {
  const { encode } = recorder();
  const first = encode({ text: 'hello', note: 'two words' });
  expect(JSON.stringify(first)).not.toMatch(/hello|words/);
  expect(encode({ text: 'hello' })).toEqual({ text: Object(first).text });
  expect(encode({ text: 'other' })).not.toEqual({ text: Object(first).text });
  expect(there({ text: 'a'.repeat(100) })).toMatchObject({
    text: expect.stringMatching(/^.{100}$/),
  });
});

test('below a field of speech or of secrets nothing is told at any depth', () => {
  const told = JSON.stringify(
    recorder().encode({
      data: { output: ['word', { deep: 'word2' }] },
      secretThings: { a: 'word3' },
    }),
  );
  expect(told).not.toContain('word');
  expect(told).toContain('output');
});

test('a secret is not told where it looks like a name, and the home directory is not', () => {
  const { encode } = recorder('sk-live-1');
  expect(JSON.stringify(encode({ id: 'x/sk-live-1' }))).not.toContain('sk-live');
  expect(encode({ path: '/home/ada/project' })).toEqual({ path: '~/project' });
});

test('stand-ins of two recordings cannot be compared', () => {
  expect(recorder().encode({ text: 'hello' })).not.toEqual(recorder().encode({ text: 'hello' }));
});

test('an error keeps what machines ask of it: its code, and whether to try again', () => {
  const error = there(new BridgeError('convex_unavailable', 'secret details'));
  expect(error).toMatchObject({ name: 'BridgeError', code: 'convex_unavailable', retryable: true });
  expect(String(error)).not.toContain('secret details');
});

test('actors, logic, functions, maps, sets, dates and bytes have a place that can be worked with', () => {
  const child = createActor(setup({}).createMachine({}), { id: 'child' }).start();
  const revived = there({
    child,
    children: [child],
    logic: setup({}).createMachine({}),
    now: Date.now,
    createId: () => 'x',
    map: new Map([['a', 1]]),
    set: new Set(['b']),
    date: new Date(5),
    bytes: new Uint8Array(3),
    $: 'a field of this name',
  });
  expect(revived).toMatchObject({
    map: new Map([['a', 1]]),
    set: new Set(['b']),
    date: new Date(5),
    bytes: new Uint8Array(3),
  });
  const { children, now, createId, ...rest } = Object(revived);
  expect(rest.child).toBe(children[0]);
  expect(rest.child.getSnapshot().status).toBe('active');
  expect([now(), createId()]).toEqual([42, 'drawn']);
});

test('what is too much is cut, and the replay knows', () => {
  const { encode } = recorder();
  const encoded = encode({ items: Array.from({ length: 30_000 }, () => ({})) });
  const reader = reviver();
  expect(reader.metCut).toBe(false);
  expect(Object(reader.revive(encoded)).items).toHaveLength(30_000);
  expect(reader.metCut).toBe(true);
});
