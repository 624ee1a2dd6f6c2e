import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { createLocalJWKSet, createRemoteJWKSet } from 'jose';
import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose';
import { AuthenticationError } from '../authentication.ts';

/**
 * The public keys of providers. Those behind `http(s):` are kept for minutes and asked for
 * again when a token names one that is not among them; a `file:` is read for each token, so
 * that a new key counts at once.
 */
export class KeySets {
  readonly #kept = new Map<string, JWTVerifyGetKey>();
  /** Where discovery has found the keys, by issuer. */
  readonly #discovered = new Map<string, Promise<string>>();

  /** Rejects with an `AuthenticationError` when there are no keys at this URL. */
  async at(url: string): Promise<JWTVerifyGetKey> {
    if (/^https?:/.test(url)) return this.#kept.get(url) ?? this.#remoteAt(url);
    if (url.startsWith('file:')) return readKeys(url);
    const keys = this.#kept.get(url) ?? (await readKeys(url));
    this.#kept.set(url, keys);
    return keys;
  }

  /** The keys of an OpenID Connect provider, by its discovery document. Rejects as `at`. */
  async of(issuer: string): Promise<JWTVerifyGetKey> {
    let found = this.#discovered.get(issuer);
    if (found === undefined) {
      found = discover(issuer);
      this.#discovered.set(issuer, found);
      // The next token tries again.
      found.catch(() => this.#discovered.delete(issuer));
    }
    return this.at(await found);
  }

  #remoteAt(url: string): JWTVerifyGetKey {
    const keys = createRemoteJWKSet(new URL(url), { timeoutDuration: fetchLimitMs });
    this.#kept.set(url, keys);
    return keys;
  }
}

/** Milliseconds. Nothing of a connection is answered while its token is checked. */
const fetchLimitMs = 5000;

async function readKeys(url: string): Promise<JWTVerifyGetKey> {
  try {
    const text = url.startsWith('data:')
      ? await (await fetch(url)).text()
      : await readFile(fileURLToPath(url), 'utf8');
    // createLocalJWKSet checks that it is one.
    return createLocalJWKSet(JSON.parse(text) as JSONWebKeySet);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AuthenticationError(
      'InvalidAuthHeader',
      `The provider's JWKS is not a JSON Web Key Set: ${reason}`,
    );
  }
}

/** @param issuer as the token has it: slash and all, the document has to name the same */
async function discover(issuer: string): Promise<string> {
  const failed = (reason: string) =>
    new AuthenticationError(
      'AuthProviderDiscoveryFailed',
      `Auth provider discovery of ${issuer} failed: ${reason}`,
    );
  let response: Response;
  let metadata: unknown;
  try {
    response = await fetch(`${issuer.replace(/\/+$/, '')}/.well-known/openid-configuration`, {
      signal: AbortSignal.timeout(fetchLimitMs),
    });
    metadata = response.ok ? await response.json() : null;
  } catch (cause) {
    throw failed(cause instanceof Error ? cause.message : String(cause));
  }
  if (!response.ok) throw failed(`HTTP status ${response.status}`);
  if (typeof metadata !== 'object' || metadata === null) throw failed('it is not an object');
  if (!('issuer' in metadata) || metadata.issuer !== issuer)
    throw failed('it names another issuer');
  if (!('jwks_uri' in metadata) || typeof metadata.jwks_uri !== 'string') {
    throw failed('it has no "jwks_uri"');
  }
  return metadata.jwks_uri;
}
