/** From the append of a line to the callback of a subscriber, against a bare echo. */
import { temporaryFolder } from '../test/support/temporary-folder.ts';
import { startBuiltDaemon } from './built-daemon.ts';
import { echoLatency, mirrorLatency, showLatency } from './append-latency.ts';
import { percentile } from './percentile.ts';
import type { Figures } from './run.ts';

/** Enough for a p99. */
const SAMPLING = { samples: 500, warmUp: 50, pauseMs: 0 };

export async function measure(): Promise<Figures> {
  using folder = temporaryFolder();
  await using daemon = await startBuiltDaemon(folder.path);
  const mirrored = await mirrorLatency(folder.path, daemon, SAMPLING);
  const echoed = await echoLatency(folder.path, SAMPLING);
  return {
    'append to Convex subscriber': showLatency(mirrored),
    'append to WebSocket client, bare echo': showLatency(echoed),
    'ratio of the medians': (percentile(mirrored, 0.5) / percentile(echoed, 0.5)).toFixed(1),
  };
}
