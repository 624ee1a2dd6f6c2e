import { decodeJwt, decodeProtectedHeader, errors, jwtVerify } from 'jose';
import type { JWTPayload, JWTVerifyOptions } from 'jose';
import { AuthenticationError } from '../authentication.ts';
import type { VerifyIdentity } from '../authentication.ts';
import { normalIssuer } from './auth-config.ts';
import type { AuthProvider, CustomJwtProvider, OidcProvider } from './auth-config.ts';
import { customJwtIdentity, oidcIdentity } from './identity-claims.ts';
import type { Verified } from './identity-claims.ts';
import { KeySets } from './key-sets.ts';

/**
 * Checks tokens by the providers of the moment: the first whose issuer is the token's, and
 * whose application is among its audiences, decides alone. Codes and texts are Convex's own.
 */
export function tokenVerifier(providers: () => readonly AuthProvider[]): VerifyIdentity {
  const keySets = new KeySets();
  return async (token) => {
    const claims = claimsOf(token);
    const known = providers();
    const provider = known.find((candidate) => matches(candidate, claims));
    if (provider === undefined) throw noProvider(known);
    const payload =
      provider.type === 'oidc'
        ? await verifyOidc(token, provider, claims.iss, keySets)
        : await verifyCustomJwt(token, provider, keySets);
    const identity = provider.type === 'oidc' ? oidcIdentity(payload) : customJwtIdentity(payload);
    return { identity, expiresAt: payload.exp * 1000 };
  };
}

async function verifyCustomJwt(
  token: string,
  { jwks, algorithm }: CustomJwtProvider,
  keySets: KeySets,
): Promise<Verified> {
  const keys = await keySets.at(jwks);
  const { kid } = decodeProtectedHeader(token);
  if (kid === undefined) {
    throw invalid("Could not decode token. JWT may be missing a 'kid' (key ID) header.");
  }
  try {
    return await verify(token, keys, {
      algorithms: [algorithm],
      // Clocks of two machines differ.
      clockTolerance: '5 seconds',
    });
  } catch (cause) {
    if (cause instanceof errors.JWTExpired || cause instanceof errors.JWTClaimValidationFailed) {
      throw invalid(`Could not validate token: ${cause.message}`);
    }
    throw invalid(
      `Could not decode token. The JWT's 'kid' (key ID) header is '${kid}', does this key match any key in the provider's JWKS? (${reasonOf(cause)})`,
    );
  }
}

async function verifyOidc(
  token: string,
  { applicationId }: OidcProvider,
  issuer: string,
  keySets: KeySets,
): Promise<Verified> {
  const keys = await keySets.of(issuer);
  try {
    const payload = await verify(token, keys, {
      algorithms: ['RS256', 'EdDSA'],
      audience: applicationId,
    });
    // A token for others as well might be one that somebody else passes on.
    if (Array.isArray(payload.aud) && payload.aud.length > 1) throw new Error('several audiences');
    return payload;
  } catch (cause) {
    throw new AuthenticationError(
      'Unauthenticated',
      `Could not verify OIDC token claim. Check that the token signature is valid and the token hasn't expired. (${reasonOf(cause)})`,
    );
  }
}

async function verify(
  token: string,
  keys: Awaited<ReturnType<KeySets['at']>>,
  options: JWTVerifyOptions,
): Promise<Verified> {
  const required = { requiredClaims: ['iss', 'sub', 'exp'] };
  const { payload } = await jwtVerify(token, keys, { ...options, ...required });
  // The line above has seen to it.
  return payload as Verified;
}

/** Of a token whose signature nobody has checked yet: at worst it leads to the wrong provider. */
function claimsOf(token: string): JWTPayload & { iss: string } {
  let payload: JWTPayload;
  try {
    payload = decodeJwt(token);
    decodeProtectedHeader(token);
  } catch {
    throw invalid(
      'Could not parse JWT payload. Check that the token is a valid JWT format with three base64-encoded parts separated by dots.',
    );
  }
  const { iss } = payload;
  if (typeof iss === 'string') return { ...payload, iss };
  throw invalid(
    "Missing issuer claim ('iss') in JWT payload. The JWT must include an 'iss' claim that matches one of your configured auth providers.",
  );
}

function matches(provider: AuthProvider, { iss, aud }: JWTPayload & { iss: string }): boolean {
  const { applicationId } = provider;
  const isMeant = applicationId === null || [aud ?? []].flat().includes(applicationId);
  return isMeant && provider.issuer === normalIssuer(iss);
}

function noProvider(known: readonly AuthProvider[]): AuthenticationError {
  const listed = known.map(({ type, issuer, applicationId }) =>
    type === 'oidc'
      ? `OIDC(domain=${issuer}, app_id=${applicationId})`
      : `CustomJWT(issuer=${issuer}, app_id=${applicationId ?? 'none'})`,
  );
  return new AuthenticationError(
    'NoAuthProvider',
    known.length === 0
      ? 'No auth provider found matching the given token (no providers configured). Check convex/auth.config.ts.'
      : `No auth provider found matching the given token. Check that your JWT's issuer and audience match one of your configured providers: [${listed.join(', ')}]`,
  );
}

function invalid(message: string): AuthenticationError {
  return new AuthenticationError('InvalidAuthHeader', message);
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
