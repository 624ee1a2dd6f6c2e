import { setTimeout as sleep } from 'node:timers/promises';

/** Waits for what no event tells: asks again every few milliseconds, and fails at the limit. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  limitMs = 10_000,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`Waited ${limitMs} ms in vain: ${what}`);
    await sleep(10);
  }
}
