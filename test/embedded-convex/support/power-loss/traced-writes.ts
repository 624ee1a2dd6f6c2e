/** What a process wrote into files, and when it had it synced: from its system calls, by strace. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

export type TracedCall =
  | { op: 'write'; file: string; offset: number; data: Buffer }
  | { op: 'truncate'; file: string; size: number }
  | { op: 'remove'; file: string }
  /** What was written into the file before is on the disk; of a folder, which files it has. */
  | { op: 'sync'; file: string }
  /** It has told the outer world something: a line on its standard output. */
  | { op: 'tell'; line: string };

/**
 * Runs a program under strace and ends it with SIGKILL once it has printed `lines` lines. Returns
 * the calls of its main thread about `folder` and the files in it, in their order.
 */
export async function traceWrites(
  command: readonly string[],
  { folder, lines, trace }: { folder: string; lines: number; trace: string },
): Promise<TracedCall[]> {
  const calls = 'trace=pwrite64,write,ftruncate,fsync,fdatasync,unlink,unlinkat';
  const options = ['-qq', '-y', '-xx', '-s', '1000000', '-e', calls, '-o', trace];
  // In the same group, so that the program goes with strace.
  const strace = spawn('strace', [...options, ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const exited = once(strace, 'exit');
  let printed = 0;
  for await (const _line of createInterface({ input: strace.stdout })) {
    printed += 1;
    if (printed === lines && strace.pid !== undefined) process.kill(-strace.pid, 'SIGKILL');
  }
  await exited;
  return readFileSync(trace, 'latin1')
    .split('\n')
    .map((line) => parseCall(line))
    .filter((call) => call !== null)
    .filter((call) => call.op === 'tell' || call.file.startsWith(folder));
}

/** `pwrite64(23<path>, "data", 4096, 0) = 4096`; every text in hexadecimal. */
function parseCall(line: string): TracedCall | null {
  const [, name, inner = ''] = /^(\w+)\((.*)\)\s+= \d+$/.exec(line) ?? [];
  const file = text(/^\d+<((?:\\x..)*)>/.exec(inner)?.[1] ?? '');
  const data = () => Buffer.from(text(/, "((?:\\x..)*)"/.exec(inner)?.[1] ?? ''), 'latin1');
  const last = Number(/, (\d+)$/.exec(inner)?.[1]);
  switch (name) {
    case 'pwrite64':
      return { op: 'write', file, offset: last, data: data() };
    case 'write':
      return inner.startsWith('1<') ? { op: 'tell', line: data().toString('utf8') } : null;
    case 'ftruncate':
      return { op: 'truncate', file, size: last };
    case 'fsync':
    case 'fdatasync':
      return { op: 'sync', file };
    case 'unlink':
    case 'unlinkat':
      return { op: 'remove', file: text(/"((?:\\x..)*)"/.exec(inner)?.[1] ?? '') };
    default:
      return null;
  }
}

function text(hexadecimal: string): string {
  return hexadecimal.replace(/\\x(..)/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}
