import { createHash, timingSafeEqual } from 'node:crypto';
import type { Identity } from './executor.ts';

/** On whose behalf a function runs. */
export interface Caller {
  identity: Identity;
  /** May also call internal functions. */
  isAdmin: boolean;
  /** Milliseconds since the epoch; null does not end. */
  expiresAt: number | null;
}

/** Checks a JWT. Rejects with an `AuthenticationError`. */
export type VerifyIdentity = (
  token: string,
) => Promise<{ identity: NonNullable<Identity>; expiresAt: number | null }>;

/** The token or key is not valid here; `code` is Convex's own short one. */
export class AuthenticationError extends Error {
  readonly code: string;
  /** A new token was refused (the client must get another), not one in use found expired. */
  readonly whileUpdating: boolean;
  /** Nothing was presented that could be checked: a request that is wrong in itself. */
  readonly isMalformed: boolean;

  constructor(code: string, message: string, { whileUpdating = false, isMalformed = false } = {}) {
    super(message);
    this.name = 'AuthenticationError';
    this.code = code;
    this.whileUpdating = whileUpdating;
    this.isMalformed = isMalformed;
  }
}

export const anonymous: Caller = { identity: null, isAdmin: false, expiresAt: null };

/** Who somebody is by what they present. Every method throws an `AuthenticationError`. */
export class Authentication {
  readonly #adminSecret: Buffer;
  readonly #verifyIdentity: VerifyIdentity;

  constructor(options: { adminKey: string; verifyIdentity: VerifyIdentity }) {
    this.#adminSecret = digest(secretOf(options.adminKey));
    this.#verifyIdentity = options.verifyIdentity;
  }

  async user(token: string): Promise<Caller> {
    return { ...(await this.#verifyIdentity(token)), isAdmin: false };
  }

  /** `<name>|<secret>`, where the name (also `prod:name`) is not part of the secret. */
  admin(key: string, actingAs?: unknown): Caller {
    // Hashes have equal lengths, so the comparison tells nothing, not even a length.
    if (!timingSafeEqual(digest(secretOf(key)), this.#adminSecret)) {
      throw new AuthenticationError(
        'BadDeployKey',
        'The admin key is not the one of this deployment; it is in the file "admin-key" beside the database.',
      );
    }
    const identity = actingAs === undefined ? null : actingIdentity(actingAs);
    return { identity, isAdmin: true, expiresAt: null };
  }

  /** `Bearer <jwt>` or `Convex <adminKey>[:<base64 of identity JSON>]`; absent is anonymous. */
  async header(authorization: string | undefined): Promise<Caller> {
    if (authorization === undefined) return anonymous;
    const [, scheme, value] = /^(Bearer|Convex)\s+(\S+)$/i.exec(authorization.trim()) ?? [];
    if (scheme === undefined || value === undefined) {
      throw new AuthenticationError(
        'InvalidAuthHeader',
        'The Authorization header must be "Bearer <token>" or "Convex <admin key>".',
        { isMalformed: true },
      );
    }
    if (scheme.toLowerCase() === 'bearer') return this.user(value);
    const bar = value.lastIndexOf('|');
    const colon = value.indexOf(':', bar + 1);
    if (colon === -1) return this.admin(value);
    return this.admin(value.slice(0, colon), decodeIdentity(value.slice(colon + 1)));
  }
}

function secretOf(key: string): string {
  return key.slice(key.lastIndexOf('|') + 1);
}

function digest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

function decodeIdentity(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
  } catch {
    throw badIdentity();
  }
}

/** The identity that an admin takes on: `tokenIdentifier`, or `issuer` and `subject`. */
function actingIdentity(claims: unknown): NonNullable<Identity> {
  if (typeof claims !== 'object' || claims === null) throw badIdentity();
  const { tokenIdentifier, issuer, subject } = claims as Record<string, unknown>; // any object is one
  if (typeof tokenIdentifier === 'string') return { ...claims, tokenIdentifier };
  if (typeof issuer === 'string' && typeof subject === 'string') {
    return { ...claims, tokenIdentifier: `${issuer}|${subject}` };
  }
  throw badIdentity();
}

function badIdentity(): AuthenticationError {
  return new AuthenticationError(
    'InvalidIdentity',
    'The identity to act as must be an object with "tokenIdentifier", or with "issuer" and "subject".',
    { isMalformed: true },
  );
}
