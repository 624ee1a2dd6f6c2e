/**
 * Loaded before a program whose event loop is to be measured (`--import`): at SIGUSR2 it writes
 * how late its turns came since the last time, into the file named by `BENCH_LOOP_DELAY`.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Milliseconds. A delay is measured with a timer of this interval, which is no delay. */
const INTERVAL = 1;

const file = process.env['BENCH_LOOP_DELAY'];
// Children that the program starts inherit the option.
delete process.env['NODE_OPTIONS'];
if (file !== undefined) {
  const delay = monitorEventLoopDelay({ resolution: INTERVAL });
  delay.enable();
  process.on('SIGUSR2', () => {
    const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - INTERVAL);
    writeFileSync(
      `${file}.new`,
      JSON.stringify({ p99: late(delay.percentile(99)), max: late(delay.max) }),
    );
    renameSync(`${file}.new`, file);
    delay.reset();
  });
}
