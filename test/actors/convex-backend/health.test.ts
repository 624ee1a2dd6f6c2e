import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createActor, setup } from 'xstate';
import { deployment } from '../../../src/actors/convex-backend/deploy.ts';
import { health, type HealthOptions } from '../../../src/actors/convex-backend/health.ts';
import { probeBackend } from '../../../src/actors/convex-backend/probe.ts';
import { remoteBackend } from '../../../src/actors/convex-backend/remote.ts';
import { BridgeError } from '../../../src/errors.ts';
import type { BackendEvent, HealthEvent } from '../../../src/machines/convex-link-status.ts';
import { childOf } from '../../support/supervision.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** `status()` is asked for each request; null leaves it without an answer. */
async function serve(status: () => number | null): Promise<{ url: string; server: Server }> {
  const server = createServer((_request, response) => {
    const code = status();
    if (code !== null) response.writeHead(code).end('1.0');
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A TCP server's address is never a pipe name.
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, server };
}

function fakeConnection(connected = true) {
  const listeners = new Set<(connected: boolean) => void>();
  return {
    connected,
    listeners,
    onState: (callback: (connected: boolean) => void) => {
      listeners.add(callback);
      return () => listeners.delete(callback);
    },
    change(next: boolean) {
      this.connected = next;
      for (const listener of listeners) listener(next);
    },
  };
}

const fast = { intervalMs: 10, retryMs: 10, reconnectLimitMs: 100 };

/** Runs a health check; the first event of it is awaited. */
function watch(url: string, options: HealthOptions) {
  const first = Promise.withResolvers<HealthEvent>();
  const logic = health(options);
  const actor = createActor(
    setup({ types: { events: {} as HealthEvent }, actors: { logic } }).createMachine({
      invoke: { src: 'logic', input: { url } },
      on: { '*': { actions: ({ event }) => first.resolve(event) } },
    }),
  ).start();
  return { first: first.promise, stop: () => actor.stop() };
}

describe('probe', () => {
  const never = new AbortController().signal;

  test('is content with any answer that is no error', async () => {
    const { url } = await serve(() => 200);
    await expect(probeBackend(url, never)).resolves.toBeUndefined();
  });

  test.each([
    ['an error status', 503, 60_000, 'HTTP status 503'],
    ['no answer in time', null, 50, 'timeout'],
  ])('rejects on %s', async (_, status, limitMs, reason) => {
    const { url } = await serve(() => status);
    await expect(probeBackend(url, never, limitMs)).rejects.toMatchObject({
      code: 'convex_unavailable',
      message: expect.stringContaining(reason),
    });
  });

  test('rejects when nobody listens, and says so', async () => {
    const { url, server } = await serve(() => 200);
    server.close();
    await expect(probeBackend(url, never)).rejects.toMatchObject({
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });
});

describe('health', () => {
  test('is lost after two answers in a row failed, not after one', async () => {
    const answers = [200, 500, 200, 500, 200, 500, 500];
    let asked = 0;
    const { url } = await serve(() => answers[asked++] ?? 200);
    const watched = watch(url, { connection: fakeConnection(), ...fast });
    expect(await watched.first).toMatchObject({
      type: 'health.lost',
      error: { code: 'convex_unavailable' },
    });
    expect(asked).toBe(answers.length);
    watched.stop();
  });

  test('is lost when the client does not reconnect, although the backend answers', async () => {
    const { url } = await serve(() => 200);
    const connection = fakeConnection();
    const watched = watch(url, { connection, ...fast });
    connection.change(false);
    expect(await watched.first).toMatchObject({
      type: 'health.lost',
      error: { message: expect.stringContaining('could not connect again') },
    });
    expect(connection.listeners.size).toBe(0);
  });

  test('asks at once when the connection breaks', async () => {
    let isUp = true;
    const { url } = await serve(() => (isUp ? 200 : 500));
    const connection = fakeConnection();
    const slow = { intervalMs: 1e6, retryMs: 10, reconnectLimitMs: 1e6 };
    const counted = Promise.withResolvers<void>();
    const tables = async () => {
      counted.resolve();
      throw new Error('it cannot count');
    };
    const watched = watch(url, { connection, tables, ...slow });
    await counted.promise;
    // The pause after the first answer has begun when the event loop comes round.
    await new Promise((resolve) => setImmediate(resolve));
    isUp = false;
    connection.change(false);
    expect(await watched.first).toMatchObject({ error: { code: 'convex_unavailable' } });
    watched.stop();
  });

  test('tells the rows per table of a backend that can', async () => {
    const { url } = await serve(() => 200);
    const tables = () => Promise.resolve({ threads: 3 });
    const watched = watch(url, { connection: fakeConnection(), tables, ...fast });
    expect(await watched.first).toEqual({ type: 'health.tables', tables: { threads: 3 } });
    watched.stop();
  });
});

describe('deployment', () => {
  const run = (check: () => Promise<void>) => {
    const opened: string[] = [];
    const logic = deployment({ open: (url) => opened.push(url), check, limitMs: 50 });
    const actor = createActor(logic, { input: { url: 'http://x' } });
    const ended = new Promise((resolve) => {
      actor.subscribe({ error: resolve, complete: () => resolve('done') });
    });
    actor.start();
    return { ended, opened };
  };

  test('opens the connection and is done when the functions answer', async () => {
    const { ended, opened } = run(() => Promise.resolve());
    expect(await ended).toBe('done');
    expect(opened).toEqual(['http://x']);
  });

  test('fails as the check does', async () => {
    const error = new BridgeError('convex_misconfigured', '');
    expect(await run(() => Promise.reject(error)).ended).toBe(error);
  });

  test('does not wait for ever', async () => {
    expect(await run(() => new Promise(() => {})).ended).toMatchObject({
      code: 'convex_unavailable',
    });
  });
});

test('a remote backend is ready and stopped at once', () => {
  const events: BackendEvent[] = [];
  const logic = remoteBackend('https://example.convex.cloud');
  const actor = createActor(
    setup({ types: { events: {} as BackendEvent }, actors: { logic } }).createMachine({
      invoke: { src: 'logic', id: 'backend' },
      on: { '*': { actions: ({ event }) => events.push(event) } },
    }),
  ).start();
  childOf(actor, 'backend').send({ type: 'backend.start' });
  childOf(actor, 'backend').send({ type: 'backend.stop' });
  expect(events).toEqual([
    { type: 'backend.ready', url: 'https://example.convex.cloud' },
    { type: 'backend.stopped' },
  ]);
});
