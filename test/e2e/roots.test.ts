/** A daemon whose settings say where clients may have runs work and files read: what they try nevertheless. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { RunFrame } from '../../src/control/frames.ts';
import { startDaemonProcess } from '../support/daemon-process.ts';
import { createSession } from '../support/session-writer.ts';
import { subscribe, threadsCreate } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

test('a client gets a run, a project or an import outside of the roots by no way', async () => {
  using folder = temporaryFolder();
  const [work, backups, outside] = ['work', 'backups', 'outside'].map((name) => {
    mkdirSync(join(folder.path, name));
    return join(folder.path, name);
  }) as [string, string, string];
  symlinkSync(outside, join(work, 'way-out'));
  createSession(backups).user('of a backup');
  createSession(outside).user('of nobody else');
  createSession(join(folder.path, 'codex')).user('of this machine');
  await using daemon = await startDaemonProcess({
    folder: folder.path,
    env: {
      OPENAGENTS_RUN_ROOTS: work,
      OPENAGENTS_BACKFILL_ROOTS: backups,
      CODEX_BIN: '/bin/echo',
      OPENAGENTS_CODEX_DRIVER: 'exec',
    },
  });
  await using app = subscribe(daemon);
  const bridge = await daemon.connect();
  const ended = new Map<string, RunFrame>();
  bridge.on('bridge.run', (frame) => {
    if (frame.state === 'failed' || frame.state === 'completed') ended.set(frame.runId, frame);
  });

  const runIn = async (cwd: string) => {
    const threadDocId = await app.client.mutation(threadsCreate, { cwd });
    const { runId } = await bridge.request('run.submit', { threadDocId, text: 'hello' });
    await until('the run has an end', () => ended.has(runId));
    return ended.get(runId)?.error?.code;
  };
  // It ran, and had nothing to say.
  expect(await runIn(work)).not.toBe('working_directory_refused');
  for (const cwd of [outside, join(work, 'way-out'), join(work, '..', 'outside')]) {
    expect(await runIn(cwd)).toBe('working_directory_refused');
  }

  const project = (workingDir: string) =>
    bridge.request('project.save', { project: { id: 'site', name: 'Site', workingDir } });
  await expect(project(join(work, 'way-out'))).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringContaining('OPENAGENTS_RUN_ROOTS'),
  });
  expect((await project(work)).type).toBe('bridge.projects');

  const backfill = (path: string) => bridge.request('convex.backfill', { path });
  await expect(backfill(outside)).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringContaining('OPENAGENTS_BACKFILL_ROOTS'),
  });
  await backfill(join(backups, 'sessions'));
  const titles = (await app.threads((threads) => threads.some(isOf('of a backup')))).filter(
    isOf('of nobody else'),
  );
  expect(titles).toEqual([]);
  await app.threads((threads) => threads.some(isOf('of this machine')));
  bridge.close();
});

const isOf = (title: string) => (thread: { title: string }) => thread.title === title;
