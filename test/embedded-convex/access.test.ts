import { request } from 'node:http';
import { hostname } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBackend } from './support/backend.ts';
import type { Backend } from './support/backend.ts';
import { rawClient } from './support/raw-client.ts';

let backend: Backend;
beforeAll(async () => {
  backend = await startBackend({
    hostNames: ['Desk.example'],
    allowedOrigins: ['https://app.example', 'null'],
  });
});
afterAll(() => backend[Symbol.asyncDispose]());

const own = hostname().toLowerCase();

describe('may connect', () => {
  const cases: Array<[string, Record<string, string>]> = [
    ['no Origin, as programs have it', {}],
    ['localhost', { host: 'localhost:7788', origin: 'http://localhost:5173' }],
    ['loopback by number', { host: '127.0.0.1:1', origin: 'http://127.0.0.9:3000' }],
    ['loopback in IPv6', { host: '[::1]:7788', origin: 'http://[::1]:3000' }],
    ['an address of the local network', { host: '192.168.7.9:7788' }],
    ['a page from the same address', { host: '192.168.7.9', origin: 'http://192.168.7.9:80' }],
    ["the machine's name", { host: `${own}:1`, origin: `http://${own}:2` }],
    ["the machine's name on the local network", { host: `${own.split('.')[0]}.local` }],
    ['an allowed name', { host: 'desk.EXAMPLE', origin: 'http://desk.example' }],
    ['an allowed origin', { origin: 'https://app.example' }],
  ];
  test.each(cases)('%s', async (_, headers) => {
    expect(await httpStatus(headers)).toBe(200);
    using client = await rawClient(backend.url, { headers });
    expect(client.socket.readyState).toBe(client.socket.OPEN);
  });
});

describe('gets 403 before anything else', () => {
  const cases: Array<[string, Record<string, string>]> = [
    ['a rebound name', { host: 'evil.example' }],
    ['its own pages', { host: 'evil.example', origin: 'http://evil.example' }],
    ['a name that only looks like ours', { host: 'localhost.evil.example' }],
    ['a broken Host', { host: 'a b' }],
    ['a foreign page', { origin: 'https://evil.example' }],
    ['a foreign page by number', { origin: 'http://203.0.113.9' }],
    ['an allowed origin on another port', { origin: 'https://app.example:8443' }],
    ['a page from a file', { origin: 'file://' }],
  ];
  test.each(cases)('%s', async (_, headers) => {
    expect(await httpStatus(headers)).toBe(403);
    await expect(rawClient(backend.url, { headers })).rejects.toThrow('403');
  });
});

test('a sandboxed page is refused unless "null" is listed', async () => {
  expect(await httpStatus({ origin: 'null' })).toBe(200);
  await using strict = await startBackend();
  await expect(rawClient(strict.url, { headers: { origin: 'null' } })).rejects.toThrow('403');
});

/** With `fetch` the Host header could not be chosen. */
function httpStatus(headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(`${backend.url}/version`, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
}
