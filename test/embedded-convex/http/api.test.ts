import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { ConvexHttpClient } from 'convex/browser';
import { ConvexError } from 'convex/values';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adminKey, api, startBackend } from '../support/backend.ts';
import type { Backend } from '../support/backend.ts';

let backend: Backend;
let client: ConvexHttpClient;
beforeAll(async () => {
  backend = await startBackend();
  client = new ConvexHttpClient(backend.url, {
    skipConvexDeploymentUrlCheck: true,
    logger: false,
  });
});
afterAll(() => backend[Symbol.asyncDispose]());

describe('the official HTTP client', () => {
  test('runs queries, mutations and actions', async () => {
    const room = 'http';
    await client.mutation(api.rooms.send, { room, body: 'one' });
    await client.action(api.rooms.sendByAction, { room, body: 'two' });
    expect(await client.query(api.rooms.list, { room })).toEqual(['one', 'two']);
  });

  test('gets every kind of value back as it sent it', async () => {
    const value = {
      integer: -(2n ** 63n),
      bytes: new Uint8Array([0, 255, 7]).buffer,
      numbers: [Number.NaN, -0, Infinity, 1.5],
      text: 'ünïcode \u0000 🙂',
      nothing: null,
    };
    expect(await client.query(api.rooms.echo, { value })).toEqual(value);
  });

  test('has the data of a ConvexError, and none of an ordinary one', async () => {
    const room = 'http errors';
    await client.mutation(api.rooms.send, { room, body: 'ConvexError' });
    const thrown = await client.query(api.rooms.failing, { room }).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(ConvexError);
    expect(thrown).toMatchObject({ data: { room, count: 2n ** 60n } });
    await client.mutation(api.rooms.clear, { room });
    await client.mutation(api.rooms.send, { room, body: 'error' });
    const ordinary = await client
      .query(api.rooms.failing, { room })
      .catch((error: unknown) => error);
    expect(ordinary).not.toBeInstanceOf(ConvexError);
    expect(String(ordinary)).toMatch(/\[Request ID: [0-9a-f]{16}\] Server Error\nUncaught Error: /);
  });

  test('reads consistently as long as nothing it reads has changed', async () => {
    const room = 'consistent';
    const consistent = new ConvexHttpClient(backend.url, {
      skipConvexDeploymentUrlCheck: true,
      logger: false,
    });
    expect(await consistent.consistentQuery(api.rooms.count, { room })).toBe(0);
    await client.mutation(api.rooms.send, { room: 'elsewhere', body: 'x' });
    expect(await consistent.consistentQuery(api.rooms.count, { room })).toBe(0);
    await client.mutation(api.rooms.send, { room, body: 'x' });
    await expect(consistent.consistentQuery(api.rooms.count, { room })).rejects.toThrow(
      'SnapshotUnavailable',
    );
  });
});

describe('a plain request', () => {
  test('gets plain JSON unless it asks for the encoded form', async () => {
    const value = { integer: { $integer: 'BwAAAAAAAAA=' }, bytes: { $bytes: 'AQI=' } };
    const special = { $float: 'AAAAAAAA+H8=' };
    const body = { path: 'rooms:echo', args: { value: [value, special] } };
    expect((await post('/api/query', body)).body).toEqual({
      status: 'success',
      value: [{ integer: '7', bytes: 'AQI=' }, 'NaN'],
    });
    for (const format of ['convex_encoded_json', 'convex_json']) {
      expect((await post('/api/query', { ...body, format })).body).toEqual({
        status: 'success',
        value: [value, special],
      });
    }
  });

  test('may have its arguments as an object or as an array with one, and unknown fields', async () => {
    const args = { room: 'nowhere' };
    for (const form of [args, [args]]) {
      const { status, body } = await post('/api/query', {
        path: 'rooms:count',
        args: form,
        more: 1,
      });
      expect({ status, body }).toEqual({ status: 200, body: { status: 'success', value: 0 } });
    }
  });

  test('can be a GET for a query', async () => {
    const url = new URL('/api/query', backend.url);
    url.searchParams.set('path', 'rooms:count');
    url.searchParams.set('args', JSON.stringify({ room: 'nowhere' }));
    const response = await fetch(url);
    expect(await response.json()).toEqual({ status: 'success', value: 0 });
  });

  test('sees log lines only when there are some', async () => {
    const { body } = await post('/api/query', { path: 'rooms:logging', args: { room: 'r' } });
    expect(body).toEqual({
      status: 'success',
      value: null,
      logLines: ["[LOG] 'looking at' 'r'"],
    });
  });

  test('is told of a function that is missing, internal or of another kind with status 200', async () => {
    const error = async (path: string, endpoint = 'query') => {
      const { status, body } = await post(`/api/${endpoint}`, { path, args: {} });
      expect(status).toBe(200);
      return body.errorMessage;
    };
    expect(await error('rooms:notThere')).toContain(
      "Could not find public function for 'rooms:notThere'",
    );
    expect(await error('rooms:secret')).toContain(
      "Could not find public function for 'rooms:secret'",
    );
    expect(await error('rooms:nothing')).toContain('it is defined as Mutation');
    expect(await error('rooms:whoami', 'mutation')).toContain('it is defined as Query');
  });

  test('runs a batch of queries on one snapshot', async () => {
    const queries = [
      { path: 'rooms:count', args: { room: 'nowhere' } },
      { path: 'rooms:notThere', args: {} },
    ];
    expect((await post('/api/query_batch', { queries })).body).toMatchObject({
      results: [{ status: 'success', value: 0 }, { status: 'error' }],
    });
  });

  test('calls any public function by its path under /api/run', async () => {
    const args = { room: 'by path', body: 'x' };
    expect((await post('/api/run/rooms/send', { args })).body).toMatchObject({ status: 'success' });
    expect((await post('/api/run/rooms/count', { args: { room: 'by path' } })).body).toEqual({
      status: 'success',
      value: 1,
    });
    expect((await post('/api/run/rooms/secret', { args: {} })).body.errorMessage).toContain(
      'Could not find public function',
    );
  });

  test('finds the names and versions as text', async () => {
    const text = async (path: string) => (await fetch(`${backend.url}${path}`)).text();
    expect(await text('/version')).toBe('embedded');
    expect(await text('/instance_version')).toBe('embedded');
    expect(await text('/instance_name')).toBe('embedded');
    expect(await text('/')).toContain('Convex');
  });
});

describe('the admin key', () => {
  const admin = { Authorization: `Convex ${adminKey}` };

  test('lets every function be called, whatever its kind', async () => {
    const call = (path: string, args: object) => post('/api/function', { path, args }, admin);
    expect((await call('rooms:secret', {})).body).toEqual({ status: 'success', value: 'internal' });
    expect((await call('rooms:nothing', {})).body).toEqual({ status: 'success', value: null });
    expect((await call('rooms:wait', { ms: 1 })).body).toEqual({
      status: 'success',
      value: 'waited',
    });
    expect((await call('rooms:notThere', {})).body).toMatchObject({ status: 'error' });
  });

  test('can be given with the name of a deployment before it, and in the address', async () => {
    const named = { Authorization: `Convex prod:${adminKey}` };
    const request = { path: 'rooms:secret', args: {} };
    expect((await post('/api/function', request, named)).status).toBe(200);
    const path = `/api/function?adminKey=${encodeURIComponent(adminKey)}`;
    expect((await post(path, request)).status).toBe(200);
  });

  test('can act as somebody', async () => {
    const identity = JSON.stringify({ issuer: 'https://issuer.example', subject: 'änn' });
    const acting = {
      Authorization: `${admin.Authorization}:${Buffer.from(identity).toString('base64')}`,
    };
    const { body } = await post('/api/query', { path: 'rooms:whoami', args: {} }, acting);
    expect(body).toEqual({ status: 'success', value: 'änn' });
  });

  test('is required for /api/function, and must be right', async () => {
    const request = { path: 'rooms:secret', args: {} };
    expect(await post('/api/function', request)).toMatchObject({
      status: 403,
      body: { code: 'BadDeployKey' },
    });
    const wrong = { Authorization: 'Convex embedded|0123456789abcdee' };
    expect(await post('/api/function', request, wrong)).toMatchObject({
      status: 401,
      body: { code: 'BadDeployKey' },
    });
  });
});

describe('a request that cannot be run is answered with its status and a code', () => {
  const query = { path: 'rooms:count', args: { room: 'r' } };
  const cases: Array<[string, string, string | object, Record<string, string>, number, string]> = [
    ['no JSON', '/api/query', '{', {}, 400, 'BadJsonBody'],
    ['no object', '/api/query', '[]', {}, 400, 'BadJsonBody'],
    ['no path', '/api/query', { args: {} }, {}, 400, 'BadJsonBody'],
    ['no arguments', '/api/query', { path: 'a:b' }, {}, 400, 'BadArgsJson'],
    ['two arguments', '/api/query', { ...query, args: [{}, {}] }, {}, 400, 'BadArgsJson'],
    ['an unknown format', '/api/query', { ...query, format: 'xml' }, {}, 400, 'BadFormat'],
    [
      'a component',
      '/api/query',
      { ...query, componentPath: 'c' },
      {},
      400,
      'ComponentsUnsupported',
    ],
    ['no timestamp', '/api/query_at_ts', query, {}, 400, 'BadTimestamp'],
    ['a future one', '/api/query_at_ts', { ...query, ts: '/////////38=' }, {}, 400, 'BadTimestamp'],
    ['no queries', '/api/query_batch', {}, {}, 400, 'BadJsonBody'],
    ['a query that is none', '/api/query_batch', { queries: [1] }, {}, 400, 'BadJsonBody'],
    ['no function in the path', '/api/run/rooms', { args: {} }, {}, 400, 'MissingIdentifier'],
    ['a broken path', '/api/run/%zz/list', { args: {} }, {}, 400, 'MissingIdentifier'],
    ['empty authorization', '/api/query', query, { Authorization: ' ' }, 400, 'InvalidAuthHeader'],
    ['an odd scheme', '/api/query', query, { Authorization: 'Basic x' }, 400, 'InvalidAuthHeader'],
    ['a token', '/api/query', query, { Authorization: 'Bearer x' }, 401, 'InvalidAuthHeader'],
    [
      'nobody to act as',
      '/api/query',
      query,
      { Authorization: `Convex ${adminKey}:e30=` },
      400,
      'InvalidIdentity',
    ],
    ['an unknown address', '/api/nothing', query, {}, 404, 'NotFound'],
  ];
  test.each(cases)('%s', async (_, path, body, headers, status, code) => {
    const answer = await post(path, body, headers);
    expect(answer).toMatchObject({ status, body: { code } });
    expect(answer.body.message).toMatch(/\w/);
  });

  test('a method that does not belong there', async () => {
    for (const path of ['/api/mutation', '/api/query_ts', '/api/function', '/api/run/a/b']) {
      expect((await fetch(`${backend.url}${path}`)).status).toBe(405);
    }
    expect((await post('/version', {})).status).toBe(405);
  });

  test('a body beyond the limit, announced or not', async () => {
    const large = 'x'.repeat(33 * 1024 * 1024);
    expect((await post('/api/query', large)).body.code).toBe('RequestTooLarge');
    expect(await chunkedStatus(`${backend.url}/api/query`, large)).toBe(413);
  });

  test('what the command line asks a deployment for is one clear message', async () => {
    for (const path of [
      '/api/get_config_hashes',
      '/api/deploy2/start_push',
      '/api/v1/get_canonical_urls',
    ]) {
      const { status, body } = await post(path, {});
      expect(status).toBe(400);
      expect(body.code).toBe('EmbeddedBackend');
      expect(body.message).toContain('CONVEX_SELF_HOSTED_URL');
    }
  });
});

test('a page of this machine may read the answers, and ask before', async () => {
  const origin = 'http://localhost:5173';
  const preflight = await fetch(`${backend.url}/api/query`, {
    method: 'OPTIONS',
    headers: { Origin: origin, 'Access-Control-Request-Headers': 'convex-client,content-type' },
  });
  expect(preflight.status).toBe(204);
  expect(Object.fromEntries(preflight.headers)).toMatchObject({
    'access-control-allow-origin': origin,
    'access-control-allow-headers': 'convex-client,content-type',
    'access-control-allow-credentials': 'true',
    'access-control-max-age': '86400',
  });
  const { headers } = await post('/api/nothing', {}, { Origin: origin });
  expect(headers.get('access-control-allow-origin')).toBe(origin);
});

test('a failure of the server itself is told to its operator, not to the client', async () => {
  await using broken = await startBackend({
    wrap: (executor) => ({
      ...executor,
      latestTs: 0n,
      queries: () => Promise.reject(new Error('the disk is on fire')),
    }),
  });
  const response = await fetch(`${broken.url}/api/query`, {
    method: 'POST',
    body: JSON.stringify({ path: 'rooms:count', args: { room: 'r' } }),
  });
  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain('fire');
  expect(String(broken.failures)).toContain('the disk is on fire');
});

/** Sent without a length in advance. */
async function chunkedStatus(url: string, body: string): Promise<number | undefined> {
  const sending = request(url, { method: 'POST', headers: { 'Transfer-Encoding': 'chunked' } });
  const answered = once(sending, 'response');
  // The server may hang up on what it does not want to read.
  sending.on('error', () => undefined);
  sending.end(body);
  const [response]: IncomingMessage[] = await answered;
  response?.destroy();
  return response?.statusCode;
}

async function post(path: string, body: object | string, headers: Record<string, string> = {}) {
  const response = await fetch(`${backend.url}${path}`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers,
  });
  const answer = (await response.json()) as Record<string, string>;
  return { status: response.status, headers: response.headers, body: answer };
}
