import type { JWTPayload } from 'jose';
import type { Identity } from '../executor.ts';

type User = NonNullable<Identity>;

/**
 * What `getUserIdentity()` gives for a custom JWT: every claim under its own name, nested
 * objects as `outer.inner`. Left out is what changes with each new token of the same user.
 */
export function customJwtIdentity(payload: Verified): User {
  const claims = Object.entries(payload).filter(([name]) => !unstable.has(name));
  return { ...Object.fromEntries(claims.flatMap(flatten)), ...who(payload) };
}

/** For OpenID Connect, whose standard claims have Convex's own names; the rest as it is. */
export function oidcIdentity(payload: Verified): User {
  const identity: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(payload)) {
    if (unstable.has(name) || ofTheLogin.has(name)) continue;
    const standard = standardClaims.get(name);
    if (standard === undefined) identity[name] = value;
    else identity[standard] = standardValue(name, value);
  }
  return { ...identity, ...who(payload) };
}

/** What no token is taken without. */
export type Verified = JWTPayload & { iss: string; sub: string; exp: number };

/** Last in each identity: no claim of a token may stand in for these. */
function who({ iss, sub }: Verified) {
  return { tokenIdentifier: `${iss}|${sub}`, issuer: iss, subject: sub };
}

/** The registered claims, and Clerk's "factor verification age". */
const unstable = new Set(['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'fva']);

/** Of the one login that OpenID Connect's token tells of. */
const ofTheLogin = new Set(['nonce', 'auth_time', 'acr', 'amr', 'azp', 'at_hash', 'c_hash']);

const standardClaims = new Map([
  ['name', 'name'],
  ['given_name', 'givenName'],
  ['family_name', 'familyName'],
  ['nickname', 'nickname'],
  ['preferred_username', 'preferredUsername'],
  ['profile', 'profileUrl'],
  ['picture', 'pictureUrl'],
  ['website', 'websiteUrl'],
  ['email', 'email'],
  ['email_verified', 'emailVerified'],
  ['gender', 'gender'],
  ['birthdate', 'birthday'],
  ['zoneinfo', 'timezone'],
  ['locale', 'language'],
  ['phone_number', 'phoneNumber'],
  ['phone_number_verified', 'phoneNumberVerified'],
  ['address', 'address'],
  ['updated_at', 'updatedAt'],
]);

function standardValue(name: string, value: unknown): unknown {
  // Seconds since the epoch become RFC 3339, in the form that Convex writes.
  if (name === 'updated_at' && typeof value === 'number') {
    return new Date(value * 1000).toISOString().replace(/(?:\.000)?Z$/, '+00:00');
  }
  if (name === 'address' && typeof value === 'object' && value !== null) {
    return 'formatted' in value ? value.formatted : undefined;
  }
  return value;
}

function flatten([name, value]: [string, unknown]): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[name, value]];
  return Object.entries(value).flatMap(([inner, nested]) => flatten([`${name}.${inner}`, nested]));
}
