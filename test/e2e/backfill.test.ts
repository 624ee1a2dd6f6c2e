/** Backfills as a client asks for them, of a real daemon on its own backend. */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ControlFailure, type BridgeConnection } from '../../src/control/connect-bridge.ts';
import { backfillFrame, type BackfillFrame } from '../../src/control/frames.ts';
import {
  followBackfills,
  messageCounts,
  midway,
  oldSessions,
  statusWith,
} from '../support/backfills.ts';
import { startDaemonProcess, type DaemonProcess } from '../support/daemon-process.ts';
import { descendant } from '../support/processes.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const WATCHING_OFF = { OPENAGENTS_CONVEX_SYNC: '0' };
const MESSAGES = 3;

type Selection = { limit?: number; since?: number | string; path?: string };

async function ask(bridge: BridgeConnection, selection: Selection = {}): Promise<BackfillFrame> {
  return backfillFrame.parse(await bridge.request('convex.backfill', selection));
}

async function done(bridge: BridgeConnection, selection: Selection): Promise<BackfillFrame> {
  const followed = followBackfills(bridge);
  const { jobId } = await ask(bridge, selection);
  return await followed.first((frame) => frame.jobId === jobId && frame.state === 'done');
}

async function refusal(request: Promise<unknown>): Promise<ControlFailure> {
  const failure = await request.catch((error: unknown) => error);
  if (failure instanceof ControlFailure) return failure;
  throw new Error('It was not refused.');
}

async function expectWhole(daemon: DaemonProcess, threads: readonly { threadId: string }[]) {
  const expected = new Map(threads.map(({ threadId }) => [threadId, MESSAGES]));
  expect(await messageCounts(daemon)).toEqual(expected);
}

test('with watching off: the newest, since a date, from elsewhere, and then all that is left', async () => {
  using folder = temporaryFolder();
  const sessions = oldSessions(join(folder.path, 'codex'), 12, MESSAGES);
  const elsewhere = oldSessions(join(folder.path, 'backup'), 3, MESSAGES);
  await using daemon = await startDaemonProcess({ folder: folder.path, env: WATCHING_OFF });
  const bridge = await daemon.connect();
  const newest = await done(bridge, { limit: 2 });
  expect(newest).toMatchObject({
    kind: 'request',
    files: { total: 2, done: 2, failed: 0 },
    selection: { limit: 2 },
  });
  expect(newest.bytes.done).toBe(newest.bytes.total);
  expect(newest.messages.inserted).toBeGreaterThanOrEqual(2 * MESSAGES);
  await expectWhole(daemon, sessions.slice(0, 2));

  const since = new Date(Date.now() - 4.5 * 86_400_000).toISOString();
  expect((await done(bridge, { since })).files.total).toBe(4);
  await expectWhole(daemon, sessions.slice(0, 4));

  const outside = await done(bridge, { path: join(folder.path, 'backup') });
  expect(outside.files).toEqual({ total: 3, done: 3, failed: 0 });
  await expectWhole(daemon, [...sessions.slice(0, 4), ...elsewhere]);

  const all = await done(bridge, {});
  expect(all.files).toEqual({ total: 12, done: 12, failed: 0 });
  await expectWhole(daemon, [...sessions, ...elsewhere]);
  const again = await done(bridge, {});
  expect(again).toMatchObject({ files: { done: 12 }, messages: { inserted: 0, known: 0 } });
  const status = await bridge.request('sessions.watch_status');
  expect(status).toMatchObject({ enabled: false, state: 'disabled' });
  // Its end is told first; forgetting it takes a write to the disk.
  await until('it is forgotten', () => {
    return !existsSync(join(folder.path, 'openagents', 'backfill.json'));
  });
  bridge.close();
});

test('what may not be read from a path is refused with a reason, and begins no job', async () => {
  using folder = temporaryFolder();
  const [session] = oldSessions(join(folder.path, 'elsewhere'), 1, MESSAGES);
  const link = join(folder.path, 'link');
  symlinkSync(join(folder.path, 'elsewhere'), link);
  const secret = join(folder.path, 'secret.jsonl');
  writeFileSync(secret, 'secret\n');
  await using daemon = await startDaemonProcess({ folder: folder.path, env: WATCHING_OFF });
  const bridge = await daemon.connect();
  const refusals = [];
  for (const path of [link, secret, 'relative', join(folder.path, 'missing')]) {
    const { code, message } = await refusal(ask(bridge, { path }));
    refusals.push([code, message.includes(path)]);
  }
  expect(refusals).toEqual([
    ['invalid_request', true],
    ['invalid_request', true],
    ['invalid_request', true],
    ['not_found', true],
  ]);
  for (const wrong of [{ limit: 0 }, { since: 'yesterday' }, { since: -1 }, { path: '' }]) {
    expect((await refusal(ask(bridge, wrong))).code).toBe('invalid_request');
  }
  expect(existsSync(join(folder.path, 'openagents', 'backfill.json'))).toBe(false);
  // A single file, under its own name, is what a path may lead to as well.
  expect((await done(bridge, { path: session?.path ?? '' })).files.done).toBe(1);
  bridge.close();
});

test('one at a time: the second is a conflict; cancelled, what is imported stays and the rest is left', async () => {
  using folder = temporaryFolder();
  const sessions = oldSessions(join(folder.path, 'codex'), 60, MESSAGES);
  await using daemon = await startDaemonProcess({ folder: folder.path, env: WATCHING_OFF });
  const bridge = await daemon.connect();
  const { jobId } = await ask(bridge);
  await midway(bridge);
  expect(await refusal(ask(bridge, { limit: 1 }))).toMatchObject({ code: 'conflict', jobId });
  const unknown = bridge.request('convex.backfill_cancel', { jobId: 'another' });
  expect((await refusal(unknown)).code).toBe('not_found');
  const reply = await bridge.request('convex.backfill_cancel', { jobId: jobId ?? '' });
  const cancelled = backfillFrame.parse(reply);
  expect(cancelled).toMatchObject({ jobId, state: 'cancelled' });
  expect(existsSync(join(folder.path, 'openagents', 'backfill.json'))).toBe(false);
  await until('nothing is read any more', async () => {
    const status = await bridge.request('sessions.watch_status');
    return status['state'] === 'disabled';
  });
  const held = await messageCounts(daemon);
  expect(held.size).toBeGreaterThanOrEqual(cancelled.files.done);
  expect(held.size).toBeLessThan(sessions.length);
  expect((await done(bridge, {})).files.done).toBe(sessions.length);
  await expectWhole(daemon, sessions);
  bridge.close();
});

test('the daemon is killed midway: the same job goes on by itself, and nothing is lost or doubled', async () => {
  using folder = temporaryFolder();
  const sessions = oldSessions(join(folder.path, 'codex'), 60, MESSAGES);
  const elsewhere = oldSessions(join(folder.path, 'backup'), 20, MESSAGES);
  mkdirSync(join(folder.path, 'codex', 'sessions'), { recursive: true });
  let jobId: string | null = null;
  let doneBefore = 0;
  {
    await using daemon = await startDaemonProcess({ folder: folder.path, env: WATCHING_OFF });
    const bridge = await daemon.connect();
    ({ jobId } = await ask(bridge, { path: folder.path }));
    doneBefore = (await midway(bridge)).files.done;
    daemon.kill('SIGKILL');
    await daemon.exited;
  }
  const kept: { id?: string } = JSON.parse(
    readFileSync(join(folder.path, 'openagents', 'backfill.json'), 'utf8'),
  );
  expect(kept.id).toBe(jobId);
  await using daemon = await startDaemonProcess({ folder: folder.path, env: WATCHING_OFF });
  const bridge = await daemon.connect();
  const goesOn = ({ state }: BackfillFrame) => state === 'importing' || state === 'done';
  const resumed = await statusWith(bridge, goesOn);
  expect(resumed).toMatchObject({ jobId, files: { total: 80 } });
  expect(resumed.files.done).toBeGreaterThanOrEqual(doneBefore);
  const end = await statusWith(bridge, ({ state }) => state === 'done');
  expect(end).toMatchObject({ jobId, files: { total: 80, done: 80, failed: 0 } });
  await expectWhole(daemon, [...sessions, ...elsewhere]);
  bridge.close();
});

test('Convex is killed midway: paused, and on from there when it is back', async () => {
  using folder = temporaryFolder();
  const sessions = oldSessions(join(folder.path, 'codex'), 60, MESSAGES);
  await using daemon = await startDaemonProcess({ folder: folder.path, env: WATCHING_OFF });
  const bridge = await daemon.connect();
  const followed = followBackfills(bridge);
  const backend = await descendant(daemon.pid, 'embedded-convex');
  const { jobId } = await ask(bridge);
  await midway(bridge);
  process.kill(backend?.pid ?? 0, 'SIGKILL');
  const paused = await followed.first(({ state }) => state === 'paused');
  expect(paused).toMatchObject({ jobId, lastError: 'Convex is away' });
  const end = await followed.first(({ state }) => state === 'done');
  expect(end).toMatchObject({ jobId, files: { total: 60, done: 60, failed: 0 } });
  await expectWhole(daemon, sessions);
  bridge.close();
});

test('the import of the start is a job that everybody sees, and that can be cancelled', async () => {
  using folder = temporaryFolder();
  const sessions = oldSessions(join(folder.path, 'codex'), 60, MESSAGES);
  {
    await using daemon = await startDaemonProcess({ folder: folder.path });
    const bridge = await daemon.connect();
    const begun = await midway(bridge);
    expect(begun).toMatchObject({ kind: 'startup', files: { total: 60 } });
    const { jobId } = begun;
    await bridge.request('convex.backfill_cancel', { jobId: jobId ?? '' });
    const one = await done(bridge, { path: sessions[59]?.path ?? '' });
    expect(one.files.done).toBe(1);
    const held = await messageCounts(daemon);
    expect(held.get(sessions[59]?.threadId ?? '')).toBe(MESSAGES);
    expect(held.size).toBeLessThan(sessions.length);
    bridge.close();
  }
  await using daemon = await startDaemonProcess({ folder: folder.path });
  const bridge = await daemon.connect();
  await statusWith(bridge, ({ kind, state }) => kind === 'startup' && state === 'done');
  await expectWhole(daemon, sessions);
  bridge.close();
});
