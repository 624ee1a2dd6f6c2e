import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseClientMessage } from '../../../src/embedded-convex/sync/client-message.ts';
import { SessionError } from '../../../src/embedded-convex/sync/session-error.ts';

const type = fc.constantFrom('Connect', 'Authenticate', 'ModifyQuerySet', 'Mutation', 'Action');
const field = fc.constantFrom(
  'sessionId',
  'maxObservedTimestamp',
  'baseVersion',
  'newVersion',
  'modifications',
  'tokenType',
  'value',
  'requestId',
  'udfPath',
  'args',
  'componentPath',
);
const message = fc
  .tuple(type, fc.dictionary(field, fc.jsonValue()))
  .map(([name, fields]) => JSON.stringify({ ...fields, type: name }));

test('whatever a client sends is understood or refused, and breaks nothing', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), message), (text) => {
      const outcome = attempt(() => parseClientMessage(text));
      const isUnderstood = typeof outcome === 'object' && outcome !== null && 'type' in outcome;
      expect(isUnderstood || (outcome instanceof SessionError && outcome.kind === 'fatal')).toBe(
        true,
      );
    }),
    { seed: 11, numRuns: 3000 },
  );
});

test('paths and arguments of queries are brought to one form, so that equal ones are equal', () => {
  const parse = (udfPath: string, args: object) => {
    const modifications = [{ type: 'Add', queryId: 0, udfPath, args: [args] }];
    return parseClientMessage(
      JSON.stringify({ type: 'ModifyQuerySet', baseVersion: 0, newVersion: 1, modifications }),
    );
  };
  const canonical = parse('a/b:c', { x: { p: 1, q: [2] }, y: null });
  expect(parse('a/b.js:c', { y: null, x: { q: [2], p: 1 } })).toEqual(canonical);
  expect(canonical).toMatchObject({
    modifications: [{ path: 'a/b:c', args: '[{"x":{"p":1,"q":[2]},"y":null}]' }],
  });
  expect(parse('a/b', {})).toMatchObject({ modifications: [{ path: 'a/b:default' }] });
  expect(parse('a/b.js', {})).toMatchObject({ modifications: [{ path: 'a/b:default' }] });
});

test('arguments of mutations stay as they were sent', () => {
  const call = { requestId: 1, udfPath: 'a/b.js:c', args: [{ y: null, x: { q: [2], p: 1 } }] };
  expect(parseClientMessage(JSON.stringify({ type: 'Mutation', ...call }))).toMatchObject({
    path: 'a/b:c',
    args: '[{"y":null,"x":{"q":[2],"p":1}}]',
  });
});

function attempt(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}

const words = 'word '.repeat(4_000);

test.each([
  ['words', { text: words }],
  [
    'signs',
    { text: `${words}\u2028 "\\ \ud83d\ude00 \u0000`, n: [1.5, null, { $integer: 'AQ==' }] },
  ],
  ['names', JSON.parse(`{"__proto__":2,"":"${words}"}`) as object],
])('long arguments are what they were sent as: %s', (_name, args) => {
  const call = { requestId: 7, udfPath: 'a/b.js:c', args: [args] };
  for (const message of [
    { type: 'Mutation', ...call },
    { type: 'Action', ...call, componentPath: undefined },
    // Other clients write the fields in another order, and all of them.
    { type: 'Mutation', ...call, componentPath: null },
    { args: call.args, type: 'Mutation', requestId: 7, udfPath: 'a/b', componentPath: '' },
  ]) {
    const { args: text, ...parsed } = callOf(JSON.stringify(message));
    expect(parsed).toEqual({
      type: message.type,
      requestId: 7,
      path: message.udfPath === 'a/b' ? 'a/b:default' : 'a/b:c',
      componentPath: '',
    });
    expect(JSON.parse(text)).toEqual([args]);
  }
});

test.each([
  ['two arguments', `[{"a":"${words}"},[{}]]`],
  ['no object', `["${words}"]`],
  ['no list', `{"a":"${words}"}`],
  ['no JSON', `[{"a":"${words}"}`],
])('a long call is refused when its arguments are %s', (_name, args) => {
  const text = `{"type":"Mutation","requestId":1,"udfPath":"a:b","args":${args}}`;
  expect(attempt(() => parseClientMessage(text))).toBeInstanceOf(SessionError);
});

test('a long call to a component keeps its component', () => {
  const call = { type: 'Mutation', requestId: 1, udfPath: 'a:b', componentPath: 'x' };
  const message = JSON.stringify({ ...call, args: [{ words }] });
  expect(parseClientMessage(message)).toMatchObject({ componentPath: 'x' });
});

function callOf(text: string) {
  const parsed = parseClientMessage(text);
  if (parsed.type !== 'Mutation' && parsed.type !== 'Action') throw new Error(parsed.type);
  return parsed;
}
