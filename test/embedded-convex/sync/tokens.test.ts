/** Tokens from the first to the last: auth.config.ts, real signatures, official clients. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConvexHttpClient } from 'convex/browser';
import { expect, onTestFinished, test, vi } from 'vitest';
import { openExecutor } from '../../../src/embedded-convex/worker-executor.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { api, functionsFolder, startBackend } from '../support/backend.ts';
import type { Backend } from '../support/backend.ts';
import { writeFunctions } from '../support/functions-folder.ts';
import { tokenIssuer } from '../support/token-issuer.ts';
import type { TokenIssuer } from '../support/token-issuer.ts';
import { watch } from '../support/values-seen.ts';

const config = `
const issuer = process.env.TEST_ISSUER;
export default {
  providers: [{ type: 'customJwt', issuer, jwks: process.env.TEST_JWKS, algorithm: 'ES256' }],
};`;

function functions(): string {
  const temporary = temporaryFolder();
  onTestFinished(() => temporary[Symbol.dispose]());
  const folder = writeFunctions(temporary.path, { 'auth.config.ts': config });
  for (const file of ['rooms.ts', 'schema.ts']) {
    copyFileSync(join(functionsFolder, file), join(folder, file));
  }
  return folder;
}

async function backendFor(issuer: TokenIssuer): Promise<Backend> {
  const env = { TEST_ISSUER: issuer.issuer, TEST_JWKS: issuer.dataUrl };
  const backend = await startBackend({ functions: functions(), env });
  onTestFinished(() => backend[Symbol.asyncDispose]());
  return backend;
}

test('the tokens of auth.config.ts are taken over the WebSocket and over HTTP', async () => {
  const issuer = await tokenIssuer();
  const backend = await backendFor(issuer);
  const client = backend.client({ expectAuth: true });
  client.setAuth(() => issuer.sign({ sub: 'ann' }));
  const seen = watch(client, api.rooms.whoami, {});
  expect(await seen.until(() => true)).toBe('ann');
  const http = new ConvexHttpClient(backend.url, { skipConvexDeploymentUrlCheck: true });
  http.setAuth(await issuer.sign({ sub: 'bob' }));
  expect(await http.query(api.rooms.whoami, {})).toBe('bob');
  http.setAuth(await (await tokenIssuer()).sign({ sub: 'bob' }));
  await expect(http.query(api.rooms.whoami, {})).rejects.toThrow(/does this key match/);
});

test('a token that runs out while it is in use is replaced, and nobody notices', async () => {
  const issuer = await tokenIssuer();
  const backend = await backendFor(issuer);
  const client = backend.client({ expectAuth: true });
  const fetched: boolean[] = [];
  const changes = vi.fn<(isAuthenticated: boolean) => void>();
  client.setAuth(async ({ forceRefreshToken }) => {
    fetched.push(forceRefreshToken);
    // The client asks in time for one that lives longer; of these it learns the end by AuthError.
    const exp = Math.floor(Date.now() / 1000) + (fetched.length <= 2 ? 2 : 3600);
    return await issuer.sign({ sub: 'ann', exp });
  }, changes);
  const who = watch(client, api.rooms.whoami, {});
  const room = watch(client, api.rooms.list, { room: 'expiring' });
  await who.until((value) => value === 'ann');
  await vi.waitUntil(() => fetched.length >= 3, { timeout: 10_000, interval: 20 });
  await client.mutation(api.rooms.send, { room: 'expiring', body: 'still here' });
  await room.until((value) => Array.isArray(value) && value.length === 1);
  // Neither an error nor a moment as nobody.
  expect(new Set(who.values)).toEqual(new Set(['ann']));
  expect(changes.mock.calls).not.toContainEqual([false]);
});

test('an environment variable that is not set is named, and nothing starts', async () => {
  using folder = temporaryFolder();
  const opened = openExecutor({
    databasePath: join(folder.path, 'data.sqlite'),
    functions: { folder: functions() },
    env: { TEST_ISSUER: 'https://issuer.example.com' },
  });
  await expect(opened).rejects.toThrow(
    /Environment variable TEST_JWKS is used in auth config file but its value was not set/,
  );
});
