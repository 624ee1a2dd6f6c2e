/** Every session file on this machine, by a walk of its own: what the watcher overlooks must show. */
import { lstat, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { archiveOf } from '../sessions/archive.ts';
import { isCompressed, parseSessionFileName, plainOf } from '../sessions/session-file-name.ts';

export interface FoundFile {
  path: string;
  /** Bytes on disk. */
  size: number;
}

/** `root` and the archive beside it. Directories that may not be read come back as `unreadable`. */
export async function findSessionFiles(
  root: string,
): Promise<{ files: FoundFile[]; unreadable: { path: string; reason: string }[] }> {
  const archive = archiveOf(root);
  const waiting = archive === null ? [root] : [root, archive];
  const paths: string[] = [];
  const unreadable: { path: string; reason: string }[] = [];
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    try {
      for (const entry of await readdir(directory, { withFileTypes: true })) {
        const path = join(directory, entry.name);
        if (entry.isDirectory()) waiting.push(path);
        else if (entry.isFile() && parseSessionFileName(entry.name) !== null) paths.push(path);
      }
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') {
        unreadable.push({ path: directory, reason: codeOf(error) });
      }
    }
  }
  const plain = new Set(paths.filter((path) => !isCompressed(path)));
  // While Codex compresses a file, or unpacks it, both are there: the plain one counts.
  const read = paths.filter((path) => !isCompressed(path) || !plain.has(plainOf(path))).sort();
  const files: FoundFile[] = [];
  for (const path of read) {
    const size = await sizeOf(path);
    if (size !== null) files.push({ path, size });
  }
  return { files, unreadable };
}

/** Bytes on disk; null when there is no regular file. */
export async function sizeOf(path: string): Promise<number | null> {
  const facts = await lstat(path).catch(() => null);
  return facts?.isFile() === true ? facts.size : null;
}

/** What stays when Codex archives, compresses or restores a file; other names are known by their path. */
export function sessionOf(path: string): string {
  const name = basename(path);
  return parseSessionFileName(name)?.threadId === undefined ? path : plainOf(name);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
