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
