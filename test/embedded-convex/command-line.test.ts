/** The official command line, `npx convex …`, on a backend of ours. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConvexHttpClient } from 'convex/browser';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { api } from './support/backend.ts';
import { spawnBackend } from './support/backend-process.ts';
import type { BackendProcess } from './support/backend-process.ts';

const packages = fileURLToPath(new URL('../../node_modules', import.meta.url));

let folder: ReturnType<typeof temporaryFolder>;
let backend: BackendProcess;
let adminKey: string;
let url: string;
beforeAll(async () => {
  folder = temporaryFolder();
  backend = spawnBackend(folder.path, '--env', 'COLOUR=green');
  ({ url } = await backend.ready);
  adminKey = readFileSync(join(folder.path, 'admin-key'), 'utf8').trim();
  writeFileSync(join(folder.path, 'package.json'), '{"dependencies":{"convex":"*"}}');
  mkdirSync(join(folder.path, 'convex'));
  symlinkSync(packages, join(folder.path, 'node_modules'), 'junction');
});
afterAll(async () => {
  await backend[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

describe('run', () => {
  test.each(['rooms:send', 'rooms:sendByAction'])('calls %s, and a query', async (name) => {
    const message = JSON.stringify({ room: name, body: 'hello' });
    expect(await convex('run', name, message)).toMatchObject({ exitCode: 0 });
    const listed = await convex('run', 'rooms:list', JSON.stringify({ room: name }));
    expect(JSON.parse(listed.stdout)).toEqual(['hello']);
  });

  test('calls internal functions too', async () => {
    expect((await convex('run', 'rooms:secret')).stdout).toBe('"internal"');
  });

  test('says which functions there are when the one asked for is not there', async () => {
    const { exitCode, stderr } = await convex('run', 'rooms:nope');
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`Could not find function for 'rooms:nope'`);
    expect(stderr).toMatch(/rooms:send\n/);
  });

  test('acts as somebody', async () => {
    const identity = JSON.stringify({ issuer: 'https://issuer.example', subject: 'ada' });
    expect((await convex('run', 'rooms:whoami', '--identity', identity)).stdout).toBe('"ada"');
  });

  test('follows a query', async () => {
    const following = start('run', '--watch', 'rooms:count', '{"room":"followed"}');
    const counts = following.iterable({ from: 'stdout' });
    const next = async () => (await counts.next()).value;
    expect(await next()).toBe('0');
    await convex('run', 'rooms:send', JSON.stringify({ room: 'followed', body: 'x' }));
    expect(await next()).toBe('1');
    following.kill();
    await following.catch(() => undefined);
  });
});

test('data lists the tables, and the rows of one, system tables too', async () => {
  const client = new ConvexHttpClient(url, { skipConvexDeploymentUrlCheck: true, logger: false });
  for (const body of ['first', 'second', 'third']) {
    await client.mutation(api.rooms.send, { room: 'data', body });
  }
  expect((await convex('data')).stdout).toBe('messages');
  const { stdout } = await convex('data', 'messages', '--format', 'jsonl', '--limit', '2');
  const bodies = stdout.split('\n').map((line) => /"body": "(\w+)"/.exec(line)?.[1]);
  expect(bodies).toEqual(['third', 'second']);
  const system = await convex('data', '_scheduled_functions');
  expect(system).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('no documents') });
});

test('env and function-spec show what there is', async () => {
  expect((await convex('env', 'list', '--include-values')).stdout).toBe('COLOUR=green');
  expect((await convex('env', 'get', 'COLOUR')).stdout).toBe('green');
  const { functions } = JSON.parse((await convex('function-spec')).stdout);
  expect(functions).toContainEqual({
    identifier: 'rooms.js:secret',
    functionType: 'Query',
    visibility: { kind: 'internal' },
    args: { type: 'object', value: {} },
    returns: { type: 'any' },
  });
});

test('a wrong admin key is refused', async () => {
  const options = { env: { CONVEX_SELF_HOSTED_ADMIN_KEY: 'embedded|0123' } };
  const { exitCode, stderr } = await start('run', 'rooms:secret', options);
  expect(exitCode).toBe(1);
  expect(stderr).toContain('admin key');
});

describe.each(['dev --once', 'deploy', 'env set COLOUR red'])('%s', (command) => {
  test('ends at its first request, with a message that says what to do', async () => {
    await using counter = await countingProxy(url);
    const options = { env: { CONVEX_SELF_HOSTED_URL: counter.url } };
    const { exitCode, stderr } = await start(...command.split(' '), options);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('EmbeddedBackend');
    expect(stderr).toContain('point CONVEX_SELF_HOSTED_URL at a real deployment');
    expect(counter.refused).toBe(1);
  });
});

describe.each(['import --table messages rows.jsonl', 'export --path out.zip'])('%s', (command) => {
  test('is told which command does it here', async () => {
    writeFileSync(join(folder.path, 'rows.jsonl'), '{"room":"imported","body":"x"}');
    const { exitCode, stderr } = await convex(...command.split(' '));
    expect(exitCode).toBe(1);
    expect(stderr).toContain('EmbeddedBackend');
    expect(stderr).toContain('oa-bridge convex import');
  });
});

function convex(...args: string[]) {
  return start(...args);
}

type Options = { env: Record<string, string> };

function start(...given: Array<string | Options>) {
  const args = given.filter((value) => typeof value === 'string');
  const more = given.find((value) => typeof value === 'object')?.env;
  const main = join(packages, 'convex', 'bin', 'main.js');
  return execa(process.execPath, [main, ...args], {
    cwd: folder.path,
    env: {
      CONVEX_SELF_HOSTED_URL: url,
      CONVEX_SELF_HOSTED_ADMIN_KEY: adminKey,
      // It neither reports failures to its makers nor guesses who is calling.
      CI: 'true',
      NODE_NO_WARNINGS: '1',
      ...more,
    },
    stdin: 'ignore',
    reject: false,
    timeout: 30_000,
  });
}

/** Counts the requests that are answered with 400. */
async function countingProxy(target: string) {
  let refused = 0;
  const server = createServer((request, response) => {
    void (async () => {
      const body: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) body.push(chunk);
      const answer = await fetch(new URL(request.url ?? '/', target), {
        method: request.method ?? 'GET',
        headers: { authorization: request.headers.authorization ?? '' },
        ...(body.length === 0 ? {} : { body: Buffer.concat(body) }),
      });
      if (answer.status === 400) refused += 1;
      response.writeHead(answer.status, { 'Content-Type': 'application/json' });
      response.end(await answer.text());
    })();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    get refused() {
      return refused;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
