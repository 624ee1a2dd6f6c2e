/** `oa-bridge record`: what goes into the machines of the running daemon, as a file for a bug report. */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Config } from '../config.ts';
import { BridgeError } from '../errors.ts';
import { headerLine, type RecordingLine } from '../recording/recording-file.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { connectLocalBridge } from './local-bridge.ts';

export interface RecordFlags {
  out?: string;
  for?: string;
}

/** A recording that nobody ends must not fill the disk (bytes). */
const MAX_BYTES = 256 * 1024 * 1024;

/** Until `--for` is over, Ctrl-C, the end of the daemon, or MAX_BYTES. */
export async function record(config: Config, flags: RecordFlags): Promise<ExitCode> {
  const seconds = flags.for === undefined ? null : secondsOf(flags.for);
  const bridge = await connectLocalBridge(config);
  using _ = { [Symbol.dispose]: () => bridge.close() };
  const file = flags.out ?? `oa-bridge-${new Date().toISOString().replace(/[:.]/g, '-')}.jsonl`;
  const output = open(file);
  const counts = { events: 0, dropped: 0, bytes: 0 };
  const ended = Promise.withResolvers<ExitCode>();
  const write = (text: string) => {
    counts.bytes += writeSync(output, text);
    if (counts.bytes > MAX_BYTES) ended.resolve(EXIT.done);
  };
  write(headerLine(bridge.hello.version, Date.now()));
  bridge.onInspect(({ dropped, events }) => {
    const gap: RecordingLine[] =
      dropped > 0 ? [{ type: 'gap', at: events[0]?.at ?? Date.now(), dropped }] : [];
    counts.events += events.length;
    counts.dropped += dropped;
    write([...gap, ...events].map((line) => `${JSON.stringify(line)}\n`).join(''));
  });
  await bridge.request('machines.watch', { detail: 'replay' });
  process.stderr.write(`Recording into ${file}; Ctrl-C ends it.\n`);
  // A connection that comes back is another life of the daemon, or has lost something.
  bridge.onChange(() => ended.resolve(EXIT.unreachable));
  void bridge.closed.then(() => ended.resolve(EXIT.unreachable));
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => ended.resolve(EXIT.done));
  const timer =
    seconds === null ? undefined : setTimeout(() => ended.resolve(EXIT.done), seconds * 1_000);
  const exitCode = await ended.promise;
  clearTimeout(timer);
  // What is on its way comes before the answer.
  if (exitCode === EXIT.done) await bridge.request('machines.unwatch');
  closeSync(output);
  const lost = counts.dropped > 0 ? `, ${counts.dropped} left out` : '';
  process.stderr.write(`${counts.events} events${lost}, ${counts.bytes} bytes.\n`);
  console.log(file);
  return exitCode;
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (text !== '' && seconds > 0 && seconds <= 86_400) return seconds;
  throw new BridgeError('arguments_invalid', '--for takes seconds, at most 86400');
}

/** For its owner alone; nothing is overwritten. */
function open(file: string): number {
  try {
    return openSync(file, 'wx', 0o600);
  } catch (cause) {
    throw new BridgeError('arguments_invalid', `${file} cannot be made, or is there already`, {
      cause,
    });
  }
}
