/** What the commands owe to the terminal, the pipe and the Node that they meet. */
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { printableText } from '../../src/cli/printable.ts';
import { logFilePath } from '../../src/log-file.ts';
import { headerLine } from '../../src/recording/recording-file.ts';
import { commandLine } from '../support/command-line.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { holdPort } from '../support/ports.ts';
import { until } from '../support/until.ts';

describe('help', () => {
  const commands = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
    .matchAll(/^\| `oa-bridge (\w+)/gm)
    .map(([, command = '']) => command)
    .toArray();

  test.each(['help', ...commands, 'interrupt', 'attach'])(
    'of %s fits a terminal of 80 columns',
    async (command) => {
      const { stdout, exitCode } = await commandLine('/nowhere', [command, '--help']);
      expect(exitCode).toBe(0);
      expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
    },
  );
});

test('a setting that is wrong is named as it was given, by its flag or by its variable', async () => {
  const given = async (args: string[], env = {}) =>
    (await commandLine('/nowhere', ['start', ...args], env)).stderr;
  expect(await given(['--sandbox', 'wild'])).toContain(
    ': --sandbox is "wild", but must be read-only, workspace-write or danger-full-access. [',
  );
  expect(await given([], { OPENAGENTS_SANDBOX: 'wild' })).toContain(
    ': OPENAGENTS_SANDBOX is "wild", but',
  );
});

test('a Node that is too old is told so in one line, with exit code 2', async () => {
  const older = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '22.11.0' } })`;
  const cli = join(import.meta.dirname, '../../src/cli.ts');
  const { exitCode, stdout, stderr } = await execa(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(older)}`, cli, 'status'],
    { reject: false },
  );
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toBe('oa-bridge: Node 22.11.0 is too old for it; install Node 24 or newer.');
});

test('a command whose output nobody reads to its end says nothing about it', async () => {
  using folder = temporaryFolder();
  mkdirSync(join(folder.path, 'openagents', 'logs'), { recursive: true });
  const line = `${JSON.stringify({ level: 30, time: 0, msg: 'x'.repeat(1_000) })}\n`;
  writeFileSync(logFilePath(join(folder.path, 'openagents')), line.repeat(2_000));
  const running = commandLine(folder.path, ['logs', '--json', '-n', '2000']);
  await once(running.stdout, 'data');
  running.stdout.destroy();
  const { exitCode, stderr } = await running;
  expect({ exitCode, stderr }).toEqual({ exitCode: 141, stderr: '' });
});

test('a daemon whose output nobody reads any more goes on, and ends as it is told', async () => {
  using folder = temporaryFolder();
  const running = commandLine(folder.path, ['start']);
  await once(running.stderr, 'data');
  running.stderr.destroy();
  const log = logFilePath(join(folder.path, 'openagents'));
  const said = () => (existsSync(log) ? readFileSync(log, 'utf8') : '');
  await until('it is online', () => said().includes('convex is online'));
  running.kill('SIGTERM');
  expect((await running).exitCode).toBe(0);
  expect(said()).toContain('oa-bridge has ended');
});

test('variables for the functions of convex are read from their file by us, not by Node', async () => {
  using folder = temporaryFolder();
  const { exitCode, stderr } = await commandLine(folder.path, [
    'convex',
    '--environment-file',
    join(folder.path, 'none'),
  ]);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^oa-bridge: .*--environment-file cannot be read: .*ENOENT.*\]$/);
});

test('a bridge that refuses a command, and takes it a moment later, is not called absent', async () => {
  using folder = temporaryFolder();
  let asked = 0;
  const sockets = new WebSocketServer({ noServer: true });
  const server = createServer().listen(0, '127.0.0.1');
  server.on('upgrade', (request, socket, head) => {
    asked += 1;
    if (asked === 1) socket.end('HTTP/1.1 401 no\r\ncontent-length: 2\r\n\r\n{}');
    else sockets.handleUpgrade(request, socket, head, (client) => client.close(1001));
  });
  await once(server, 'listening');
  // A TCP server's address is never a pipe name.
  const { port } = server.address() as AddressInfo;
  const { exitCode, stderr } = await commandLine(folder.path, ['status'], {
    OPENAGENTS_BIND: `127.0.0.1:${port}`,
    OPENAGENTS_BRIDGE_TOKEN: 'any-token-of-16-characters',
  });
  server.close();
  expect(asked).toBeGreaterThanOrEqual(3);
  expect(exitCode).toBe(3);
  expect(stderr).toContain(`ws://127.0.0.1:${port}/ws hangs up`);
});

test('what a model says moves no cursor and sets no colour, and keeps its lines and emoji', () => {
  const family = '👩‍👩‍👧';
  expect(
    printableText(`one\n\ttwo \u001b[31mred\u001b[0m \u001b]0;title\u0007${family}\r\u202Eabc`),
  ).toBe(`one\n\ttwo red ${family}abc`);
});

test('a port for the inspector that is taken is told in one line', async () => {
  using folder = temporaryFolder();
  using other = await holdPort();
  const file = join(folder.path, 'recording.jsonl');
  writeFileSync(file, headerLine('0.1.0', 0));
  const args = ['replay', '--inspect', '--port', String(other.port), file];
  const { exitCode, stderr } = await commandLine(folder.path, args);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(
    new RegExp(`already in use; .*:${other.port} \\(--port\\)\\. \\[port_taken\\]$`),
  );
});
