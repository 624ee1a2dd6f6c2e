/** Bulk import of session files into the embedded backend, against JSON.parse of the same lines. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../test/support/temporary-folder.ts';
import { startBuiltDaemon } from './built-daemon.ts';
import { imported } from './imported.ts';
import { writeRealisticSession } from './material/realistic-session.ts';
import { percentile } from './percentile.ts';
import type { Figures } from './run.ts';

const FILES = 40;
const FILE_BYTES = 2_500_000;
const MINUTE_MS = 60_000;

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
  await using daemon = await startBuiltDaemon(folder.path);
  const served = performance.now();
  const bridge = await daemon.connect();
  const status = await imported(bridge, FILES);
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

function parseAll(paths: string[]): number {
  const start = performance.now();
  for (const path of paths) {
    for (const line of readFileSync(path, 'utf8').split('\n')) if (line !== '') JSON.parse(line);
  }
  return (performance.now() - start) / 1000;
}
