import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { AuthenticationError } from '../../../src/embedded-convex/authentication.ts';
import { api, startBackend } from '../support/backend.ts';
import type { Backend } from '../support/backend.ts';
import { add, connect, modify, rawClient } from '../support/raw-client.ts';
import { watch } from '../support/values-seen.ts';

const verified: string[] = [];
/** Milliseconds that a token is good for from when it was checked; null: for ever. */
let goodForMs: number | null = null;

/** Tokens are JWTs without a signature; what matters here is what the server does with them. */
async function verifyIdentity(token: string) {
  const { sub } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  verified.push(sub);
  // Long enough that anything which does not wait for it overtakes it.
  await new Promise((resolve) => setTimeout(resolve, 20));
  if (sub === 'nobody') throw new AuthenticationError('InvalidAuthHeader', 'not known here');
  const identity = { tokenIdentifier: `test|${sub}`, issuer: 'test', subject: sub };
  return { identity, expiresAt: goodForMs === null ? null : Date.now() + goodForMs };
}

let backend: Backend;
beforeAll(async () => {
  backend = await startBackend({ verifyIdentity });
});
afterAll(() => backend[Symbol.asyncDispose]());
beforeEach(() => {
  verified.length = 0;
  goodForMs = null;
});

test('no result from before the token was checked is ever shown', async () => {
  const client = backend.client({ expectAuth: true });
  const changes = vi.fn<(isAuthenticated: boolean) => void>();
  const seen = watch(client, api.rooms.whoami, {});
  client.setAuth(() => Promise.resolve(token('ann')), changes);
  await seen.until((value) => value === 'ann');
  expect(seen.values).toEqual(['ann']);
  expect(changes.mock.calls).toEqual([[true]]);
});

test('two users of the same query each see their own, and share what ignores them', async () => {
  const room = 'identities';
  const clients = ['ann', 'bob', 'ann'].map((user) => {
    const client = backend.client({ expectAuth: true });
    client.setAuth(() => Promise.resolve(token(user)));
    return {
      user,
      who: watch(client, api.rooms.whoami, {}),
      room: watch(client, api.rooms.list, { room }),
    };
  });
  for (const { user, who } of clients) expect(await who.until(() => true)).toBe(user);
  await Promise.all(clients.map((client) => client.room.until(() => true)));
  expect(backend.executions('list')).toBe(1);
});

test('a change of user shows the new one, and none of the old ones results', async () => {
  using client = await rawClient(backend.url);
  const authenticate = { type: 'Authenticate', tokenType: 'User' };
  client.send(connect(), { ...authenticate, baseVersion: 0, value: token('ann') });
  client.send(modify(0, add(0, 'whoami', {}), add(1, 'count', { room: 'change' })));
  expect(await client.nextChanges()).toMatchObject([{ value: 'ann' }, { value: 0 }]);
  client.send({ ...authenticate, baseVersion: 1, value: token('bob') });
  // The count does not depend on who asks, so it is not sent again.
  expect(await client.nextChanges()).toMatchObject([{ queryId: 0, value: 'bob' }]);
  client.send({ type: 'Authenticate', tokenType: 'None', baseVersion: 2 });
  expect(await client.nextChanges()).toMatchObject([{ queryId: 0, value: null }]);
});

test('a fresh token of the same user changes the version and runs nothing', async () => {
  using client = await rawClient(backend.url);
  const authenticate = { type: 'Authenticate', tokenType: 'User', value: token('ann') };
  client.send(connect(), { ...authenticate, baseVersion: 0 }, modify(0, add(0, 'whoami', {})));
  await client.nextChanges();
  const before = backend.executions('whoami');
  client.send({ ...authenticate, baseVersion: 1 });
  expect(await client.next('Transition')).toMatchObject({
    endVersion: { identity: 2 },
    modifications: [],
  });
  expect(backend.executions('whoami')).toBe(before);
});

test('a client with a bad token tries afresh, then gives up and says so', async () => {
  const client = backend.client();
  const done = Promise.withResolvers<boolean>();
  // A new token each time, or the client would not even ask again.
  let issued = 0;
  client.setAuth(() => Promise.resolve(token('nobody', issued++)), done.resolve);
  expect(await done.promise).toBe(false);
  expect(verified.length).toBeGreaterThanOrEqual(3);
});

test('a refused token leaves the identity version where it was', async () => {
  using client = await rawClient(backend.url);
  const authenticate = { type: 'Authenticate', tokenType: 'User' };
  client.send(connect(), { ...authenticate, baseVersion: 0, value: token('ann') }, modify(0));
  await client.next('Transition');
  client.send({ ...authenticate, baseVersion: 1, value: token('nobody') });
  expect(await client.next()).toEqual({
    type: 'AuthError',
    error: 'InvalidAuthHeader: not known here',
    baseVersion: 1,
    authUpdateAttempted: true,
  });
  expect((await client.closed).code).toBe(1005);
});

test('a token refused before the client was shown the one before names that one, or would be ignored', async () => {
  const gate = Promise.withResolvers<void>();
  await using slow = await startBackend({
    verifyIdentity,
    wrap: (executor) => ({
      ...executor,
      queries: async (requests) => {
        await gate.promise;
        return executor.queries(requests);
      },
    }),
  });
  using client = await rawClient(slow.url);
  const authenticate = { type: 'Authenticate', tokenType: 'User' };
  client.send(
    connect(),
    { ...authenticate, baseVersion: 0, value: token('ann') },
    modify(0, add(0, 'whoami', {})),
    { ...authenticate, baseVersion: 1, value: token('nobody') },
  );
  expect(await client.next()).toMatchObject({ type: 'AuthError', baseVersion: 1 });
  gate.resolve();
});

test('a token that runs out ends even a connection on which nothing happens', async () => {
  goodForMs = 150;
  using client = await rawClient(backend.url);
  const before = Date.now();
  client.send(connect(), {
    type: 'Authenticate',
    tokenType: 'User',
    baseVersion: 0,
    value: token('ann'),
  });
  // Which says that it was taken, and is good no more.
  expect(await client.next('AuthError')).toMatchObject({ authUpdateAttempted: false });
  expect(Date.now() - before).toBeGreaterThanOrEqual(goodForMs);
});

test('messages that arrive while a token is checked wait for it', async () => {
  using client = await rawClient(backend.url);
  client.send(
    connect(),
    { type: 'Authenticate', tokenType: 'User', baseVersion: 0, value: token('ann') },
    { type: 'Authenticate', tokenType: 'User', baseVersion: 1, value: token('bob') },
    modify(0, add(0, 'whoami', {})),
  );
  expect(await client.nextChanges()).toMatchObject([{ value: 'bob' }]);
});

test('without a provider every token is refused, as by a deployment without auth', async () => {
  await using bare = await startBackend();
  using client = await rawClient(bare.url);
  client.send(connect(), {
    type: 'Authenticate',
    tokenType: 'User',
    baseVersion: 0,
    value: token('ann'),
  });
  const refused = await client.next();
  expect(refused).toMatchObject({ type: 'AuthError', authUpdateAttempted: true });
  expect(refused['error']).toContain('No auth provider found');
});

function token(sub: string, serial = 0): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  return `${part({ alg: 'none' })}.${part({ iss: 'test', sub, serial, iat: now, exp: now + 3600 })}.x`;
}
