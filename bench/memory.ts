/**
 * What the daemon and its backend take while a large history is imported, with one line of
 * 50 MB in it. `BENCH_MEMORY_GB` says how large; without it, 5.
 */
import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { temporaryFolder } from '../test/support/temporary-folder.ts';
import { startBuiltDaemon } from './built-daemon.ts';
import { imported } from './imported.ts';
import { writeHistory } from './material/history.ts';
import { backendOf, processUsage } from './process-usage.ts';
import type { Figures } from './run.ts';

const BYTES = Number(process.env['BENCH_MEMORY_GB'] ?? 5) * 1e9;
const LONG_LINE = 50_000_000;
/** The files, the database, and its log. */
const NEEDED = 3 * BYTES;
/** How often the processes are looked at, in ms, where the system does not keep the peak. */
const SAMPLE_MS = 500;

export async function measure(): Promise<Figures> {
  const { bavail, bsize } = statfsSync(tmpdir());
  if (bavail * bsize < NEEDED) {
    throw new Error(`${tmpdir()} needs ${NEEDED / 1e9} GB of room for this`);
  }
  using folder = temporaryFolder();
  const { files, bytes } = writeHistory(join(folder.path, 'codex'), {
    bytes: BYTES,
    longLine: LONG_LINE,
  });
  const bare = await execa(process.execPath, ['-e', 'console.log(process.memoryUsage().rss)']);
  await using daemon = await startBuiltDaemon(folder.path);
  const peaks = { daemon: 0, backend: 0 };
  const look = async () => {
    const processes = await processUsage(daemon.pid);
    const own = processes.find(({ pid }) => pid === daemon.pid);
    peaks.daemon = Math.max(peaks.daemon, own?.peakRss ?? 0);
    peaks.backend = Math.max(peaks.backend, backendOf(processes)?.peakRss ?? 0);
  };
  const timer = setInterval(() => void look(), SAMPLE_MS);
  const bridge = await daemon.connect();
  const start = performance.now();
  const { items } = await imported(bridge, files);
  const seconds = (performance.now() - start) / 1000;
  clearInterval(timer);
  await look();
  bridge.close();
  const mb = (value: number) => `${(value / 1e6).toFixed(0)} MB`;
  return {
    imported: `${(bytes / 1e9).toFixed(2)} GB in ${files} files, ${items.inserted} rows`,
    in: `${seconds.toFixed(0)} s, ${(bytes / 1e6 / seconds).toFixed(1)} MB/s`,
    'peak RSS of the daemon': mb(peaks.daemon),
    'peak RSS of the backend': mb(peaks.backend),
    'RSS of a bare Node': mb(Number(bare.stdout)),
  };
}
