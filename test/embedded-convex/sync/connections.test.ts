import { once } from 'node:events';
import { expect, test } from 'vitest';
import type { MutationResult } from '../../../src/embedded-convex/executor.ts';
import { api, startBackend } from '../support/backend.ts';
import { add, connect, modify, mutation, rawClient } from '../support/raw-client.ts';
import { watch } from '../support/values-seen.ts';

test('a connection on which nothing happens is pinged on both levels', async () => {
  const timing = { heartbeatMs: 20, pingAfterMs: 50 };
  await using backend = await startBackend({ timing });
  using client = await rawClient(backend.url);
  await once(client.socket, 'ping');
  expect(await client.next()).toEqual({ type: 'Ping' });
  expect(await client.next()).toEqual({ type: 'Ping' });
});

test('a client that has fallen silent is given up', async () => {
  const timing = { heartbeatMs: 20, clientTimeoutMs: 100 };
  await using backend = await startBackend({ timing });
  using answering = await rawClient(backend.url);
  using silent = await rawClient(backend.url, { autoPong: false });
  expect((await silent.closed).code).toBe(1006);
  expect(answering.socket.readyState).toBe(answering.socket.OPEN);
});

test('a server that stood still for longer gives up nobody who answers', async () => {
  const timing = { heartbeatMs: 20, clientTimeoutMs: 100 };
  await using backend = await startBackend({ timing });
  using client = await rawClient(backend.url);
  for (let round = 0; round < 3; round += 1) {
    // All of this process, as when the machine sleeps.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    await once(client.socket, 'ping');
  }
  client.send(connect(), modify(0));
  await client.next('Transition');
});

test('a client that does not read holds up nobody, and gets one large step in the end', async () => {
  await using backend = await startBackend();
  using slow = await rawClient(backend.url);
  slow.send(connect(), modify(0, add(0, 'list', { room: 'slow' })));
  await slow.nextChanges();
  slow.socket.pause();
  const writer = backend.client();
  const seen = watch(backend.client(), api.rooms.list, { room: 'slow' });
  // Each transition repeats the whole list: unread, they would soon fill every buffer.
  const body = 'x'.repeat(30_000);
  for (let number = 0; number < 60; number++) {
    await writer.mutation(api.rooms.send, { room: 'slow', body });
  }
  await seen.until((value) => Array.isArray(value) && value.length === 60);
  const before = slow.messages.length;
  slow.socket.resume();
  let last: object[] = [];
  while (!hasLength(last, 60)) last = await slow.nextChanges();
  // What the kernel had room for came in steps, of the rest only the newest.
  expect(slow.messages.length - before).toBeLessThan(50);
});

test('a mutation whose answer is lost with its connection happens once, and is answered in the end', async () => {
  let lost = 0;
  await using backend = await startBackend({
    wrap: (executor) => ({
      ...executor,
      mutation: async (request): Promise<MutationResult> => {
        const answer = await executor.mutation(request);
        if (lost++ < 1) throw new Error('lost on the way');
        return answer;
      },
    }),
  });
  const client = backend.client();
  const id = await client.mutation(api.rooms.send, { room: 'lost', body: 'once' });
  expect(id).toMatch(/^[0-9a-z]{32}$/);
  expect(await client.query(api.rooms.list, { room: 'lost' })).toEqual(['once']);
  expect(lost).toBe(2);
});

test('a mutation behind one that could not run is not run before it', async () => {
  let fails = true;
  const ran: string[] = [];
  await using backend = await startBackend({
    wrap: (executor) => ({
      ...executor,
      mutation: (request) => {
        if (fails) return Promise.reject(new Error('not now'));
        ran.push(request.args);
        return executor.mutation(request);
      },
    }),
  });
  using client = await rawClient(backend.url);
  client.send(
    connect(),
    mutation(0, 'send', { room: 'r', body: 'first' }),
    mutation(1, 'send', { room: 'r', body: 'second' }),
  );
  expect(await client.closed).toEqual({ code: 1011, reason: 'InternalServerError' });
  fails = false;
  expect(ran).toEqual([]);
  expect(String(backend.failures)).toContain('not now');
});

test('a failure of a query ends the connection, and the client comes back to a working one', async () => {
  let failing = true;
  await using backend = await startBackend({
    wrap: (executor) => ({
      ...executor,
      queries: (requests) =>
        failing ? Promise.reject(new Error('not now')) : executor.queries(requests),
    }),
  });
  const closed = Promise.withResolvers<string>();
  const client = backend.client({ onServerDisconnectError: closed.resolve });
  const seen = watch(client, api.rooms.count, { room: 'r' });
  expect(await closed.promise).toContain('InternalServerError');
  failing = false;
  expect(await seen.until(() => true)).toBe(0);
});

test('closing the server lets a running mutation be answered, and says goodbye', async () => {
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  await using backend = await startBackend({
    wrap: (executor) => ({
      ...executor,
      mutation: async (request) => {
        begun.resolve();
        await gate.promise;
        return executor.mutation(request);
      },
    }),
  });
  using client = await rawClient(backend.url);
  client.send(
    connect(),
    mutation(0, 'send', { room: 'closing', body: 'running' }),
    mutation(1, 'send', { room: 'closing', body: 'waiting' }),
  );
  await begun.promise;
  const restarted = backend.restart();
  gate.resolve();
  expect(await client.next('MutationResponse')).toMatchObject({ requestId: 0, success: true });
  expect(await client.closed).toEqual({ code: 1001, reason: 'ServerShutdown' });
  await restarted;
  using next = await rawClient(backend.url);
  next.send(connect(), modify(0, add(0, 'list', { room: 'closing' })));
  expect(await next.nextChanges()).toMatchObject([{ value: ['running'] }]);
});

// The action takes longer than this test may.
test('closing does not wait for an action that takes long, nor for a client that is gone', async () => {
  await using backend = await startBackend({ drainLimitMs: 50 });
  using client = await rawClient(backend.url);
  client.send(connect(), {
    type: 'Action',
    requestId: 0,
    udfPath: 'rooms:wait',
    args: [{ ms: 600_000 }],
  });
  client.send(modify(0));
  await client.next('Transition');
  client.socket.pause();
  await backend.restart();
});

function hasLength([change]: object[], length: number): boolean {
  return (
    change !== undefined &&
    'value' in change &&
    Array.isArray(change.value) &&
    change.value.length === length
  );
}
