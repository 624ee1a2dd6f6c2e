/** What a daemon has while nothing goes on: a campaign leaves no more of it behind. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { descendants } from '../processes.ts';

/** How many of each: file handles by their kind (on Linux), processes below it by their command. */
export type AtRest = Record<string, number>;

export async function atRest(pid: number): Promise<AtRest> {
  const below = (await descendants(pid)).map(({ command }) => command.slice(0, MAX_COMMAND));
  return counted([...handlesOf(pid), ...below]);
}

/**
 * What there is more of than before; but of a session file the watcher keeps one handle until it
 * has been quiet for ten minutes.
 */
export function leftSince(before: AtRest, now: AtRest): string[] {
  return Object.entries(now).flatMap(([name, count]) => {
    const allowed = name.endsWith('.jsonl') ? 1 : (before[name] ?? 0);
    return count > allowed ? [`${count - allowed} × ${name}`] : [];
  });
}

/** Characters that tell one command from the others. */
const MAX_COMMAND = 120;

function counted(names: readonly string[]): AtRest {
  const counts: AtRest = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** Resident memory; 0 where the system does not tell. */
export function residentMegabytes(pid: number): number {
  if (process.platform !== 'linux') return 0;
  const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Math.round(Number(kilobytes) / 1024);
}

function handlesOf(pid: number): string[] {
  if (process.platform !== 'linux') return [];
  // `socket:[4711]`: its number says nothing.
  return readdirSync(`/proc/${pid}/fd`).map((name) =>
    targetOf(`/proc/${pid}/fd/${name}`).replace(/:\[\d+\]$/, ''),
  );
}

/** One that was closed since it was listed counts as what it is: on its way. */
function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return 'just closed';
  }
}

/**
 * Processes that work on this folder: it is in their arguments or, as the children of Codex
 * have it, in their environment, also of those that nobody is the parent of any more.
 */
export function processesOf(folder: string): string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      const [words, environment] = [read(`/proc/${pid}/cmdline`), read(`/proc/${pid}/environ`)];
      const isOurs = words.includes(folder) || environment.includes(folder);
      return isOurs ? [`${pid} ${words.replaceAll('\0', ' ').slice(0, 200)}`] : [];
    });
}

/** Of a process that has ended, or is somebody else's, nothing. */
function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
