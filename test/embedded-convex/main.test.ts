import { writeFileSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { ConvexClient } from 'convex/browser';
import { describe, expect, test } from 'vitest';
import { loadAdminKey } from '../../src/embedded-convex/admin-key.ts';
import { freePort } from '../support/ports.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { api, functionsFolder } from './support/backend.ts';
import { spawnBackend, spawnMain } from './support/backend-process.ts';
import { writeFunctions } from './support/functions-folder.ts';
import { watch } from './support/values-seen.ts';

test('it says where it listens in one line, and serves there', async () => {
  using folder = temporaryFolder();
  await using backend = spawnBackend(folder.path);
  const ready = await backend.ready;
  expect(ready).toEqual({
    ready: true,
    url: `http://127.0.0.1:${ready.port}`,
    port: ready.port,
    instanceName: 'embedded',
  });
  expect(await (await fetch(`${ready.url}/instance_name`)).text()).toBe('embedded');
  const keyFile = join(folder.path, 'admin-key');
  const key = readFileSync(keyFile, 'utf8').trim();
  expect(key).toMatch(/^embedded\|[0-9a-f]{64}$/);
  const response = await fetch(`${ready.url}/api/function`, {
    method: 'POST',
    headers: { Authorization: `Convex ${key}` },
    body: JSON.stringify({ path: 'rooms:secret', args: {} }),
  });
  expect(await response.json()).toEqual({ status: 'success', value: 'internal' });
});

test('what a deployment would take from the folder, and it does not, is named at start', async () => {
  using folder = temporaryFolder();
  const functions = writeFunctions(folder.path, {
    'crons.ts': `import { cronJobs } from 'convex/server'; export default cronJobs();`,
    'http.ts': `import { httpRouter } from 'convex/server'; export default httpRouter();`,
    'convex.config.ts': `import { defineApp } from 'convex/server'; export default defineApp();`,
  });
  await using backend = spawnMain('--db', join(folder.path, 'db'), '--functions', functions);
  await backend.ready;
  expect(await backend.line('crons.ts')).toContain('does not run its jobs');
  expect(await backend.line('http.ts')).toContain('does not serve its routes');
  expect(await backend.line('convex.config.ts')).toContain('has no components');
});

// Windows has no such modes; there the folder's own access list protects the file.
test.skipIf(process.platform === 'win32')('nobody else may read the admin key', async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, 'admin-key');
  const key = await loadAdminKey(file);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(await loadAdminKey(file)).toBe(key);
});

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s ends it in order, with exit code 0',
  async (signal) => {
    using folder = temporaryFolder();
    await using backend = spawnBackend(folder.path);
    const { url } = await backend.ready;
    const client = open(url);
    await client.mutation(api.rooms.nothing, {});
    backend.kill(signal);
    expect(await backend.exited).toEqual({ exitCode: 0, stderr: '' });
    await client.close();
  },
);

test('it ends with its parent when it was told to watch standard input', async () => {
  using folder = temporaryFolder();
  await using backend = spawnBackend(folder.path, '--watch-stdin');
  await backend.ready;
  backend.closeStdin();
  expect(await backend.exited).toMatchObject({ exitCode: 0 });
});

test('kill -9 loses nothing that was acknowledged, and clients go on with the next process', async () => {
  using folder = temporaryFolder();
  const port = await freePort();
  let backend = spawnBackend(folder.path, '--port', String(port));
  const { url } = await backend.ready;
  const client = open(url);
  const seen = watch(client, api.rooms.list, { room: 'kill' });
  const expected: string[] = [];
  for (let round = 0; round < 3; round++) {
    for (let number = 0; number < 5; number++) {
      const body = `${round}.${number}`;
      await client.mutation(api.rooms.send, { room: 'kill', body });
      expected.push(body);
    }
    // One more is on its way when it dies; it happens exactly once, before or after.
    expected.push(`${round}.killed`);
    const last = client.mutation(api.rooms.send, { room: 'kill', body: `${round}.killed` });
    backend.kill('SIGKILL');
    await backend.exited;
    backend = spawnBackend(folder.path, '--port', String(port));
    await backend.ready;
    await last;
  }
  await seen.until((value) => Array.isArray(value) && value.length === expected.length);
  expect(seen.values.at(-1)).toEqual(expected);
  await client.close();
  await backend[Symbol.asyncDispose]();
}, 30_000);

test('a damaged database is set aside, which the line says, and an empty one served', async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, 'data.sqlite');
  writeFileSync(file, 'this is not a database'.repeat(100));
  await using backend = spawnBackend(folder.path);
  const { url, setAside } = await backend.ready;
  expect(setAside?.reason).toContain('damaged');
  expect(readFileSync(setAside?.file ?? '', 'utf8')).toBe('this is not a database'.repeat(100));
  const client = open(url);
  expect(await client.query(api.rooms.count, { room: 'any' })).toBe(0);
  await client.close();
});

describe('what keeps it from starting is one line of JSON that says what to do', () => {
  test('a port that is taken', async () => {
    using folder = temporaryFolder();
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    await using backend = spawnBackend(folder.path, '--port', port);
    expect(await failure(backend)).toEqual({
      error: 'PortTaken',
      message: expect.stringContaining('--port'),
    });
    other.close();
  });

  test('an address of another machine', async () => {
    using folder = temporaryFolder();
    await using backend = spawnBackend(folder.path, '--interface', '203.0.113.1');
    expect(await failure(backend)).toMatchObject({ error: 'AddressUnavailable' });
  });

  // Two programs are started one after the other, and the second waits for the lock for 2 s.
  test('a database that another backend uses', { timeout: 20_000 }, async () => {
    using folder = temporaryFolder();
    await using first = spawnBackend(folder.path);
    await first.ready;
    await using second = spawnBackend(folder.path);
    expect(await failure(second)).toMatchObject({ error: 'DatabaseInUse' });
  });

  test('functions that do not load', async () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, 'broken.ts'), 'export const = nothing');
    await using backend = spawnMain('--db', join(folder.path, 'db'), '--functions', folder.path);
    expect(await failure(backend)).toMatchObject({
      error: 'FunctionsInvalid',
      message: expect.stringContaining('broken.ts'),
    });
  });

  test('a wrong command line', async () => {
    await using backend = spawnMain('--functions', functionsFolder);
    expect(await failure(backend)).toEqual({
      error: 'InvalidArguments',
      message: '--db is missing: name the database file. See --help.',
    });
  });
});

async function failure(backend: ReturnType<typeof spawnMain>): Promise<Record<string, unknown>> {
  const { exitCode, stderr } = await backend.exited;
  expect(exitCode).toBe(1);
  expect(stderr.split('\n')).toHaveLength(1);
  return JSON.parse(stderr);
}

function open(url: string): ConvexClient {
  return new ConvexClient(url, { skipConvexDeploymentUrlCheck: true, logger: false });
}
