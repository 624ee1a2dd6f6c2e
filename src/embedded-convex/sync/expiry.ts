import { AuthenticationError } from '../authentication.ts';
import type { Caller } from '../authentication.ts';

/** Throws an `AuthenticationError` when the caller's token is good no more. */
export function checkExpiry({ expiresAt }: Pick<Caller, 'expiresAt'>): void {
  if (expiresAt !== null && expiresAt <= Date.now()) throw expired();
}

/** Watches over the time that a caller's token is good for. */
export class Expiry {
  readonly #onExpired: (error: AuthenticationError) => void;
  #expiresAt: number | null = null;
  #timer: NodeJS.Timeout | undefined;

  /** Also for connections on which nothing happens: subscriptions must not outlive the token. */
  constructor(onExpired: (error: AuthenticationError) => void) {
    this.#onExpired = onExpired;
  }

  watch({ expiresAt }: Pick<Caller, 'expiresAt'>): void {
    this.stop();
    this.#expiresAt = expiresAt;
    if (expiresAt === null) return;
    const wait = Math.min(Math.max(expiresAt - Date.now(), 0), maxTimerMs);
    this.#timer = setTimeout(() => {
      if (this.#isOver()) this.#onExpired(expired());
      else this.watch({ expiresAt });
    }, wait);
    this.#timer.unref();
  }

  /** Throws an `AuthenticationError` when the time is over. */
  check(): void {
    checkExpiry({ expiresAt: this.#expiresAt });
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #isOver(): boolean {
    return this.#expiresAt !== null && this.#expiresAt <= Date.now();
  }
}

/** setTimeout fires at once for anything longer. */
const maxTimerMs = 2 ** 31 - 1;

function expired(): AuthenticationError {
  return new AuthenticationError('TokenExpired', 'Convex token identity expired');
}
