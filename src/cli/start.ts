/** `oa-bridge start`: the daemon in the foreground, until a signal ends it. */
import type { Config } from '../config.ts';
import { startDaemon } from '../daemon.ts';
import { setHeapRoom } from '../heap-room.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** The first signal drains; a second one, or this many ms, ends the process at once. */
const DRAIN_LIMIT_MS = 9_500;

export async function start(config: Config): Promise<ExitCode> {
  setHeapRoom('least');
  // Who reads the log may leave; it is in the home as well.
  process.stderr.on('error', () => {});
  const daemon = startDaemon(config);
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals) => {
    signals += 1;
    if (signals > 1) process.exit(EXIT.failed);
    daemon.shutdown(signal);
    setTimeout(() => process.exit(EXIT.failed), DRAIN_LIMIT_MS).unref();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  const exitCode = await daemon.ended;
  // Whatever a library left open (an idle socket, a timer) must not keep the process.
  process.exit(exitCode);
}
