/** Who gets in, decided before the upgrade. */
import type { IncomingMessage } from 'node:http';
import {
  checkPlace,
  checkToken,
  presentedToken,
  type AccessPolicy,
  type Refusal,
} from './access.ts';
import { FailedAttempts } from './failed-attempts.ts';
import type { Pairings } from './pairings.ts';

export type Admission =
  | { as: 'client' }
  /** It has shown a pairing code, and gets the token. */
  | { as: 'device'; pairingId: string }
  | ({ as: 'nobody' } & Refusal);

export class Door {
  readonly #policy: AccessPolicy;
  readonly #pairings: Pairings;
  readonly #attempts: FailedAttempts;

  constructor(policy: AccessPolicy, pairings: Pairings, attempts = new FailedAttempts()) {
    this.#policy = policy;
    this.#pairings = pairings;
    this.#attempts = attempts;
  }

  /** Host first, then Origin, then how often the address was wrong, then the code or token. */
  admit(request: IncomingMessage): Admission {
    const misplaced = checkPlace(request, this.#policy);
    if (misplaced !== undefined) return { as: 'nobody', ...misplaced };
    const address = request.socket.remoteAddress ?? '';
    const waitMs = this.#attempts.waitFor(address);
    if (waitMs > 0) return { as: 'nobody', ...tooMany(waitMs) };
    const code = URL.parse(request.url ?? '/', 'http://localhost')?.searchParams.get('pair');
    if (typeof code === 'string') return this.#redeem(code, address);
    const refusal = checkToken(request, this.#policy);
    if (refusal === undefined) return { as: 'client' };
    const presented = presentedToken(request);
    // Who shows none does not guess.
    if (presented !== '') this.#attempts.add(address, presented);
    return { as: 'nobody', ...refusal };
  }

  #redeem(code: string, address: string): Admission {
    const pairingId = this.#pairings.redeem(code);
    if (pairingId !== undefined) return { as: 'device', pairingId };
    this.#attempts.add(address, code);
    const message = 'This pairing code is used or too old; show a new one with "oa-bridge pair".';
    return { as: 'nobody', status: 401, code: 'unauthorized', message };
  }
}

function tooMany(waitMs: number): Refusal {
  const seconds = Math.ceil(waitMs / 1000);
  const message = `Too many different wrong tokens came from this address; try again in ${seconds} s.`;
  return { status: 429, code: 'too_many_attempts', message };
}
