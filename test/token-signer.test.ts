import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { createLocalJWKSet, jwtVerify } from 'jose';
import type { JWK } from 'jose';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openHome } from '../src/home.ts';
import { openTokenSigner } from '../src/token-signer.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

let folder: ReturnType<typeof temporaryFolder>;
let home: string;
beforeEach(() => {
  folder = temporaryFolder();
  home = join(folder.path, 'home');
});
afterEach(() => folder[Symbol.dispose]());

const keyFile = () => join(home, 'convex-key.json');

test('the first use makes a key that only its owner can read, and later ones find it', async () => {
  const signer = openTokenSigner(home);
  expect(statSync(keyFile()).mode & 0o777).toBe(0o600);
  expect(openTokenSigner(home).publicKey).toEqual(signer.publicKey);
  const { token, expiresAt } = await signer.sign('client');
  const { payload, protectedHeader } = await jwtVerify(
    token,
    createLocalJWKSet({ keys: [signer.publicKey as JWK] }),
  );
  expect(payload).toMatchObject({
    iss: 'openagents-bridge',
    sub: openHome(home).bridgeId,
    role: 'client',
    exp: expiresAt / 1000,
  });
  expect(protectedHeader.kid).toBe(signer.publicKey['kid']);
});

test('what is handed to a deployment has nothing of the private half', () => {
  const signer = openTokenSigner(home);
  const { d } = JSON.parse(readFileSync(keyFile(), 'utf8'));
  expect(signer.publicKey).not.toHaveProperty('d');
  const [, text = ''] = String(signer.environment['OPENAGENTS_JWKS']).split('base64,');
  expect(Buffer.from(text, 'base64').toString()).not.toContain(d);
});

test('processes that make the key at the same moment get the same one', async () => {
  openHome(home);
  const module = JSON.stringify(new URL('../src/token-signer.ts', import.meta.url).href);
  const code = `import { openTokenSigner } from ${module};
    console.log(openTokenSigner(${JSON.stringify(home)}).publicKey.kid);`;
  const made = await Promise.all(
    Array.from({ length: 4 }, () => execa(process.execPath, ['--input-type=module', '-e', code])),
  );
  expect(new Set(made.map(({ stdout }) => stdout)).size).toBe(1);
});

test('a key that others can read, or that is none, is refused with what to do', () => {
  openTokenSigner(home);
  chmodSync(keyFile(), 0o644);
  expect(() => openTokenSigner(home)).toThrow(`chmod 600 ${keyFile()}`);
  chmodSync(keyFile(), 0o600);
  for (const text of ['{', '{}', '{"kty":"EC","crv":"P-256","x":"a","y":"b","d":"c","kid":"k"}']) {
    writeFileSync(keyFile(), text);
    expect(() => openTokenSigner(home)).toThrow(/remove it/);
  }
});
