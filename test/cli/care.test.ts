/** What a person uses to look after the daemon: `doctor`, `logs`, `service`. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { commandLine, firstOutput } from '../support/command-line.ts';
import { startDaemonProcess } from '../support/daemon-process.ts';
import { answerAsWebServer, freePort, holdPort } from '../support/ports.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const findings = z
  .array(
    z.object({
      subject: z.string(),
      verdict: z.string(),
      found: z.string(),
      advice: z.string().optional(),
    }),
  )
  .transform((all) => new Map(all.map((finding) => [finding.subject, finding])));

async function doctor(folder: string, env: Record<string, string>) {
  const { exitCode, stdout } = await commandLine(folder, ['doctor', '--json'], env);
  return { exitCode, found: findings.parse(JSON.parse(stdout)) };
}

test('doctor finds what is wrong, says what to do, and ends with 1', async () => {
  using folder = temporaryFolder();
  using other = await holdPort(answerAsWebServer);
  mkdirSync(join(folder.path, 'openagents'));
  chmodSync(join(folder.path, 'openagents'), 0o755);
  mkdirSync(join(folder.path, 'codex'));
  writeFileSync(join(folder.path, 'codex', 'sessions'), '');
  const { exitCode, found } = await doctor(folder.path, {
    OPENAGENTS_BIND: `127.0.0.1:${other.port}`,
    OPENAGENTS_CONVEX_INTERFACE: '203.0.113.9',
    OPENAGENTS_CONVEX_PORT: '7788',
    CODEX_BIN: '/nonexistent',
    OPENAGENTS_RUN_ROOTS: join(folder.path, 'gone'),
    OPENAGENTS_BACKFILL_ROOTS: folder.path,
  });
  expect(exitCode).toBe(1);
  expect(found.get('home')).toMatchObject({ verdict: 'failed' });
  expect(found.get('home')?.found).toContain(`chmod 700 ${join(folder.path, 'openagents')}`);
  expect(found.get('sessions')).toMatchObject({ verdict: 'failed' });
  expect(found.get('control')).toMatchObject({ verdict: 'failed' });
  expect(found.get('convex')).toMatchObject({ verdict: 'failed' });
  expect(found.get('codex')).toMatchObject({ verdict: 'warning' });
  expect(found.get('runs')).toMatchObject({
    verdict: 'warning',
    found: expect.stringContaining('no directory'),
  });
  expect(found.get('backfill')).toMatchObject({
    verdict: 'ok',
    found: `may read in and below ${folder.path}`,
  });
  for (const { verdict, advice } of found.values())
    expect(advice !== undefined).toBe(verdict !== 'ok');
});

test('doctor does not take the Convex of another home for its own', async () => {
  using folder = temporaryFolder();
  using other = temporaryFolder();
  await using daemon = await startDaemonProcess({ folder: other.path });
  const { exitCode, found } = await doctor(folder.path, {
    OPENAGENTS_BIND: `127.0.0.1:${await freePort()}`,
    OPENAGENTS_CONVEX_PORT: new URL(daemon.convexUrl).port,
  });
  expect(exitCode).toBe(1);
  expect(found.get('control')).toMatchObject({ verdict: 'ok' });
  expect(found.get('convex')).toMatchObject({
    verdict: 'failed',
    found: expect.stringContaining('held by another program'),
  });
});

test('doctor asks a Codex that has no home yet nothing that it could not answer', async () => {
  using folder = temporaryFolder();
  const { exitCode, found } = await doctor(folder.path, {
    CODEX_BIN: join(import.meta.dirname, '../../node_modules/.bin/codex'),
  });
  expect(exitCode).toBe(0);
  expect(found.get('codex')?.verdict).toBe('ok');
  expect(found.get('signed in')).toMatchObject({
    verdict: 'warning',
    advice: expect.stringContaining('codex login'),
  });
  expect(found.has('driver')).toBe(false);
});

test('doctor sees the daemon that runs, and ends with 0; logs shows what it says, and follows', async () => {
  using folder = temporaryFolder();
  mkdirSync(join(folder.path, 'codex'));
  await using daemon = await startDaemonProcess({ folder: folder.path });
  const env = {
    OPENAGENTS_BIND: new URL(daemon.controlUrl).host,
    OPENAGENTS_CONVEX_PORT: new URL(daemon.convexUrl).port,
    OPENAGENTS_BRIDGE_TOKEN: daemon.token,
    CODEX_BIN: join(import.meta.dirname, '../../node_modules/.bin/codex'),
  };
  const { exitCode, found } = await doctor(folder.path, env);
  expect(exitCode).toBe(0);
  expect(found.get('control')?.found).toContain(`(pid ${daemon.pid})`);
  expect(found.get('convex')?.found).toContain('is healthy');
  expect(found.get('codex')?.verdict).toBe('ok');
  expect(found.get('runs')?.found).toContain('any directory');
  expect(found.get('signed in')).toMatchObject({ verdict: 'warning', found: 'nobody' });
  expect(found.get('driver')?.found).toContain('app-server, with tokens');

  const shown = await commandLine(folder.path, ['logs', '-n', '500']);
  expect(shown.stdout).toContain('convex is online');
  const asJson = await commandLine(folder.path, ['logs', '--json', '-n', '1']);
  expect(JSON.parse(asJson.stdout)).toMatchObject({ pid: daemon.pid });
  const following = commandLine(folder.path, ['logs', '-f', '-n', '1']);
  expect(await firstOutput(following)).not.toContain('shutting down');
  daemon.kill('SIGTERM');
  await firstOutput(following, 'shutting down');
  following.kill('SIGINT');
  expect((await following).exitCode).toBe(0);
});

test.runIf(process.platform === 'linux')(
  'service install writes the unit of this program and its settings, without the token',
  async () => {
    using folder = temporaryFolder();
    const env = {
      XDG_CONFIG_HOME: folder.path,
      OPENAGENTS_BRIDGE_TOKEN: 'a-secret-0123456789',
      // So that no session of the person who runs this test is touched.
      DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent',
      XDG_RUNTIME_DIR: folder.path,
    };
    const run = (...args: string[]) => commandLine(folder.path, ['service', ...args], env);
    const settings = ['--max-runs', '2', '--codex-home', 'codex', '--codex-bin', './codex'];
    const { stdout: unit } = await run('install', '--print', ...settings);
    expect(unit).toContain('Environment="OPENAGENTS_MAX_RUNS=2"');
    // It starts elsewhere than this command.
    expect(unit).toContain(`Environment="CODEX_HOME=${resolve('codex')}"`);
    expect(unit).toContain(`Environment="CODEX_BIN=${resolve('codex')}"`);
    expect(unit).toMatch(/ExecStart=".*node" ".*cli\.ts" "start"/);
    expect(unit).not.toContain('a-secret');
    expect((await run('status')).exitCode).toBe(1);
    const installed = await run('install');
    const file = join(folder.path, 'systemd', 'user', 'oa-bridge.service');
    expect(installed).toMatchObject({ exitCode: 1, stdout: `Written: ${file}` });
    expect(installed.stderr).toContain('[service_failed]');
    expect((await run('status')).stdout).toContain(`file   ${file}`);
    expect((await run('uninstall')).stdout).toBe(`Removed: ${file}`);
    expect((await run('status')).stdout).toBe('not installed');
  },
);
