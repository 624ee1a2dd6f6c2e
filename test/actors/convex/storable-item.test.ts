import { expect, test } from 'vitest';
import { storableItem } from '../../../src/actors/convex/storable-item.ts';
import type { JsonObject, JsonValue, ThreadItem } from '../../../src/codex/thread-item.ts';

const withData = (data: JsonObject): ThreadItem => ({ key: 'k', kind: 'mcp', ts: 1, data });

function nested(levels: number): JsonObject {
  let value: JsonValue = 'bottom';
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? { in: value } : [value];
  return { value };
}

/** Levels of objects and arrays, as Convex counts them in a document. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

test('an item that fits is handed on as it is', () => {
  const item = withData(nested(13));
  expect(storableItem(item)).toBe(item);
  const plain: ThreadItem = { key: 'k', kind: 'message', ts: 1, text: 'x' };
  expect(storableItem(plain)).toBe(plain);
});

test.each([14, 15, 40, 2_000])('data of %i levels fits, and nothing of it is lost', (levels) => {
  const stored = storableItem(withData(nested(levels)));
  // The document around `data` is one more level.
  expect(depthOf(stored.data)).toBeLessThanOrEqual(15);
  expect(JSON.stringify(stored.data)).toContain('bottom');
});
