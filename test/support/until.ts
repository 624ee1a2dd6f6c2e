import { setTimeout as sleep } from 'node:timers/promises';

/** A client of the bridge may ask 50 times a second, and conditions ask it. */
const ASKED_EVERY_MS = 25;

/** No statement about speed: by then it will not come. Less than what the unit tests may take. */
const LIMIT_MS = 15_000;

/** Waits for what no event tells: asks again every few milliseconds, and fails at the limit. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  limitMs = LIMIT_MS,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`Waited ${limitMs} ms in vain: ${what}`);
    await sleep(ASKED_EVERY_MS);
  }
}
