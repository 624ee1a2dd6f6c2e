/** Who has a session of Codex open, as far as the system tells. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

/**
 * Codex (0.148 and later) holds a lock on a file of its own for each session that it writes:
 * `$CODEX_HOME/thread-writer-locks/<session>.lock`. As a person would say it; null when that
 * cannot be found out.
 */
export async function findSessionHolder(
  codexHome: string,
  sessionId: string,
): Promise<string | null> {
  const file = join(codexHome, 'thread-writer-locks', `${sessionId}.lock`);
  const pid = process.platform === 'linux' ? await fromLocks(file) : await fromLsof(file);
  if (pid === undefined) return null;
  const command = await commandOf(pid);
  return command === undefined ? `process ${pid}` : `process ${pid} (${command})`;
}

/** Characters of a command line that a message has room for. */
const MAX_COMMAND = 200;

/** `1: FLOCK ADVISORY WRITE <pid> <device>:<inode> 0 EOF`: proc_locks(5). */
async function fromLocks(file: string): Promise<number | undefined> {
  try {
    const { ino } = await stat(file);
    for (const line of (await readFile('/proc/locks', 'utf8')).split('\n')) {
      const [, kind, , , pid, place] = line.trim().split(/\s+/);
      if (kind === 'FLOCK' && place?.endsWith(`:${ino}`)) return Number(pid);
    }
  } catch {
    // It has just let go, or /proc is not there.
  }
  return undefined;
}

async function fromLsof(file: string): Promise<number | undefined> {
  if (process.platform === 'win32') return undefined;
  const { stdout } = await execa('lsof', ['-t', '--', file], { reject: false, timeout: 5_000 });
  const pid = Number(stdout.split('\n')[0]);
  return pid > 1 ? pid : undefined;
}

async function commandOf(pid: number): Promise<string | undefined> {
  const { stdout } = await execa('ps', ['-o', 'command=', '-p', String(pid)], {
    reject: false,
    timeout: 5_000,
  });
  const fromPs = stdout.trim();
  // A small container may lack `ps`.
  const command =
    fromPs === ''
      ? (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''))
          .split('\0')
          .join(' ')
          .trim()
      : fromPs;
  return command === '' ? undefined : command.slice(0, MAX_COMMAND);
}
