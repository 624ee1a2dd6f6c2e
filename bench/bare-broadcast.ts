/**
 * The yardstick for a broadcast: the least that can be done. Prints its port; runs the program in
 * its arguments when it gets a line on stdin, and sends each line of its output to every client.
 */
import { spawn } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { WebSocketServer } from 'ws';

const [program = '', ...args] = process.argv.slice(2);
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
server.on('listening', () => console.log((server.address() as AddressInfo).port));
process.stdin.once('data', () => {
  const printing = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  createInterface({ input: printing.stdout }).on('line', (line) => {
    for (const client of server.clients) client.send(line);
  });
});
