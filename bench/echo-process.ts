/**
 * The yardstick for latency: the least that can be done. Watches one file with
 * fs.watch, reads what was appended, and sends it to every WebSocket client.
 * Argument: the file. Prints its port.
 */
import { openSync, readSync, watch } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { WebSocketServer } from 'ws';

const path = process.argv[2] ?? '';
const file = openSync(path, 'r');
const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
const buffer = Buffer.alloc(64 * 1024);
let offset = 0;

watch(dirname(path), () => {
  for (let bytes = readSync(file, buffer, 0, buffer.length, offset); bytes > 0;) {
    offset += bytes;
    const text = buffer.toString('utf8', 0, bytes);
    for (const client of server.clients) client.send(text);
    bytes = readSync(file, buffer, 0, buffer.length, offset);
  }
});
server.on('listening', () => console.log((server.address() as AddressInfo).port));
