/** Bulk import of session files into the embedded backend, against JSON.parse of the same lines. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { watchStatusFrame, type WatchStatusFrame } from '../src/control/frames.ts';
import type { BridgeConnection } from '../src/control/connect-bridge.ts';
import { startDaemonProcess } from '../test/support/daemon-process.ts';
import { temporaryFolder } from '../test/support/temporary-folder.ts';
import { writeRealisticSession } from './material/realistic-session.ts';
import { percentile } from './percentile.ts';
import type { Figures } from './run.ts';

const FILES = 40;
const FILE_BYTES = 2_500_000;
const MINUTE_MS = 60_000;
/** How often the status is asked for, in ms; it is what the result is rounded to. */
const POLL_MS = 50;

export async function measure(): Promise<Figures> {
  using folder = temporaryFolder();
  const paths = Array.from({ length: FILES }, (_, index) =>
    // A minute apart, so that "newest first" has something to sort.
    writeRealisticSession(join(folder.path, 'codex'), {
      at: new Date(Date.now() - index * MINUTE_MS),
      bytes: FILE_BYTES,
      seed: index,
    }),
  ).map(({ path }) => path);
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

function parseAll(paths: string[]): number {
  const start = performance.now();
  for (const path of paths) {
    for (const line of readFileSync(path, 'utf8').split('\n')) if (line !== '') JSON.parse(line);
  }
  return (performance.now() - start) / 1000;
}
