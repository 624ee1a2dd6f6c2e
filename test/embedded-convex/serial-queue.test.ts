import { expect, test } from 'vitest';
import { serialQueue } from '../../src/embedded-convex/serial-queue.ts';

test('jobs run one after the other, and a failing one holds up none', async () => {
  const exclusively = serialQueue();
  const events: string[] = [];
  const job = (name: string, turns: number) => async () => {
    events.push(`${name} starts`);
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    events.push(`${name} ends`);
    if (name === 'b') throw new Error(name);
    return name;
  };
  const results = await Promise.allSettled([
    exclusively(job('a', 5)),
    exclusively(job('b', 1)),
    exclusively(job('c', 0)),
  ]);
  expect(events.join()).toBe('a starts,a ends,b starts,b ends,c starts,c ends');
  expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});
