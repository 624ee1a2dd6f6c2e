import { expect, test } from 'vitest';
import { ReplayBuffer } from '../../../src/actors/gateway/replay-buffer.ts';

function filled(lines: number, size = 10): ReplayBuffer {
  const buffer = new ReplayBuffer(1);
  for (let index = 0; index < lines; index += 1) {
    const seq = buffer.nextSeq();
    const wrapped = Buffer.alloc(size, 'x');
    buffer.push({ seq, plain: Buffer.from(`${index}`), wrapped, isLine: true });
  }
  return buffer;
}

test('the newest 2,000 lines are kept, in order', () => {
  const entries = filled(2_500).after(undefined);
  expect(entries).toHaveLength(2_000);
  expect(String(entries[0]?.plain)).toBe('500');
  expect(String(entries.at(-1)?.plain)).toBe('2499');
});

test('a client that comes back gets exactly what came after its last number', () => {
  const buffer = filled(10);
  const { from, to } = buffer.range;
  expect(buffer.after(to)).toEqual([]);
  expect(buffer.after(from).map((entry) => String(entry.plain))).toEqual('123456789'.split(''));
  expect(buffer.after(0)).toHaveLength(10);
});

test('events ride along without pushing out lines, and cannot grow the buffer for ever', () => {
  const buffer = filled(2_000);
  const event = Buffer.from('event');
  const pushEvents = (count: number) => {
    for (let index = 0; index < count; index += 1) {
      const seq = buffer.nextSeq();
      buffer.push({ seq, plain: event, wrapped: event, isLine: false });
    }
  };
  pushEvents(2_000);
  expect(buffer.after(undefined).filter((entry) => entry.isLine)).toHaveLength(2_000);
  pushEvents(3_000);
  expect(buffer.after(undefined).length).toBeLessThanOrEqual(4_000);
});

test('huge lines are bounded by their size, but the newest always stays', () => {
  const buffer = filled(5, 20 * 1024 * 1024);
  expect(buffer.after(undefined).map((entry) => String(entry.plain))).toEqual(['4']);
});

test('an empty buffer says so, and numbers start at the clock so that a restart never goes back', () => {
  expect(new ReplayBuffer(5).range).toEqual({ from: 0, to: 0 });
  expect(new ReplayBuffer(5).nextSeq()).toBe(5_001);
});
