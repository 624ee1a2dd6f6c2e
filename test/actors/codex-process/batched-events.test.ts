import { beforeEach, expect, test } from 'vitest';
import { batched } from '../../../src/actors/codex-process/batched-events.ts';
import type { Send } from '../../../src/actors/codex-process/codex-child.ts';
import type { ThreadItem } from '../../../src/codex/thread-item.ts';
import type { CodexProcessEvent } from '../../../src/machines/codex-process-events.ts';

let told: CodexProcessEvent[];
let send: Send;

beforeEach(() => {
  told = [];
  send = batched((event) => void told.push(event));
});

type Told<Type extends CodexProcessEvent['type']> = Extract<CodexProcessEvent, { type: Type }>;
const line = (text: string, stream: 'stdout' | 'stderr' = 'stdout'): Told<'process.lines'> => ({
  type: 'process.lines',
  stream,
  lines: [text],
});
const item = (key: string): ThreadItem => ({ key, kind: 'message', ts: 1 });
const items = (key: string): Told<'process.items'> => ({
  type: 'process.items',
  items: [item(key)],
  bytes: 10,
});

test('what is printed in one turn is told in one event of each kind, in its order', async () => {
  for (const text of ['a', 'b', 'c']) {
    send(line(text));
    send(items(text));
  }
  expect(told).toEqual([]);
  await Promise.resolve();
  expect(told).toEqual([
    { type: 'process.lines', stream: 'stdout', lines: ['a', 'b', 'c'] },
    { type: 'process.items', items: ['a', 'b', 'c'].map(item), bytes: 30 },
  ]);
  send(line('d'));
  await Promise.resolve();
  expect(told.slice(2)).toEqual([line('d')]);
});

test('the streams are kept apart, and pieces stay between the items around them', async () => {
  const pieces: Told<'process.pieces'> = { type: 'process.pieces', pieces: [] };
  send(line('a'));
  send(line('b', 'stderr'));
  send(line('c', 'stderr'));
  send(items('a'));
  send(pieces);
  send(items('b'));
  await Promise.resolve();
  expect(told).toEqual([
    line('a'),
    { type: 'process.lines', stream: 'stderr', lines: ['b', 'c'] },
    items('a'),
    pieces,
    items('b'),
  ]);
});

test('anything else is told at once, behind what came before it', () => {
  const ended = { type: 'process.turnEnded', turn: { status: 'completed' } } as const;
  send(line('a'));
  send(ended);
  expect(told).toEqual([line('a'), ended]);
});

test('what was handed over is left as it is', async () => {
  const first = line('a');
  send(first);
  send(line('b'));
  await Promise.resolve();
  expect(first).toEqual(line('a'));
});
