import { afterEach, beforeEach, expect, test } from 'vitest';
import { createActor, fromCallback, SimulatedClock, type Actor, type EventObject } from 'xstate';
import { BridgeError } from '../../src/errors.ts';
import {
  gateway,
  type ServerCommand,
  type ServerEvent,
  type TokenWatchEvent,
} from '../../src/machines/gateway.ts';

let clock: SimulatedClock;
let actor: Actor<typeof gateway>;
let commands: ServerCommand[];
let report: (event: ServerEvent) => void;
let watchTells: (event: TokenWatchEvent) => void;

beforeEach(() => {
  clock = new SimulatedClock();
  commands = [];
  const server = fromCallback<ServerCommand>(({ sendBack, receive }) => {
    report = sendBack;
    receive((command) => commands.push(command));
  });
  const tokenWatch = fromCallback<EventObject>(({ sendBack }) => {
    watchTells = sendBack;
  });
  actor = createActor(gateway.provide({ actors: { server, tokenWatch } }), {
    clock,
    systemId: 'gateway',
  }).start();
});
afterEach(() => actor.stop());

const state = () => actor.getSnapshot().value;
const portTaken = new BridgeError('port_taken', '0.0.0.0:8787');

test('it binds first, and listens when the address is had', () => {
  expect(state()).toBe('binding');
  expect(commands).toEqual([{ type: 'server.bind' }]);
  report({ type: 'server.listening', address: '127.0.0.1:8787' });
  expect(state()).toBe('listening');
  expect(actor.getSnapshot().context.address).toBe('127.0.0.1:8787');
});

test('a taken address is remembered and tried again after 1 s', () => {
  report({ type: 'server.failed', error: portTaken });
  expect(state()).toBe('failed');
  expect(actor.getSnapshot().context.lastError).toContain('already in use');
  clock.increment(1_000);
  expect(state()).toBe('binding');
  report({ type: 'server.listening', address: 'x:1' });
  expect(actor.getSnapshot().context.lastError).toBeNull();
});

test('a server that fails while it listens is bound again', () => {
  report({ type: 'server.listening', address: 'x:1' });
  report({ type: 'server.failed', error: portTaken });
  expect(state()).toBe('failed');
});

test.each(['binding', 'listening', 'failed'] as const)('shutdown from %s ends in order', (from) => {
  if (from === 'listening') report({ type: 'server.listening', address: 'x:1' });
  if (from === 'failed') report({ type: 'server.failed', error: portTaken });
  actor.send({ type: 'shutdown' });
  expect(state()).toBe('closing');
  expect(commands.at(-1)).toEqual({ type: 'server.close' });
  report({ type: 'server.closed' });
  expect(actor.getSnapshot().status).toBe('done');
});

test('shutdown does not wait for sockets for more than 2 s, and a second one changes nothing', () => {
  actor.send({ type: 'shutdown' });
  clock.increment(1_999);
  actor.send({ type: 'shutdown' });
  expect(state()).toBe('closing');
  clock.increment(1);
  expect(actor.getSnapshot().status).toBe('done');
});

test('a client lives as an actor of its own and is stopped when it has gone', () => {
  report({ type: 'client.opened', clientId: 'client-1' });
  const client = actor.getSnapshot().children['client-1'];
  expect(client?.getSnapshot()).toMatchObject({ value: 'replaying' });
  report({
    type: 'client.reported',
    clientId: 'client-1',
    event: { type: 'client.replayed', entries: 3 },
  });
  expect(client?.getSnapshot()).toMatchObject({ value: 'live', context: { replayed: 3 } });
  report({
    type: 'client.reported',
    clientId: 'client-1',
    event: { type: 'client.closed', code: 1000 },
  });
  expect(actor.getSnapshot().children['client-1']).toBeUndefined();
  expect(actor.getSnapshot().context.clients).toBe(0);
});

test('a client that lags for 10 s is evicted, one that catches up is not', () => {
  report({ type: 'client.opened', clientId: 'client-1' });
  const tell = (event: Extract<ServerEvent, { type: 'client.reported' }>['event']) =>
    report({ type: 'client.reported', clientId: 'client-1', event });
  tell({ type: 'client.replayed', entries: 0 });
  tell({ type: 'client.behind', bytes: 2_000_000 });
  clock.increment(9_999);
  tell({ type: 'client.caughtUp' });
  clock.increment(20_000);
  expect(commands.some((command) => command.type === 'client.evict')).toBe(false);
  tell({ type: 'client.behind', bytes: 2_000_000 });
  clock.increment(10_000);
  expect(commands.at(-1)).toEqual({
    type: 'client.evict',
    clientId: 'client-1',
    reason: 'lagging',
  });
});

test('a client whose backlog overflows is evicted at once, and once', () => {
  report({ type: 'client.opened', clientId: 'client-1' });
  const overflow: ServerEvent = {
    type: 'client.reported',
    clientId: 'client-1',
    event: { type: 'client.overflowed', bytes: 9_000_000 },
  };
  report(overflow);
  report(overflow);
  expect(commands.filter((command) => command.type === 'client.evict')).toHaveLength(1);
});

test('a token that was replaced ends all sessions; a file that cannot be read changes nothing', () => {
  const error = new BridgeError('home_unsafe', 'others can read it');
  watchTells({ type: 'token.unreadable', error });
  expect(commands).toEqual([{ type: 'server.bind' }]);
  expect(actor.getSnapshot().context.lastError).toContain('others can read it');
  watchTells({ type: 'token.rotated' });
  expect(commands.at(-1)).toEqual({ type: 'server.revoke' });
});

test('who is turned away is counted', () => {
  report({ type: 'client.refused' });
  report({ type: 'client.refused' });
  expect(actor.getSnapshot().context).toMatchObject({ refused: 2, clients: 0 });
});

test('a report of a client that is not there any more changes nothing', () => {
  report({ type: 'client.reported', clientId: 'client-9', event: { type: 'client.caughtUp' } });
  expect(actor.getSnapshot().status).toBe('active');
});

test('a request for an owner that is not there is answered "unavailable" and counted', () => {
  report({
    type: 'request.received',
    request: {
      type: 'control.request',
      requestId: 'request-1',
      clientId: 'client-1',
      request: { control: 'runs.list' },
    },
  });
  report({ type: 'prompt.received', requestId: 'request-2', prompt: { text: 'hi' } });
  const failed = commands.filter((command) => command.type === 'control.failed');
  expect(failed.map((command) => command.requestId)).toEqual(['request-1', 'request-2']);
  expect(failed.every((command) => command.error.code === 'unavailable')).toBe(true);
  expect(actor.getSnapshot().context.unroutable).toBe(2);
});

test('replies, refusals, broadcasts and lines reach the sockets as they are', () => {
  const sent: ServerCommand[] = [
    { type: 'control.reply', requestId: 'a', frame: { type: 'bridge.echo', ts: 1 } },
    { type: 'control.failed', requestId: 'b', error: { code: 'not_found', message: 'x' } },
    {
      type: 'broadcast',
      frame: { type: 'bridge.supervisor', supervisor: 'root', event: 'escalated' },
    },
    { type: 'broadcast.lines', runId: 'r', threadId: 't', stream: 'stderr', lines: ['x'] },
  ];
  for (const command of sent) actor.send(command as Parameters<typeof actor.send>[0]);
  expect(commands.slice(1)).toEqual(sent);
});
