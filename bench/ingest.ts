/** Bulk import of session files into the embedded backend, against JSON.parse of the same lines. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { watchStatusFrame, type WatchStatusFrame } from '../src/control/frames.ts';
import type { BridgeConnection } from '../src/control/connect-bridge.ts';
import { startDaemonProcess } from '../test/support/daemon-process.ts';
import { createSession } from '../test/support/session-writer.ts';
import { temporaryFolder } from '../test/support/temporary-folder.ts';
import { percentile } from './percentile.ts';
import type { Figures } from './run.ts';

const FILES = 40;
/** Turns a file: with the sizes below, about 2.5 MB a file, 100 MB in all. */
const TURNS = 150;
/** How often the status is asked for, in ms; it is what the result is rounded to. */
const POLL_MS = 50;

export async function measure(): Promise<Figures> {
  using folder = temporaryFolder();
  const paths = Array.from({ length: FILES }, (_, index) =>
    writeSession(join(folder.path, 'codex'), index),
  );
  const megabytes = paths.reduce((sum, path) => sum + statSync(path).size, 0) / 1e6;
  const parseSeconds = percentile(
    [1, 2, 3].map(() => parseAll(paths)),
    0.5,
  );

  const start = performance.now();
  await using daemon = await startDaemonProcess({ folder: folder.path });
  const served = performance.now();
  const bridge = await daemon.connect();
  const status = await imported(bridge);
  const seconds = (performance.now() - served) / 1000;
  bridge.close();
  const rate = megabytes / seconds;
  return {
    'session files': `${FILES}, ${megabytes.toFixed(0)} MB, ${status.items.inserted} items`,
    'daemon ready after': `${((served - start) / 1000).toFixed(2)} s`,
    'imported after': `${seconds.toFixed(1)} s`,
    'ingest, end to end': `${rate.toFixed(1)} MB/s, ${Math.round(status.items.inserted / seconds)} items/s`,
    'JSON.parse of the same lines': `${(megabytes / parseSeconds).toFixed(0)} MB/s`,
    ratio: (rate / (megabytes / parseSeconds)).toFixed(3),
  };
}

async function imported(bridge: BridgeConnection): Promise<WatchStatusFrame> {
  while (true) {
    const status = watchStatusFrame.parse(await bridge.request('sessions.watch_status'));
    if (status.files.known >= FILES && status.files.behind === 0 && status.bytes.pending === 0)
      return status;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function writeSession(codexHome: string, index: number): string {
  // A minute apart, so that "newest first" has something to sort.
  const session = createSession(codexHome, { at: new Date(Date.now() - index * 60_000) });
  for (let turn = 0; turn < TURNS; turn += 1) {
    session.startTurn();
    session.user(`Turn ${turn} of file ${index}: look at the logs and tell me what is wrong.`);
    session.command(
      `grep -rn "error ${turn}" logs`,
      `logs/app.log:${turn}: something broke here\n`.repeat(120),
    );
    session.assistant(`The service restarts because of item ${turn}. `.repeat(30));
    session.endTurn();
  }
  return session.path;
}

function parseAll(paths: string[]): number {
  const start = performance.now();
  for (const path of paths) {
    for (const line of readFileSync(path, 'utf8').split('\n')) if (line !== '') JSON.parse(line);
  }
  return (performance.now() - start) / 1000;
}
