/** The clock of the machine goes wrong, or is put right, under the real daemon and its backend. */
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { RunFrame } from '../../src/control/frames.ts';
import { startDaemonProcess } from '../support/daemon-process.ts';
import { createSession } from '../support/session-writer.ts';
import { subscribe, threadsCreate } from '../support/subscriber.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const preload = fileURLToPath(new URL('../support/wrong-clock/main.ts', import.meta.url));
const DAY = 24 * 3_600_000;

/** In Berlin, where the hour changes twice a year. */
const MIDNIGHT = '2026-10-25T00:00:00+02:00';
const HOUR_THAT_COMES_TWICE = '2026-10-25T03:00:00+02:00';
const HOUR_THAT_IS_LEFT_OUT = '2027-03-28T02:00:00+01:00';

/** What the clock of the daemon shows, one after the other; as it is, or shortly before a moment. */
const MOMENTS: readonly { name: string; ahead?: number; before?: string }[] = [
  { name: 'right' },
  { name: 'a day ahead', ahead: DAY },
  { name: 'a day behind', ahead: -DAY },
  { name: 'over midnight', before: MIDNIGHT },
  { name: 'over the hour that comes twice', before: HOUR_THAT_COMES_TWICE },
  { name: 'over the hour that is left out', before: HOUR_THAT_IS_LEFT_OUT },
  { name: 'right again' },
];
/** Milliseconds before such a moment. */
const SHORTLY = 300;

test(
  'with a clock that jumps by days, over midnight and summer time, lines come once and in order, and nothing is ended or left',
  { timeout: 60_000 },
  async () => {
    using folder = temporaryFolder();
    const clock = join(folder.path, 'clock');
    // Put in place at once: whoever looks in the middle of a write would see no clock.
    const set = (ahead: number) => {
      writeFileSync(`${clock}.new`, String(ahead));
      renameSync(`${clock}.new`, clock);
    };
    set(0);
    const project = join(folder.path, 'project');
    mkdirSync(project);
    const codex = join(folder.path, 'fake-codex');
    writeFileSync(codex, FAKE_CODEX);
    chmodSync(codex, 0o755);
    await using daemon = await startDaemonProcess({
      folder: folder.path,
      env: {
        NODE_OPTIONS: `--import=${preload}`,
        WRONG_CLOCK: clock,
        TZ: 'Europe/Berlin',
        CODEX_BIN: codex,
        OPENAGENTS_CODEX_DRIVER: 'exec',
        OPENAGENTS_RUN_LIMIT: '3600',
      },
    });
    await using app = subscribe(daemon);
    const bridge = await daemon.connect();
    const runs: RunFrame[] = [];
    const seqs: number[] = [];
    bridge.on('bridge.run', (frame) => void runs.push(frame));
    bridge.onFrame((frame) => 'seq' in frame && seqs.push(frame.seq));
    const threadDocId = await app.client.mutation(threadsCreate, { cwd: project });
    await bridge.request('run.submit', { threadDocId, text: 'go on through all of it' });

    const session = createSession(join(folder.path, 'codex'));
    const said: string[] = [];
    /** Milliseconds by which the daemon's clock is ahead. */
    const shows = async () => (await bridge.request('echo')).ts - Date.now();
    for (const { name, before, ahead = 0 } of MOMENTS) {
      const wrong = before === undefined ? ahead : Date.parse(before) - SHORTLY - Date.now();
      set(wrong);
      await until('its clock shows that', async () => Math.abs((await shows()) - wrong) < 1_000);
      for (const part of ['at first', 'and on']) {
        const text = `${name}, ${part}`;
        session.user(text);
        said.push(text);
        const rows = await app.messages(session.threadId, (all) =>
          all.some((row) => row.text === text),
        );
        const texts = rows.filter(({ kind }) => kind === 'message').map((row) => row.text);
        expect(texts).toEqual(said);
        await until('the moment is over', () => Date.now() + wrong > Date.parse(before ?? '1970'));
      }
      // A client that comes now gets in, to both.
      const { token } = await bridge.request('convex.token');
      expect(token.split('.')).toHaveLength(3);
    }
    expect(runs.map(({ state }) => state)).not.toContain('timedOut');
    writeFileSync(join(project, 'go'), '');
    await until('the run is over', () => runs.at(-1)?.state === 'completed');
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    const { actors } = await bridge.request('bridge.status');
    expect(actors.filter(({ restarts }) => restarts > 0)).toEqual([]);
    expect(daemon.log.filter(({ level }) => (level ?? 0) >= 40)).toEqual([]);
    bridge.close();
  },
);

/** A run that lasts until somebody makes a file. */
const FAKE_CODEX = `#!/bin/sh
[ "$1" = --version ] && echo 0.0.0 && exit
echo '{"type":"thread.started","thread_id":"01a21610-1106-7890-9203-3f18b838f17d"}'
echo '{"type":"turn.started"}'
until [ -e go ]; do sleep 0.1; done
echo '{"type":"turn.completed","usage":{}}'
`;
