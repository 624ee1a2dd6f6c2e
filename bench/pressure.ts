/** From the append of a line to a subscriber while a bulk import runs, against a bare echo meanwhile. */
import { join } from 'node:path';
import { watchStatusFrame } from '../src/control/frames.ts';
import { temporaryFolder } from '../test/support/temporary-folder.ts';
import { startBuiltDaemon } from './built-daemon.ts';
import { echoLatency, mirrorLatency, showLatency } from './append-latency.ts';
import { imported } from './imported.ts';
import { writeHistory } from './material/history.ts';
import type { Figures } from './run.ts';

/** Bytes; more than is imported while the samples are taken. */
const BYTES = 2_000_000_000;
/** 200 lines, ten a second at most: a person and an agent, not a load. */
const SAMPLING = { samples: 200, warmUp: 20, pauseMs: 100 };

export async function measure(): Promise<Figures> {
  using folder = temporaryFolder();
  const { files } = writeHistory(join(folder.path, 'codex'), { bytes: BYTES });
  await using daemon = await startBuiltDaemon(folder.path);
  const bridge = await daemon.connect();
  let isOver = false;
  const done = imported(bridge, files).then(
    () => (isOver = true),
    // The daemon ends first, as it should.
    () => undefined,
  );
  const start = performance.now();
  const mirrored = await mirrorLatency(folder.path, daemon, SAMPLING);
  const seconds = (performance.now() - start) / 1000;
  const wasOver = isOver;
  const { bytes } = watchStatusFrame.parse(await bridge.request('sessions.watch_status'));
  const echoed = await echoLatency(folder.path, { ...SAMPLING, samples: 100 });
  bridge.close();
  await done;
  return {
    'imported meanwhile': `${(bytes.read / 1e6).toFixed(0)} MB in ${seconds.toFixed(0)} s${wasOver ? ', and then no more' : ''}`,
    'append to Convex subscriber': showLatency(mirrored),
    'append to WebSocket client, bare echo': showLatency(echoed),
  };
}
