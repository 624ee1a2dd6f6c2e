import { expect, test } from 'vitest';
import { lineReaders } from '../../../src/codex/rollout/create-rollout-reader.ts';
import { lineKinds } from '../../../src/codex/rollout/line-kinds.ts';

const mapped = Object.entries(lineKinds)
  .filter(([, rule]) => 'becomes' in rule)
  .map(([kind]) => kind);

test('every kind of line that the table maps has a reader, and no other has one', () => {
  expect(Object.keys(lineReaders).sort()).toEqual(mapped.sort());
});

test('every kind that is left out says why', () => {
  const reasons = Object.values(lineKinds).flatMap((rule) =>
    'leftOut' in rule ? [rule.leftOut] : [],
  );
  expect(reasons.filter((reason) => !/\w{3}/.test(reason))).toEqual([]);
});
