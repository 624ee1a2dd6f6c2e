/** The processes of this machine, as `ps` shows them on Linux and macOS. */
import { readFileSync } from 'node:fs';
import { execa } from 'execa';

export interface ProcessRow {
  pid: number;
  parent: number;
  group: number;
  command: string;
}

async function processes(): Promise<ProcessRow[]> {
  const { stdout } = await execa('ps', ['-A', '-ww', '-o', 'pid=,ppid=,pgid=,stat=,args=']);
  return (
    stdout
      .split('\n')
      .map((line) => /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line))
      .filter((match) => match !== null)
      // A zombie is over; it only waits for its parent to look.
      .filter((match) => !match[4]?.startsWith('Z'))
      .map(([, pid, parent, group, , command]) => ({
        pid: Number(pid),
        parent: Number(parent),
        group: Number(group),
        command: command ?? '',
      }))
  );
}

/** The process below `ancestor`, at any depth, whose command line contains `text`. */
export async function descendant(ancestor: number, text: string): Promise<ProcessRow | undefined> {
  return (await descendants(ancestor)).findLast((row) => row.command.includes(text));
}

/** Every process below `ancestor`, at any depth. */
export async function descendants(ancestor: number): Promise<ProcessRow[]> {
  const rows = await processes();
  const below = new Set([ancestor]);
  // Children can be listed before their parents, so go on until nothing is added.
  for (let size = 0; size !== below.size;) {
    size = below.size;
    for (const row of rows) if (below.has(row.parent)) below.add(row.pid);
  }
  below.delete(ancestor);
  return rows.filter((row) => below.has(row.pid));
}

/** Every process whose command line contains `text`. */
export async function processesWith(text: string): Promise<ProcessRow[]> {
  return (await processes()).filter((row) => row.command.includes(text));
}

/** A process that has exited, but was not yet asked for its exit code, is not alive. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
