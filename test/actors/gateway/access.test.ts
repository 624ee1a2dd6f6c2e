import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { hostName } from '../../../src/actors/gateway/access.ts';
import { Door } from '../../../src/actors/gateway/door.ts';
import { Pairings } from '../../../src/actors/gateway/pairings.ts';

const policy = {
  token: 'correct-horse-battery',
  allowedOrigins: ['https://app.example'],
  hostNames: ['workstation.local', '192.168.7.9'],
};

function decide(headers: Record<string, string>, url = '/ws'): number {
  // The door reads only these members.
  const socket = { remoteAddress: '192.168.7.20' };
  const request = { headers, url, socket } as unknown as IncomingMessage;
  const admission = new Door(policy, new Pairings()).admit(request);
  return admission.as === 'nobody' ? admission.status : 200;
}

const bearer = { authorization: 'Bearer correct-horse-battery' };

test.each([
  [{ host: '127.0.0.1:8787', ...bearer }, 200],
  [{ host: '[::1]:8787', ...bearer }, 200],
  [{ host: 'localhost', ...bearer }, 200],
  [{ host: 'WORKSTATION.local:8787', ...bearer }, 200],
  [{ host: '10.0.0.8:8787', ...bearer }, 200],
  [{ host: 'rebound.evil.example:8787', ...bearer }, 403],
  [{ host: 'localhost.evil.example', ...bearer }, 403],
  [{ host: '', ...bearer }, 403],
  [{ ...bearer }, 403],
])('Host decides before the token: %j gets %i', (headers, status) => {
  expect(decide(headers as Record<string, string>)).toBe(status);
});

test.each([
  ['http://localhost:5173', 200],
  ['http://127.0.0.1:3000', 200],
  ['http://[::1]:3000', 200],
  ['https://app.example', 200],
  ['http://192.168.7.9:4000', 200],
  ['http://workstation.local', 200],
  ['https://evil.example', 403],
  ['http://localhost.evil.example', 403],
  ['http://192.168.7.10', 403],
  ['null', 403],
  ['file://', 403],
  ['chrome-extension://abcdef', 403],
  ['https://app.example.evil.example', 403],
])('Origin %s gets %i even with the right token', (origin, status) => {
  expect(decide({ host: 'localhost', origin, ...bearer })).toBe(status);
});

test('the token is taken from the header or from the query, and nothing else opens the door', () => {
  const host = 'localhost';
  expect(decide({ host }, '/ws?token=correct-horse-battery')).toBe(200);
  expect(decide({ host }, '/ws')).toBe(401);
  expect(decide({ host }, '/ws?token=')).toBe(401);
  expect(decide({ host }, '/ws?token=correct-horse')).toBe(401);
  expect(decide({ host, authorization: 'Bearer wrong-wrong-wrong-wrong' })).toBe(401);
  expect(decide({ host, authorization: 'Basic correct-horse-battery' })).toBe(401);
});

test('a Host header loses its port, brackets and case', () => {
  expect(hostName('EXAMPLE.org:80')).toBe('example.org');
  expect(hostName('[fe80::1]:8787')).toBe('fe80::1');
  expect(hostName('a b')).toBeUndefined();
});
