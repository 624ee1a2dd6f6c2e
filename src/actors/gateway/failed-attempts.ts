/**
 * Wrong tokens, by the address that they came from.
 *
 * Who guesses is refused until the minute is over, even with the right token: else guessing
 * would go on at full speed. A client that was not told of a new token shows the same old one
 * again and again, which is no guessing, and must not shut out the others at its address.
 */
import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';

/** Different wrong tokens within a minute. */
const MAX_GUESSES = 5;
const WINDOW_MS = 60_000;
/** Addresses remembered; beyond it the one seen first is forgotten. */
const MAX_ADDRESSES = 1_024;

export class FailedAttempts {
  readonly #windows = new Map<string, { until: number; guesses: Set<string> }>();
  readonly #now: () => number;

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Milliseconds until this address may try again; 0 when it may now. */
  waitFor(address: string): number {
    const window = this.#windows.get(networkOf(address));
    if (window === undefined || window.guesses.size < MAX_GUESSES) return 0;
    return Math.max(0, Math.ceil(window.until - this.#now()));
  }

  add(address: string, presented: string): void {
    const network = networkOf(address);
    const now = this.#now();
    let window = this.#windows.get(network);
    if (window === undefined || window.until <= now) {
      window = { until: now + WINDOW_MS, guesses: new Set() };
      this.#windows.delete(network);
      this.#windows.set(network, window);
      const [first] = this.#windows.keys();
      if (this.#windows.size > MAX_ADDRESSES && first !== undefined) this.#windows.delete(first);
    }
    // What was tried is kept as a hash: it may be a token of another place.
    if (window.guesses.size < MAX_GUESSES) {
      window.guesses.add(createHash('sha256').update(presented).digest('base64'));
    }
  }
}

/** Of IPv6 the first 64 bits: whoever has one address there has all of them. */
function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !isIPv6(address)) return mapped ?? address;
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const groups = (text: string) => text.split(':').filter((group) => group !== '');
  const known = groups(head);
  if (tail === undefined) return known.slice(0, 4).join(':');
  const zeros = 8 - known.length - groups(tail).length;
  return [...known, ...Array<string>(zeros).fill('0'), ...groups(tail)].slice(0, 4).join(':');
}
