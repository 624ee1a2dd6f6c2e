import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { Connection } from '../../../src/actors/gateway/connection.ts';
import type { ClientEvent } from '../../../src/machines/client-connection.ts';

const MIB = 1024 * 1024;

/** A socket whose reader has taken nothing of what was sent, until the test says so. */
class SlowSocket extends EventEmitter {
  readonly OPEN = 1;
  readonly readyState = 1;
  bufferedAmount = 0;
  pings = 0;
  isCut = false;

  ping(): void {
    this.pings += 1;
  }

  terminate(): void {
    this.isCut = true;
  }

  send(frame: string): void {
    this.bufferedAmount += frame.length;
  }
}

let socket: SlowSocket;
let connection: Connection;
let told: ClientEvent['type'][];

beforeEach(() => {
  vi.useFakeTimers();
  socket = new SlowSocket();
  told = [];
  // It has what a connection uses of a socket.
  connection = new Connection({
    socket: socket as unknown as WebSocket,
    stream: socket as unknown as Duplex,
    clientId: 'client-1',
    requestHost: 'localhost',
    wrap: false,
    beforeSend() {},
    onFrame() {},
    onEvent: (event) => told.push(event.type),
  });
});

afterEach(() => {
  socket.emit('close', 1000);
  vi.useRealTimers();
});

test('a client more than 8 MiB behind has overflowed', () => {
  connection.send('x'.repeat(8 * MIB));
  vi.advanceTimersByTime(1_000);
  expect(told).toEqual(['client.behind']);
  connection.send('x');
  vi.advanceTimersByTime(100);
  expect(told).toEqual(['client.behind', 'client.overflowed']);
});

test('a replay of any size is no overflow, but what comes on top of it is', () => {
  connection.send('x'.repeat(15 * MIB));
  connection.greeted();
  vi.advanceTimersByTime(1_000);
  connection.send('x'.repeat(8 * MIB));
  vi.advanceTimersByTime(1_000);
  expect(told).toEqual(['client.behind']);
  connection.send('x');
  vi.advanceTimersByTime(100);
  expect(told).toEqual(['client.behind', 'client.overflowed']);
});

test('a replay that was read gives no further room', () => {
  connection.send('x'.repeat(15 * MIB));
  connection.greeted();
  socket.bufferedAmount = 0;
  vi.advanceTimersByTime(100);
  connection.send('x'.repeat(8 * MIB + 1));
  vi.advanceTimersByTime(100);
  expect(told).toEqual(['client.behind', 'client.caughtUp', 'client.behind', 'client.overflowed']);
});

test('a client that answers no ping is cut within 45 s, one that answers stays', () => {
  for (let n = 0; n < 4; n += 1) {
    vi.advanceTimersByTime(15_000);
    socket.emit('pong');
  }
  expect(socket.pings).toBe(4);
  vi.advanceTimersByTime(44_999);
  expect(socket.isCut).toBe(false);
  vi.advanceTimersByTime(1);
  expect(socket.isCut).toBe(true);
});
