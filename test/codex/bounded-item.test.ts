import { expect, test } from 'vitest';
import { boundedItem, MAX_ITEM_BYTES } from '../../src/codex/bounded-item.ts';
import type { ThreadItem } from '../../src/codex/thread-item.ts';

const PLACE = { path: '/rollout.jsonl', offset: 42 };

function bounded(fields: Partial<ThreadItem>): ThreadItem {
  return boundedItem({ key: 'k', kind: 'cmd', ts: 1, ...fields }, PLACE);
}

function bytes({ text = '', data = {} }: ThreadItem): number {
  return Buffer.byteLength(text) + Buffer.byteLength(JSON.stringify(data));
}

test('an item within the limit is the same item', () => {
  const item: ThreadItem = { key: 'k', kind: 'cmd', ts: 1, text: 'x'.repeat(1000), data: { a: 1 } };
  expect(boundedItem(item, PLACE)).toBe(item);
});

test('a long output is cut, and costs neither the command nor the exit code', () => {
  const item = bounded({
    text: 'make',
    data: { output: 'ö'.repeat(300_000), command: ['make'], exitCode: 2, status: 'failed' },
  });
  expect(item).toMatchObject({
    text: 'make',
    data: { command: ['make'], exitCode: 2, status: 'failed' },
    truncated: { path: '/rollout.jsonl', offset: 42 },
  });
  expect(item.truncated?.bytes).toBeGreaterThanOrEqual(600_000);
  expect(item.data?.['output']).toMatch(/^ö+$/);
  expect(bytes(item)).toBeLessThanOrEqual(MAX_ITEM_BYTES);
});

test.each([
  ['many small values', { list: Array.from({ length: 200_000 }, () => 'ab') }],
  ['many keys', Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`key${n}`, n]))],
  ['many texts', { list: Array.from({ length: 20 }, () => 'y'.repeat(50_000)) }],
])('%s are cut too', (_, data) => {
  const item = bounded({ data });
  expect(item.truncated).toBeDefined();
  expect(bytes(item)).toBeLessThan(MAX_ITEM_BYTES * 1.5);
});

test('a cut never leaves half a character', () => {
  for (const pad of ['', 'a', 'ab', 'abc']) {
    const { text = '' } = bounded({ text: pad + '😀'.repeat(100_000) });
    expect(text.isWellFormed()).toBe(true);
    expect(text).not.toContain('\uFFFD');
  }
});
