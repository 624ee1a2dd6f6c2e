/** `oa-bridge logs`: what the daemon has said, whoever started it. */
import { existsSync, readFileSync, unwatchFile, watchFile } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Config } from '../config.ts';
import { BridgeError } from '../errors.ts';
import { logFilePath, olderLogFile } from '../log-file.ts';
import { prettifier } from '../log.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

export interface LogsFlags {
  lines: string;
  follow?: boolean;
  json?: boolean;
}

/** How often the file is looked at, in ms. */
const INTERVAL_MS = 250;

export async function logs(config: Config, { lines, follow, json }: LogsFlags): Promise<ExitCode> {
  if (!/^\d{1,6}$/.test(lines))
    throw new BridgeError('arguments_invalid', '--lines takes a number');
  const file = logFilePath(config.home);
  if (!existsSync(file) && follow !== true) {
    throw new BridgeError('path_missing', `${file}; no bridge has run on this home yet`);
  }
  const show = json === true ? (line: string) => `${line}\n` : prettifier(process.stdout.isTTY);
  const print = (line: string) => process.stdout.write(show(line));
  const present = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
  for (const line of lastLines(file, present.toString('utf8'), Number(lines))) print(line);
  if (follow !== true) return EXIT.done;
  await following(file, present.length, (line) => void print(line));
  return EXIT.done;
}

/** At most two bounded files, so that they are read whole. */
function lastLines(file: string, text: string, count: number): string[] {
  const older = olderLogFile(file);
  const all = `${existsSync(older) ? readFileSync(older, 'utf8') : ''}${text}`.split('\n');
  return count === 0 ? [] : all.filter((line) => line !== '').slice(-count);
}

/** Until Ctrl-C. */
async function following(file: string, from: number, print: (line: string) => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let offset = from;
  let rest = '';
  let reading = Promise.resolve();
  const read = async () => {
    if (!existsSync(file)) return;
    await using handle = await open(file);
    const { size } = await handle.stat();
    // A new file has taken its place.
    if (size < offset) offset = 0;
    const { buffer, bytesRead } = await handle.read(
      Buffer.alloc(size - offset),
      0,
      size - offset,
      offset,
    );
    offset += bytesRead;
    const parts = (rest + buffer.toString('utf8', 0, bytesRead)).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) print(line);
  };
  const look = () => {
    reading = reading.then(read);
  };
  watchFile(file, { interval: INTERVAL_MS }, look);
  process.once('SIGINT', resolve);
  process.once('SIGTERM', resolve);
  look();
  await promise;
  unwatchFile(file, look);
}
