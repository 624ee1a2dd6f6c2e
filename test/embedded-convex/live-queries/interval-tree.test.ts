import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { IntervalTree } from '../../../src/embedded-convex/live-queries/interval-tree.ts';

const key = fc.uint8Array({ minLength: 0, maxLength: 2, max: 6 });
const interval = fc.record({ from: key, to: fc.option(key, { nil: null }) });
const steps = fc.array(
  fc.record({ adds: fc.boolean(), interval, reader: fc.integer({ min: 0, max: 4 }) }),
  { maxLength: 60 },
);

test('it finds exactly those who read a key, as a plain list does', () => {
  fc.assert(
    fc.property(steps, key, (program, sought) => {
      const tree = new IntervalTree<number>();
      const list = new Map<string, (typeof program)[number]>();
      for (const step of program) {
        const name = JSON.stringify([[...step.interval.from], step.interval.to, step.reader]);
        if (step.adds) {
          tree.add(step.interval, step.reader);
          list.set(name, step);
        } else {
          tree.remove(step.interval, step.reader);
          list.delete(name);
        }
      }
      const expected = new Set<number>();
      for (const {
        interval: { from, to },
        reader,
      } of list.values()) {
        const holds = Buffer.compare(from, sought) <= 0;
        if (holds && (to === null || Buffer.compare(to, sought) > 0)) expected.add(reader);
      }
      const found = new Set<number>();
      tree.visitReaders(sought, (reader) => found.add(reader));
      expect(found).toEqual(expected);
      expect(tree.isEmpty).toBe(list.size === 0);
    }),
    { seed: 7, numRuns: 2000 },
  );
});

test('a lookup among ten thousand intervals looks at few of them', () => {
  const tree = new IntervalTree<number>();
  for (let number = 0; number < 10_000; number++) {
    const from = Buffer.alloc(4);
    from.writeUInt32BE(number);
    tree.add({ from, to: Buffer.concat([from, Buffer.from([0])]) }, number);
  }
  // Counting comparisons says the same on every machine.
  const compare = vi.spyOn(Buffer, 'compare');
  const found: number[] = [];
  tree.visitReaders(Buffer.from([0, 0, 0x13, 0x88]), (reader) => found.push(reader));
  const compared = compare.mock.calls.length;
  compare.mockRestore();
  expect(found).toEqual([5000]);
  // A balanced tree of that size is 14 deep; a treap about twice that, a few comparisons a node.
  expect(compared).toBeLessThan(250);
});
