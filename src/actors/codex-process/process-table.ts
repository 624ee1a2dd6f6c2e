/** The processes of this machine, as far as ending a tree of them needs to know. */
import { readdir, readFile } from 'node:fs/promises';
import { execa } from 'execa';

export interface ProcessRow {
  pid: number;
  parent: number;
  group: number;
  /** Tells apart two processes that had the same id one after the other. */
  startedAt: string;
}

/** Every process; none on Windows, where `taskkill` walks the tree itself. */
export async function listProcesses(): Promise<ProcessRow[]> {
  if (process.platform === 'win32') return [];
  return process.platform === 'linux' ? await fromProc() : await fromPs(['-A']);
}

/** One process, or undefined when there is none with this id. */
export async function findProcess(pid: number): Promise<ProcessRow | undefined> {
  if (process.platform === 'win32') return undefined;
  const rows =
    process.platform === 'linux' ? [await readStat(pid)] : await fromPs(['-p', String(pid)]);
  return rows.find((row) => row?.pid === pid);
}

/**
 * The processes that have this entry (`NAME=value`) in their environment, whoever is their parent
 * by now. Only Linux tells, and of one's own alone.
 */
export async function processesWithEntry(entry: string): Promise<ProcessRow[]> {
  if (process.platform !== 'linux') return [];
  const rows = await listProcesses();
  const environments = await Promise.all(
    rows.map(async ({ pid }) => await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')),
  );
  return rows.filter((_, index) => environments[index]?.split('\0').includes(entry));
}

/** The children of a process, their children, and so on. */
export function descendantsOf(pid: number, table: readonly ProcessRow[]): ProcessRow[] {
  const children = table.filter((row) => row.parent === pid && row.pid !== pid);
  return children.flatMap((child) => [child, ...descendantsOf(child.pid, table)]);
}

/** Without `ps`, which a small container may lack. */
async function fromProc(): Promise<ProcessRow[]> {
  const names = await readdir('/proc');
  const rows = await Promise.all(
    names.filter((name) => /^\d+$/.test(name)).map((name) => readStat(Number(name))),
  );
  return rows.filter((row) => row !== undefined);
}

async function readStat(pid: number): Promise<ProcessRow | undefined> {
  try {
    return parseStat(pid, await readFile(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    // It has just ended.
    return undefined;
  }
}

/** `pid (name) state parent group …`: the name may hold spaces and brackets. See proc(5). */
export function parseStat(pid: number, stat: string): ProcessRow | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, parent, group] = fields;
  const startedAt = fields[19];
  if (parent === undefined || group === undefined || startedAt === undefined) return undefined;
  // A zombie has ended; it only waits to be asked for its exit code.
  if (state === 'Z' || state === 'X') return undefined;
  return { pid, parent: Number(parent), group: Number(group), startedAt };
}

async function fromPs(selection: readonly string[]): Promise<ProcessRow[]> {
  const columns = ['-o', 'pid=', '-o', 'ppid=', '-o', 'pgid=', '-o', 'stat=', '-o', 'lstart='];
  const { stdout } = await execa('ps', [...selection, ...columns], {
    reject: false,
    env: { LC_ALL: 'C' },
  });
  return stdout.split('\n').flatMap(parsePsLine);
}

export function parsePsLine(line: string): ProcessRow[] {
  const fields = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S.*?)\s*$/.exec(line);
  if (fields === null || fields[4]?.startsWith('Z')) return [];
  return [
    {
      pid: Number(fields[1]),
      parent: Number(fields[2]),
      group: Number(fields[3]),
      startedAt: fields[5] ?? '',
    },
  ];
}
