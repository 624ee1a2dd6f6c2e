/** One-time codes, each of which is exchanged for the token once. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { BridgeError } from '../../errors.ts';

export interface Pairing {
  pairingId: string;
  code: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

/** Long enough to find the phone, short enough for a code that was photographed. */
const LIFETIME_MS = 5 * 60_000;
/** Open at once: a person pairs one device after another. */
const MAX_OPEN = 8;

export class Pairings {
  readonly #open = new Map<string, { pairingId: string; owner: string; until: number }>();
  readonly #now: () => number;

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** @param owner the client that asked; the code goes with it. Throws `pairings_exhausted`. */
  open(owner: string): Pairing {
    this.#forget(({ until }) => until <= this.#now());
    if (this.#open.size >= MAX_OPEN) throw new BridgeError('pairings_exhausted', '');
    // As long as a key: guessing it is not a matter of patience.
    const code = randomBytes(16).toString('base64url');
    const pairingId = randomUUID();
    this.#open.set(digest(code), { pairingId, owner, until: this.#now() + LIFETIME_MS });
    return { pairingId, code, expiresAt: Date.now() + LIFETIME_MS };
  }

  /** Uses the code up; undefined when it is unknown, used or too old. */
  redeem(code: string): string | undefined {
    // A look-up by hash: how long it takes tells nothing of the code.
    const key = digest(code);
    const found = this.#open.get(key);
    this.#open.delete(key);
    return found !== undefined && found.until > this.#now() ? found.pairingId : undefined;
  }

  closeOf(owner: string): void {
    this.#forget((pairing) => pairing.owner === owner);
  }

  #forget(which: (pairing: { owner: string; until: number }) => boolean): void {
    for (const [key, pairing] of this.#open) if (which(pairing)) this.#open.delete(key);
  }
}

function digest(code: string): string {
  return createHash('sha256').update(code).digest('base64');
}
