import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { isAlive } from '../../support/processes.ts';
import { runBackend, type RunningBackend } from '../../support/running-backend.ts';
import { until } from '../../support/until.ts';

const started: RunningBackend[] = [];
function backend(...args: Parameters<typeof runBackend>): RunningBackend {
  const running = runBackend(...args);
  started.push(running);
  return running;
}

afterEach(async () => {
  for (const running of started.splice(0)) {
    running.drop();
    await gone(running.pids);
  }
});

async function gone(pids: number[]): Promise<void> {
  await until(`${pids.join()} are gone`, () => !pids.some(isAlive));
}

describe('a backend process', () => {
  test('says where it serves, and ends when it is told to', async () => {
    const running = backend(['obey']);
    running.send('backend.start');
    const ready = await running.next();
    if (ready.type !== 'backend.ready') throw new Error(ready.type);
    expect(await (await fetch(ready.url)).text()).toBe('small');
    running.send('backend.stop');
    expect(await running.next()).toEqual({ type: 'backend.stopped' });
    await gone(running.pids);
  });

  test('that was killed is reported, and comes back at the same address', async () => {
    const running = backend(['obey']);
    running.send('backend.start');
    const ready = await running.next();
    process.kill(running.pids[0] ?? 0, 'SIGKILL');
    const failed = await running.next();
    expect(failed).toMatchObject({ type: 'backend.failed', error: { code: 'convex_failed' } });
    expect(failed).toMatchObject({ error: { message: expect.stringContaining('SIGKILL') } });
    running.send('backend.start');
    expect(await running.next()).toEqual(ready);
    expect(new Set(running.pids).size).toBe(2);
  });

  test('that ignores SIGTERM is killed after the limit', async () => {
    const running = backend(['ignore'], { stopLimitMs: 300 });
    running.send('backend.start');
    await running.next();
    running.send('backend.stop');
    expect(await running.next()).toEqual({ type: 'backend.stopped' });
    expect(running.log).toContain('no');
    await gone(running.pids);
  });

  test('that is frozen is killed after the limit', async () => {
    const running = backend(['obey'], { stopLimitMs: 300 });
    running.send('backend.start');
    await running.next();
    process.kill(running.pids[0] ?? 0, 'SIGSTOP');
    running.send('backend.stop');
    expect(await running.next()).toEqual({ type: 'backend.stopped' });
  });

  test('starts again only when the one before it has ended', async () => {
    const running = backend(['ignore'], { stopLimitMs: 300 });
    running.send('backend.start');
    const ready = await running.next();
    running.send('backend.stop');
    running.send('backend.start');
    expect(await running.next()).toEqual({ type: 'backend.stopped' });
    expect(running.pids.filter(isAlive)).toEqual([]);
    expect(await running.next()).toEqual(ready);
  });

  test('does not start any more when it was stopped meanwhile', async () => {
    const running = backend(['ignore'], { stopLimitMs: 300 });
    running.send('backend.start');
    await running.next();
    running.send('backend.stop');
    running.send('backend.start');
    running.send('backend.stop');
    expect(await running.next()).toEqual({ type: 'backend.stopped' });
    running.send('backend.stop');
    expect(await running.next()).toEqual({ type: 'backend.stopped' });
    expect(running.pids).toHaveLength(1);
  });

  test('is killed when its actor is dropped', async () => {
    const running = backend(['ignore']);
    running.send('backend.start');
    await running.next();
    running.drop();
    await gone(running.pids);
  });

  test('knows nothing of the settings and secrets of the bridge', async () => {
    vi.stubEnv('OPENAGENTS_BRIDGE_TOKEN', 'a-very-secret-token');
    vi.stubEnv('OPENAI_API_KEY', 'another-secret');
    const running = backend(['obey']);
    running.send('backend.start');
    const ready = await running.next();
    if (ready.type !== 'backend.ready') throw new Error(ready.type);
    const environment = await (await fetch(`${ready.url}/environment`)).text();
    vi.unstubAllEnvs();
    expect(environment).toContain('PATH');
    expect(environment).not.toMatch(/OPENAGENTS|secret/);
  });
});

describe('a backend that cannot serve', () => {
  test.each([
    ['PortTaken', 'port_taken', false, '127.0.0.1:0 (OPENAGENTS_CONVEX_PORT)'],
    ['AddressUnavailable', 'convex_misconfigured', false, 'OPENAGENTS_CONVEX_INTERFACE'],
    ['DatabaseCorrupt', 'convex_corrupt', false, 'as it was told'],
    ['FunctionsInvalid', 'convex_misconfigured', false, 'as it was told'],
    ['DatabaseInUse', 'convex_failed', true, 'as it was told'],
    ['SomethingNew', 'convex_failed', true, 'as it was told'],
  ])('for %s fails with %s', async (reason, code, retryable, told) => {
    const running = backend(['fail', reason]);
    running.send('backend.start');
    expect(await running.next()).toMatchObject({
      type: 'backend.failed',
      error: { code, retryable, message: expect.stringContaining(told) },
    });
  });

  test('and says nothing that is understood is reported with its last words', async () => {
    const running = backend(['mumble']);
    running.send('backend.start');
    const failed = await running.next();
    if (failed.type !== 'backend.failed') throw new Error(failed.type);
    expect(failed.error.message).toContain('it exited with code 3');
    expect(failed.error.message).toContain('some words');
    expect(failed.error.message).toContain('and others');
  });

  test('because there is no such program fails as well', async () => {
    const running = backend([], { entry: 'no/such/file.ts' });
    running.send('backend.start');
    expect(await running.next()).toMatchObject({
      type: 'backend.failed',
      error: { code: 'convex_failed', message: expect.stringContaining('no/such/file.ts') },
    });
  });
});

test('a backend does not outlive a bridge that was killed', async () => {
  const script = fileURLToPath(new URL('../../support/bridge-with-backend.ts', import.meta.url));
  const bridge = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(createInterface({ input: bridge.stdout }), 'line');
  const pid = Number(line);
  expect(isAlive(pid)).toBe(true);
  bridge.kill('SIGKILL');
  await gone([pid]);
});
