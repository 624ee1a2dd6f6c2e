import { describe, expect, test } from 'vitest';
import { normalIssuer, parseAuthConfig } from '../../../src/embedded-convex/auth/auth-config.ts';

const customJwt = {
  type: 'customJwt',
  issuer: 'auth.example.com',
  jwks: 'data:text/plain;charset=utf-8;base64,e30=',
  algorithm: 'ES256',
};

test('both kinds of providers are understood, in the order in which they stand', () => {
  const oidc = { domain: 'https://login.example.com/', applicationID: 'app' };
  expect(parseAuthConfig({ providers: [oidc, customJwt] })).toEqual([
    { type: 'oidc', issuer: 'https://login.example.com', applicationId: 'app' },
    { ...customJwt, issuer: 'https://auth.example.com', applicationId: null },
  ]);
  expect(parseAuthConfig({ providers: [] })).toEqual([]);
});

test('issuers that differ in a slash or in the protocol that goes without saying are the same', () => {
  const spellings = ['a.example.com', 'https://a.example.com', 'https://a.example.com/'];
  expect(new Set(spellings.map(normalIssuer)).size).toBe(1);
  expect(normalIssuer('http://a.example.com')).not.toBe(normalIssuer('a.example.com'));
});

describe('what is wrong is named', () => {
  test.each([
    [undefined, /"providers"/],
    [{ providers: {} }, /"providers"/],
    [{ providers: ['x'] }, /provider 0 is not an object/],
    [{ providers: [customJwt, { domain: 'a.com' }] }, /provider 1 has no "applicationID"/],
    [{ providers: [{ type: 'saml' }] }, /unknown type "saml"/],
    [{ providers: [{ ...customJwt, algorithm: 'HS256' }] }, /"RS256" or "ES256", not "HS256"/],
    [{ providers: [{ ...customJwt, jwks: 'keys.json' }] }, /URL that begins with data:/],
    [{ providers: [{ ...customJwt, jwks: undefined }] }, /has no "jwks"/],
    [{ providers: [{ ...customJwt, issuer: 'a-bridge' }] }, /does not look like a URL/],
    [{ providers: [{ ...customJwt, issuer: 'ftp://a.com' }] }, /does not look like a URL/],
  ])('%j', (config, message) => {
    expect(() => parseAuthConfig(config)).toThrow(message);
  });
});
