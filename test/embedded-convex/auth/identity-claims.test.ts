import { expect, test } from 'vitest';
import {
  customJwtIdentity,
  oidcIdentity,
} from '../../../src/embedded-convex/auth/identity-claims.ts';

const registered = {
  iss: 'https://issuer.example.com',
  sub: 'ann',
  aud: 'app',
  exp: 2_000_000_000,
  iat: 1_900_000_000,
  nbf: 1_900_000_000,
  jti: 'once',
};
const who = {
  tokenIdentifier: 'https://issuer.example.com|ann',
  issuer: 'https://issuer.example.com',
  subject: 'ann',
};

test('a custom JWT keeps its own names, nested objects become dotted ones', () => {
  const claims = { role: 'bridge', given_name: 'Ann', org: { id: 7, of: { tags: ['a'] } } };
  expect(customJwtIdentity({ ...registered, ...claims, fva: [1, -1] })).toEqual({
    ...who,
    role: 'bridge',
    given_name: 'Ann',
    'org.id': 7,
    'org.of.tags': ['a'],
  });
});

test('an OpenID Connect token gets the names of Convex, and keeps what has none', () => {
  const claims = {
    given_name: 'Ann',
    email_verified: true,
    picture: 'https://example.com/ann.png',
    birthdate: '2000-01-02',
    zoneinfo: 'Europe/Berlin',
    locale: 'de',
    address: { formatted: 'Some Street 1', country: 'DE' },
    updated_at: 1_900_000_000,
    org: { id: 7 },
  };
  const ofTheLogin = { nonce: 'n', auth_time: 1, azp: 'app', fva: [1, 2] };
  expect(oidcIdentity({ ...registered, ...ofTheLogin, ...claims })).toEqual({
    ...who,
    givenName: 'Ann',
    emailVerified: true,
    pictureUrl: 'https://example.com/ann.png',
    birthday: '2000-01-02',
    timezone: 'Europe/Berlin',
    language: 'de',
    address: 'Some Street 1',
    updatedAt: '2030-03-17T17:46:40+00:00',
    org: { id: 7 },
  });
});

test('no claim stands in for who somebody is', () => {
  const forged = { tokenIdentifier: 'forged', issuer: 'forged', subject: 'forged' };
  expect(customJwtIdentity({ ...registered, ...forged })).toEqual(who);
  expect(oidcIdentity({ ...registered, ...forged })).toEqual(who);
});
