/** What processes take, by `ps`, which Linux and macOS share; finer where Linux says more. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { execa } from 'execa';

export interface ProcessUsage {
  pid: number;
  /** `daemon` for the process itself, its children by their program. */
  command: string;
  /** Bytes. */
  rss: number;
  /** Bytes, the most there ever was; where the system does not say, as much as there is now. */
  peakRss: number;
  cpuSeconds: number;
}

/** The process and its direct children. */
export async function processUsage(pid: number): Promise<ProcessUsage[]> {
  const { stdout } = await execa('ps', ['-A', '-o', 'pid=,ppid=,rss=,time=,comm=']);
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([id, parent, , , command]) => {
      if (command === 'ps') return false;
      return Number(id) === pid || Number(parent) === pid;
    })
    .map(([id = '', , rss, time, command]) => ({
      pid: Number(id),
      command: Number(id) === pid ? 'daemon' : (command ?? ''),
      rss: Number(rss) * 1024,
      peakRss: peakRss(id) ?? Number(rss) * 1024,
      cpuSeconds: fineSeconds(id) ?? seconds(time ?? '0'),
    }));
}

/** The embedded backend among the children of the daemon: the one that takes most. */
export function backendOf(processes: readonly ProcessUsage[]): ProcessUsage | undefined {
  return processes
    .filter(({ command }) => command !== 'daemon')
    .toSorted((one, other) => other.rss - one.rss)[0];
}

/** Watches of the file system that a process holds; null where the system does not say (inotify only). */
export function watchCount(pid: number): number | null {
  const folder = `/proc/${pid}/fdinfo`;
  if (!existsSync(folder)) return null;
  const lines = readdirSync(folder).flatMap((file) => {
    try {
      return readFileSync(`${folder}/${file}`, 'utf8').split('\n');
    } catch {
      // Closed since it was listed.
      return [];
    }
  });
  return lines.filter((line) => line.startsWith('inotify ')).length;
}

/** proc(5), VmHWM. */
function peakRss(pid: string): number | undefined {
  const path = `/proc/${pid}/status`;
  if (!existsSync(path)) return undefined;
  const kibibytes = /^VmHWM:\s+(\d+)/m.exec(readFileSync(path, 'utf8'))?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
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
