/** How devices get in, and how they are shut out: `pair` and `token --rotate` against a real daemon. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeQR } from 'qr/decode.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectBridge } from '../../src/control/connect-bridge.ts';
import { pairBridge } from '../../src/control/pair-bridge.ts';
import { commandLine, firstOutput } from '../support/command-line.ts';
import { startDaemonProcess, type DaemonProcess } from '../support/daemon-process.ts';
import { freePort } from '../support/ports.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('a bridge that listens on all interfaces', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let daemon: DaemonProcess;
  let env: Record<string, string>;
  let url: string;

  beforeAll(async () => {
    folder = temporaryFolder();
    const port = await freePort();
    env = { OPENAGENTS_BIND: `0.0.0.0:${port}`, OPENAGENTS_BRIDGE_TOKEN: '' };
    url = `ws://127.0.0.1:${port}/ws`;
    const everywhere = { ...env, OPENAGENTS_CONVEX_INTERFACE: '0.0.0.0' };
    daemon = await startDaemonProcess({ folder: folder.path, env: everywhere });
  });
  afterAll(async () => {
    await daemon[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  const run = (...args: string[]) => commandLine(folder.path, args, env);

  test('pair shows a code that a camera reads; the phone that scans it is a client', async () => {
    const pairing = run('pair');
    const shown = await firstOutput(pairing, 'while this runs.');
    const link = scan(shown);
    expect(shown).toContain(link);
    const { stdout: token } = await run('token');
    expect(link).not.toContain(token);

    const paired = await pairBridge(link);
    expect(paired.token).toBe(token);
    // Both by the address at which the phone reaches this machine.
    expect(new URL(paired.convexUrl).hostname).toBe(new URL(paired.url).hostname);
    const phone = await connectBridge(paired);
    expect((await phone.request('convex.token')).url).toBe(paired.convexUrl);
    phone.close();
    expect(await pairing).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/Paired with [\d.]+\.$/),
    });
    await expect(pairBridge(link)).rejects.toMatchObject({ code: 'closed' });
  });

  test('Ctrl-C ends pair, and its code with it', async () => {
    const pairing = run('pair');
    const link = scan(await firstOutput(pairing, 'while this runs.'));
    const { stdout: token } = await run('token');
    const desk = await connectBridge({ url, token });
    const isAlone = new Promise<void>((resolve) => {
      desk.on('bridge.client_disconnected', ({ clients }) => clients === 1 && resolve());
    });
    pairing.kill('SIGINT');
    await pairing;
    // The bridge hears of it a moment after the process has ended.
    await isAlone;
    desk.close();
    await expect(pairBridge(link)).rejects.toMatchObject({ code: 'closed' });
  });

  test('token --rotate ends the sessions of the old token without a restart, and says so', async () => {
    const { stdout: old } = await run('token');
    const client = await connectBridge({ url, token: old });
    const { stdout: token, stderr, exitCode } = await run('token', '--rotate');
    expect({ exitCode, stderr }).toEqual({
      exitCode: 0,
      stderr: expect.stringContaining('ended the sessions of the old one'),
    });
    expect(token).toMatch(/^[\w-]{43}$/);
    expect(token).not.toBe(old);
    expect(await client.closed).toEqual({ code: 4001, reason: 'token rotated' });
    await expect(connectBridge({ url, token: old })).rejects.toMatchObject({ code: 'closed' });
    expect((await run('status')).exitCode).toBe(0);
    const log = JSON.stringify(daemon.log);
    expect(log).not.toContain(old);
    expect(log).not.toContain(token);
  });

  test('a bridge.json that is damaged while it runs changes nothing', async () => {
    const { stdout: token } = await run('token');
    writeFileSync(join(folder.path, 'openagents', 'bridge.json'), '{"token":', { mode: 0o600 });
    await expect
      .poll(async () => {
        const client = await connectBridge({ url, token, reconnect: false });
        const { items } = await client.request('machines.list');
        client.close();
        return items.find(({ id }) => id === 'gateway')?.lastError ?? '';
      })
      .toContain('repair or remove it');
  });
});

test('pair to a bridge that listens on this machine only says how to change that', async () => {
  using folder = temporaryFolder();
  await using daemon = await startDaemonProcess({ folder: folder.path });
  const env = {
    OPENAGENTS_BIND: new URL(daemon.controlUrl).host,
    OPENAGENTS_BRIDGE_TOKEN: daemon.token,
  };
  const pairing = await commandLine(folder.path, ['pair'], env);
  expect(pairing).toMatchObject({ exitCode: 1, stdout: '' });
  expect(pairing.stderr).toContain('start it with OPENAGENTS_BIND=0.0.0.0:');
  const rotated = await commandLine(folder.path, ['token', '--rotate'], env);
  expect(rotated).toMatchObject({ exitCode: 2, stdout: '' });
  expect(rotated.stderr).toContain('the token comes from OPENAGENTS_BRIDGE_TOKEN');
});

test('token --rotate without a running bridge is for the next one', async () => {
  using folder = temporaryFolder();
  const { stdout: old } = await commandLine(folder.path, ['token']);
  const env = { OPENAGENTS_BIND: '127.0.0.1:1' };
  const { stdout: token, stderr } = await commandLine(folder.path, ['token', '--rotate'], env);
  expect(stderr).toContain('no bridge runs here');
  expect(token).not.toBe(old);
  expect((await commandLine(folder.path, ['token'])).stdout).toBe(token);
});

/** What a camera makes of the blocks on the terminal: two rows of the code in each line. */
function scan(shown: string): string {
  const rows = shown
    .split('\n')
    .filter((line) => /^[ █▀▄]+$/.test(line) && line.includes('█'))
    .flatMap((line) => [
      [...line].map((block) => block === '█' || block === '▀'),
      [...line].map((block) => block === '█' || block === '▄'),
    ]);
  const scale = 4;
  const width = (rows[0]?.length ?? 0) * scale;
  const height = rows.length * scale;
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const isLight = rows[Math.floor(y / scale)]?.[Math.floor(x / scale)] ?? true;
      data.fill(isLight ? 255 : 0, (y * width + x) * 4, (y * width + x) * 4 + 3);
    }
  }
  return decodeQR({ width, height, data }, { effort: Infinity, timeLimit: Infinity });
}
