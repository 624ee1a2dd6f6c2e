import { describe, expect, test } from 'vitest';
import { everything } from '../../src/embedded-convex/index-range.ts';
import { noLimits, Usage } from '../../src/embedded-convex/limits.ts';
import { ReadRecorder } from '../../src/embedded-convex/read-set.ts';
import { encodeKey } from '../../src/embedded-convex/values/keys.ts';

const key = (n: number): Uint8Array => encodeKey([n]);
const whole = { from: key(0), to: key(9) };

describe('the read set', () => {
  test('of a scan that was not asked for anything is empty', () => {
    const reads = newRecorder(10);
    reads.scan('t.i', whole, 'asc');
    expect(reads.readSet()).toEqual([]);
  });

  test('of a scan that ended early reaches to its last key, from where it began', () => {
    const reads = newRecorder(10);
    reads.scan('t.up', whole, 'asc').last = key(4);
    reads.scan('t.down', whole, 'desc').last = key(4);
    expect(reads.readSet()).toEqual([
      { index: 't.down', from: key(4), to: key(9) },
      { index: 't.up', from: key(0), to: Uint8Array.of(...key(4), 0) },
    ]);
  });

  test('of a scan that found its end is the whole interval', () => {
    const reads = newRecorder(10);
    const scan = reads.scan('t.i', everything, 'desc');
    scan.last = key(4);
    scan.exhausted = true;
    expect(reads.readSet()).toEqual([{ index: 't.i', from: new Uint8Array(0), to: null }]);
  });

  test('joins what overlaps or touches, in each index by itself', () => {
    const reads = newRecorder(10);
    reads.interval('t.a', { from: key(3), to: key(5) });
    reads.interval('t.a', { from: key(1), to: key(3) });
    reads.interval('t.a', { from: key(4), to: key(4.5) });
    reads.interval('t.b', { from: key(2), to: null });
    reads.interval('t.b', { from: key(7), to: key(8) });
    reads.interval('t.a', { from: key(6), to: key(7) });
    expect(reads.readSet()).toEqual([
      { index: 't.a', from: key(1), to: key(5) },
      { index: 't.a', from: key(6), to: key(7) },
      { index: 't.b', from: key(2), to: null },
    ]);
  });

  test('goes on growing with a scan that is still open when others are joined', () => {
    const reads = newRecorder(2);
    const open = reads.scan('t.i', whole, 'asc');
    for (let time = 0; time < 5; time += 1) reads.point('t.i', key(0));
    open.last = key(3);
    expect(reads.readSet()).toEqual([
      { index: 't.i', from: key(0), to: Uint8Array.of(...key(3), 0) },
    ]);
  });

  test('may have so many separate intervals and no more', () => {
    const reads = newRecorder(3);
    for (const n of [1, 3, 5]) reads.point('t.i', key(n));
    expect(() => reads.point('t.i', key(7))).toThrow(
      'Too many reads in a single function execution (limit: 3).',
    );
  });
});

function newRecorder(databaseQueries: number): ReadRecorder {
  return new ReadRecorder(new Usage({ ...noLimits, databaseQueries }));
}
