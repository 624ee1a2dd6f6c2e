import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { AuthProvider } from '../../../src/embedded-convex/auth/auth-config.ts';
import { normalIssuer } from '../../../src/embedded-convex/auth/auth-config.ts';
import { tokenVerifier } from '../../../src/embedded-convex/auth/verify-token.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { tokenIssuer } from '../support/token-issuer.ts';
import type { TokenIssuer } from '../support/token-issuer.ts';

function customJwt(issuer: TokenIssuer, more: object = {}): AuthProvider {
  return {
    type: 'customJwt',
    issuer: normalIssuer(issuer.issuer),
    applicationId: null,
    jwks: issuer.dataUrl,
    algorithm: 'ES256',
    ...more,
  };
}

const now = () => Math.floor(Date.now() / 1000);

test.each(['ES256', 'RS256'] as const)('a token signed with %s is taken', async (algorithm) => {
  const issuer = await tokenIssuer({ algorithm });
  const verify = tokenVerifier(() => [customJwt(issuer, { algorithm })]);
  const exp = now() + 60;
  expect(await verify(await issuer.sign({ sub: 'ann', role: 'client', exp }))).toEqual({
    identity: {
      tokenIdentifier: `${issuer.issuer}|ann`,
      issuer: issuer.issuer,
      subject: 'ann',
      role: 'client',
    },
    expiresAt: exp * 1000,
  });
});

test('an issuer without a protocol is the one that the configuration names with https', async () => {
  const issuer = await tokenIssuer({ issuer: 'some-bridge' });
  const verify = tokenVerifier(() => [customJwt(issuer)]);
  const { identity } = await verify(await issuer.sign({ sub: 'ann' }));
  expect(identity.tokenIdentifier).toBe('some-bridge|ann');
});

describe('what is not in order is refused, with the code of Convex', () => {
  const cases: Record<string, [(issuer: TokenIssuer) => Promise<string>, RegExp, string?]> = {
    'no JWT': [() => Promise.resolve('x.y'), /three base64-encoded parts/],
    'no issuer': [(issuer) => issuer.sign({ sub: 'a', iss: undefined }), /Missing issuer/],
    'a foreign issuer': [
      (issuer) => issuer.sign({ sub: 'a', iss: 'https://else.example.com' }),
      /providers: \[CustomJWT\(issuer=https:\/\/issuer\.example\.com, app_id=none\)\]/,
      'NoAuthProvider',
    ],
    'no subject': [(issuer) => issuer.sign({}), /missing required "sub"/],
    'no expiry': [(issuer) => issuer.sign({ sub: 'a', exp: undefined }), /missing required "exp"/],
    'expired for longer than clocks differ': [
      (issuer) => issuer.sign({ sub: 'a', exp: now() - 6 }),
      /Could not validate token/,
    ],
    'not valid yet': [(issuer) => issuer.sign({ sub: 'a', nbf: now() + 60 }), /Could not validate/],
    'no key id': [(issuer) => issuer.sign({ sub: 'a' }, { kid: undefined }), /missing a 'kid'/],
    'an unknown key id': [
      (issuer) => issuer.sign({ sub: 'a' }, { kid: 'other' }),
      /header is 'other', does this key match/,
    ],
    'signed by somebody else': [
      async () => (await tokenIssuer()).sign({ sub: 'a' }),
      /does this key match any key/,
    ],
    'without a signature': [
      async (issuer) => {
        const [, payload = ''] = (await issuer.sign({ sub: 'a' })).split('.');
        const header = Buffer.from('{"alg":"none","kid":"key-1"}').toString('base64url');
        return `${header}.${payload}.`;
      },
      /does this key match any key/,
    ],
  };
  test.each(Object.entries(cases))('%s', async (_name, [make, message, code]) => {
    const issuer = await tokenIssuer();
    const verify = tokenVerifier(() => [customJwt(issuer)]);
    const refused = verify(await make(issuer));
    await expect(refused).rejects.toMatchObject({
      name: 'AuthenticationError',
      code: code ?? 'InvalidAuthHeader',
    });
    await expect(refused).rejects.toThrow(message);
  });
});

test('a secret of the public key is no signature of it', async () => {
  const issuer = await tokenIssuer({ algorithm: 'RS256' });
  // The classic attack: HS256 with the public key as the secret.
  const verify = tokenVerifier(() => [customJwt(issuer, { algorithm: 'RS256' })]);
  const forged = await tokenIssuer({ algorithm: 'ES256' });
  await expect(verify(await forged.sign({ sub: 'a' }))).rejects.toThrow(/does this key match/);
});

test('a token within five seconds of its end is taken, and counts as expired', async () => {
  const issuer = await tokenIssuer();
  const exp = now() - 2;
  const { expiresAt } = await tokenVerifier(() => [customJwt(issuer)])(
    await issuer.sign({ sub: 'a', exp }),
  );
  expect(expiresAt).toBe(exp * 1000);
});

test('the first provider that fits by issuer and audience decides', async () => {
  const issuer = await tokenIssuer();
  const verify = tokenVerifier(() => [
    customJwt(issuer, { applicationId: 'one' }),
    customJwt(issuer, { applicationId: 'two' }),
  ]);
  expect((await verify(await issuer.sign({ sub: 'a', aud: ['x', 'two'] }))).identity.subject).toBe(
    'a',
  );
  await expect(verify(await issuer.sign({ sub: 'a', aud: 'three' }))).rejects.toThrow(
    'No auth provider found',
  );
  await expect(verify(await issuer.sign({ sub: 'a' }))).rejects.toThrow('No auth provider found');
});

test('without providers the message says where they belong', async () => {
  const issuer = await tokenIssuer();
  await expect(tokenVerifier(() => [])(await issuer.sign({ sub: 'a' }))).rejects.toThrow(
    'No auth provider found matching the given token (no providers configured). Check convex/auth.config.ts.',
  );
});

test('a key that is changed in a file counts for the next token', async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, 'jwks.json');
  const [before, after] = [await tokenIssuer({ kid: 'old' }), await tokenIssuer({ kid: 'new' })];
  const verify = tokenVerifier(() => [customJwt(before, { jwks: pathToFileURL(file).href })]);
  writeFileSync(file, JSON.stringify(before.jwks));
  await verify(await before.sign({ sub: 'a' }));
  writeFileSync(file, JSON.stringify(after.jwks));
  await verify(await after.sign({ sub: 'a' }));
  await expect(verify(await before.sign({ sub: 'a' }))).rejects.toThrow(/header is 'old'/);
  writeFileSync(file, 'no JSON');
  await expect(verify(await after.sign({ sub: 'a' }))).rejects.toThrow(/not a JSON Web Key Set/);
});

test('keys are fetched over HTTP once for many tokens', async () => {
  const issuer = await tokenIssuer();
  const web = await serve({ '/keys': issuer.jwks });
  const verify = tokenVerifier(() => [customJwt(issuer, { jwks: `${web.url}/keys` })]);
  await verify(await issuer.sign({ sub: 'a' }));
  await verify(await issuer.sign({ sub: 'b' }));
  expect(web.asked).toEqual(['/keys']);
  const gone = tokenVerifier(() => [customJwt(issuer, { jwks: `${web.url}/none` })]);
  await expect(gone(await issuer.sign({ sub: 'a' }))).rejects.toMatchObject({
    code: 'InvalidAuthHeader',
  });
});

describe('OpenID Connect', () => {
  async function provider() {
    const documents: Record<string, unknown> = {};
    const web = await serve(documents);
    const issuer = await tokenIssuer({ algorithm: 'RS256', issuer: `${web.url}/` });
    documents['/.well-known/openid-configuration'] = {
      issuer: issuer.issuer,
      jwks_uri: `${web.url}/keys`,
    };
    documents['/keys'] = issuer.jwks;
    const oidc: AuthProvider = { type: 'oidc', issuer: web.url, applicationId: 'app' };
    return { web, issuer, documents, verify: tokenVerifier(() => [oidc]) };
  }

  test('keys are found by discovery, once', async () => {
    const { web, issuer, verify } = await provider();
    const token = await issuer.sign({ sub: 'ann', aud: 'app', given_name: 'Ann' });
    expect((await verify(token)).identity).toMatchObject({ subject: 'ann', givenName: 'Ann' });
    await verify(token);
    expect(web.asked).toEqual(['/.well-known/openid-configuration', '/keys']);
  });

  test('a token for several audiences, or expired by a second, is refused', async () => {
    const { issuer, verify } = await provider();
    const refused = { code: 'Unauthenticated' };
    const several = await issuer.sign({ sub: 'a', aud: ['app', 'other'] });
    await expect(verify(several)).rejects.toMatchObject(refused);
    const expired = await issuer.sign({ sub: 'a', aud: 'app', exp: now() - 1 });
    await expect(verify(expired)).rejects.toMatchObject(refused);
  });

  test('a provider that fails is asked again for the next token', async () => {
    const { issuer, documents, verify } = await provider();
    const token = await issuer.sign({ sub: 'a', aud: 'app' });
    const { '/.well-known/openid-configuration': document } = documents;
    delete documents['/.well-known/openid-configuration'];
    await expect(verify(token)).rejects.toMatchObject({ code: 'AuthProviderDiscoveryFailed' });
    documents['/.well-known/openid-configuration'] = { issuer: 'https://else.example.com' };
    await expect(verify(token)).rejects.toThrow(/names another issuer/);
    documents['/.well-known/openid-configuration'] = document;
    await verify(token);
  });
});

async function serve(documents: Record<string, unknown>) {
  const asked: string[] = [];
  const server = createServer(({ url = '' }, response) => {
    asked.push(url);
    const document = documents[url];
    response.writeHead(document === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(document ?? {}));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}`, asked };
}
