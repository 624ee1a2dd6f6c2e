import { expect, test } from 'vitest';
import { ReplayBuffer } from '../../../src/actors/gateway/replay-buffer.ts';

function filled(lines: number, size = 10): ReplayBuffer {
  const buffer = new ReplayBuffer(1);
  for (let index = 0; index < lines; index += 1) {
    const seq = buffer.nextSeq();
    buffer.push({ seq, frame: `${index}`, wrapped: 'x'.repeat(size), isLine: true });
  }
  return buffer;
}

test('the newest 2,000 lines are kept, in order', () => {
  const entries = filled(2_500).after(undefined);
  expect(entries).toHaveLength(2_000);
  expect(entries[0]?.frame).toBe('500');
  expect(entries.at(-1)?.frame).toBe('2499');
});

test('a client that comes back gets exactly what came after its last number', () => {
  const buffer = filled(10);
  const { from, to } = buffer.range;
  expect(buffer.after(to)).toEqual([]);
  expect(buffer.after(from).map((entry) => entry.frame)).toEqual('123456789'.split(''));
  expect(buffer.after(0)).toHaveLength(10);
});

test('events ride along without pushing out lines, and cannot grow the buffer for ever', () => {
  const buffer = filled(2_000);
  const pushEvents = (count: number) => {
    for (let index = 0; index < count; index += 1) {
      const seq = buffer.nextSeq();
      buffer.push({ seq, frame: 'event', wrapped: 'event', isLine: false });
    }
  };
  pushEvents(2_000);
  expect(buffer.after(undefined).filter((entry) => entry.isLine)).toHaveLength(2_000);
  pushEvents(3_000);
  expect(buffer.after(undefined).length).toBeLessThanOrEqual(4_000);
});

test('huge lines are bounded by their size, but the newest always stays', () => {
  const buffer = filled(5, 20 * 1024 * 1024);
  expect(buffer.after(undefined).map((entry) => entry.frame)).toEqual(['4']);
});

test('an empty buffer says so, and numbers start at the clock so that a restart never goes back', () => {
  expect(new ReplayBuffer(5).range).toEqual({ from: 0, to: 0 });
  expect(new ReplayBuffer(5).nextSeq()).toBe(5_001);
});
