/** What the daemon and its backend cost while nothing happens, with many quiet files. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { watchStatusFrame } from '../src/control/frames.ts';
import { startDaemonProcess } from '../test/support/daemon-process.ts';
import { createSession } from '../test/support/session-writer.ts';
import { temporaryFolder } from '../test/support/temporary-folder.ts';
import type { Figures } from './run.ts';

const FILES = 2_000;
const MINUTE_MS = 60_000;
/** Long enough to hold one full sweep, which comes once a minute. */
const IDLE_MS = 75_000;

export async function measure(): Promise<Figures> {
  using folder = temporaryFolder();
  for (let index = 0; index < FILES; index += 1) {
    const session = createSession(join(folder.path, 'codex'), {
      at: new Date(Date.now() - index * 60 * MINUTE_MS),
    });
    session.user(`Question ${index}`);
    session.assistant(`Answer ${index}`);
    session.endTurn();
  }
  await using daemon = await startDaemonProcess({ folder: folder.path });
  const bridge = await daemon.connect();
  const isDone = async () => {
    const status = watchStatusFrame.parse(await bridge.request('sessions.watch_status'));
    return status.files.known >= FILES && status.files.behind === 0;
  };
  while (!(await isDone())) await pause(200);
  bridge.close();
  await pause(5_000);
  const before = await usage(daemon.pid);
  await pause(IDLE_MS);
  const after = await usage(daemon.pid);
  const bare = await execa(process.execPath, ['-e', 'console.log(process.memoryUsage().rss)']);
  return {
    'quiet session files': String(FILES),
    'RSS of daemon and its children': after
      .map(({ command, rss }) => `${command} ${(rss / 1e6).toFixed(0)} MB`)
      .join(', '),
    'RSS of a bare Node': `${(Number(bare.stdout) / 1e6).toFixed(0)} MB`,
    'CPU of all of them': `${(((total(after) - total(before)) / (IDLE_MS / 1000)) * 100).toFixed(2)} %`,
  };
}

interface ProcessUsage {
  command: string;
  rss: number;
  cpuSeconds: number;
}

/** The process and its direct children, by `ps`, which Linux and macOS share. */
async function usage(pid: number): Promise<ProcessUsage[]> {
  const { stdout } = await execa('ps', ['-A', '-o', 'pid=,ppid=,rss=,time=,comm=']);
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([id, parent]) => Number(id) === pid || Number(parent) === pid)
    .map(([id, , rss, time, command]) => ({
      command: Number(id) === pid ? 'daemon' : (command ?? ''),
      rss: Number(rss) * 1024,
      cpuSeconds: fineSeconds(id ?? '') ?? seconds(time ?? '0'),
    }));
}

/** Linux counts in ticks of 10 ms, where ps shows whole seconds (proc(5), fields 14 and 15). */
function fineSeconds(pid: string): number | undefined {
  const path = `/proc/${pid}/stat`;
  if (!existsSync(path)) return undefined;
  const fields = readFileSync(path, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** `[[dd-]hh:]mm:ss[.ff]`, as ps prints it. */
function seconds(time: string): number {
  return time.split(/[-:]/).reduce((sum, part) => sum * 60 + Number(part), 0);
}

function total(processes: ProcessUsage[]): number {
  return processes.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
