import { createHash } from 'node:crypto';
import type { UserIdentity } from 'convex/server';
import type { Identity } from '../executor.ts';

/** A whole identity of some of its attributes; equal attributes make the same person. */
export function testIdentity(attributes: Partial<UserIdentity>): NonNullable<Identity> {
  const {
    issuer = 'https://convex.test',
    subject = createHash('sha256').update(JSON.stringify(attributes)).digest('hex').slice(0, 16),
    tokenIdentifier = `${issuer}|${subject}`,
  } = attributes;
  return { ...attributes, issuer, subject, tokenIdentifier };
}

/** A token with the claims of an identity, unsigned: nobody in a test checks it. */
export function testToken(identity: NonNullable<Identity>): string {
  const { tokenIdentifier: _, issuer, subject, ...attributes } = identity;
  const claims = Object.entries(attributes).map(([name, value]) => [
    claimNames.get(name) ?? name,
    value,
  ]);
  const payload = { ...Object.fromEntries(claims), iss: issuer, sub: subject };
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  return `${encode({ alg: 'none', typ: 'JWT' })}.${encode(payload)}.`;
}

/** OpenID Connect's names of what Convex names in its own way. */
const claimNames = new Map([
  ['givenName', 'given_name'],
  ['familyName', 'family_name'],
  ['preferredUsername', 'preferred_username'],
  ['profileUrl', 'profile'],
  ['pictureUrl', 'picture'],
  ['websiteUrl', 'website'],
  ['emailVerified', 'email_verified'],
  ['birthday', 'birthdate'],
  ['timezone', 'zoneinfo'],
  ['language', 'locale'],
  ['phoneNumber', 'phone_number'],
  ['phoneNumberVerified', 'phone_number_verified'],
  ['updatedAt', 'updated_at'],
]);
