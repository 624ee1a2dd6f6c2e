/** The bridge's tokens for Convex: signed with a key of the home, checked by its public half. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import { z } from 'zod';
import { ISSUER } from '../convex/issuer.ts';
import { BridgeError } from './errors.ts';
import { keepPrivately, openHome } from './home.ts';

/** What its bearer may do; data-model.md lists it, and `convex/register.ts` sees to it. */
export type TokenRole = 'client' | 'bridge';

export interface SignedToken {
  token: string;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

/** Seconds. Long enough for a script, short enough for one that was lost. */
const LIFETIME_S = 3600;

export class TokenSigner {
  readonly #key: KeyObject;
  readonly #keyId: string;
  readonly #subject: string;

  constructor(key: KeyObject, keyId: string, subject: string) {
    this.#key = key;
    this.#keyId = keyId;
    this.#subject = subject;
  }

  /** All tokens of a role are one identity, so that its clients share the runs of their queries. */
  async sign(role: TokenRole): Promise<SignedToken> {
    const now = Math.floor(Date.now() / 1000);
    const expires = now + LIFETIME_S;
    const token = await new SignJWT({ role })
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid: this.#keyId })
      .setIssuer(ISSUER)
      .setSubject(this.#subject)
      .setIssuedAt(now)
      .setExpirationTime(expires)
      .sign(this.#key);
    return { token, expiresAt: expires * 1000 };
  }

  /** The public half. */
  get publicKey(): Record<string, unknown> {
    const jwk = createPublicKey(this.#key).export({ format: 'jwk' });
    return { ...jwk, kid: this.#keyId, alg: 'ES256', use: 'sig' };
  }

  /** The private half, so that it can be kept out of what others read. */
  get privateValue(): string {
    return this.#key.export({ format: 'jwk' }).d ?? '';
  }

  /** What `convex/auth.config.ts` reads. Nothing of it is secret. */
  get environment(): Record<string, string> {
    return { OPENAGENTS_JWKS: keySetUrl([this.publicKey]) };
  }
}

/** Makes the key when there is none. Errors: as of `openHome`. */
export function openTokenSigner(home: string): TokenSigner {
  const { bridgeId } = openHome(home);
  const stored = storedKey.safeParse(keepPrivately(home, 'convex-key.json', newKey));
  try {
    if (!stored.success) throw stored.error;
    const { kid, ...jwk } = stored.data;
    return new TokenSigner(createPrivateKey({ key: jwk, format: 'jwk' }), kid, bridgeId);
  } catch (cause) {
    throw new BridgeError(
      'config_invalid',
      `${home}/convex-key.json is no key of the bridge; remove it, and a new one is made`,
      { cause },
    );
  }
}

/** A key set as `auth.config.ts` takes it. */
export function keySetUrl(keys: readonly unknown[]): string {
  const text = Buffer.from(JSON.stringify({ keys })).toString('base64');
  return `data:text/plain;charset=utf-8;base64,${text}`;
}

const storedKey = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string(),
  y: z.string(),
  d: z.string(),
  kid: z.string().min(1),
});

function newKey(): z.infer<typeof storedKey> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return storedKey.parse({ ...privateKey.export({ format: 'jwk' }), kid: randomUUID() });
}
