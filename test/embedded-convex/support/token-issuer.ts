/** Somebody who signs tokens, with a key of their own. */
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { JSONWebKeySet } from 'jose';

export interface TokenIssuer {
  readonly issuer: string;
  readonly jwks: JSONWebKeySet;
  /** The key set as a `data:` URL. */
  readonly dataUrl: string;
  /** Good for an hour unless `exp` says otherwise; `header` overrides what stands there. */
  sign(
    claims: { [claim: string]: unknown },
    header?: { kid?: string | undefined; alg?: string },
  ): Promise<string>;
}

export async function tokenIssuer({
  issuer = 'https://issuer.example.com',
  algorithm = 'ES256',
  kid = 'key-1',
}: { issuer?: string; algorithm?: string; kid?: string } = {}): Promise<TokenIssuer> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm);
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid, alg: algorithm }] };
  return {
    issuer,
    jwks,
    dataUrl: dataUrlOf(jwks),
    sign: async (claims, header = {}) => {
      const now = Math.floor(Date.now() / 1000);
      return await new SignJWT({ iss: issuer, iat: now, exp: now + 3600, ...claims })
        .setProtectedHeader({ alg: algorithm, kid, ...header } as { alg: string; kid: string })
        .sign(privateKey);
    },
  };
}

function dataUrlOf(jwks: JSONWebKeySet): string {
  const text = Buffer.from(JSON.stringify(jwks)).toString('base64');
  return `data:text/plain;charset=utf-8;base64,${text}`;
}
