/** What a directory of sessions holds, links and odd things left out. */
import type { BigIntStats, Dirent } from 'node:fs';
import { lstatSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isCompressed, parseSessionFileName, plainOf } from './session-file-name.ts';
import type { FileFacts } from './session-files.ts';

export interface DirectoryListing {
  directories: string[];
  files: { path: string; facts: FileFacts }[];
}

/**
 * Null when the directory is not there (any more); rejects with the system's error
 * when it cannot be read. Files are looked at synchronously: some 3 µs each, against
 * four times that through the thread pool.
 */
export async function listDirectory(directory: string): Promise<DirectoryListing | null> {
  const entries = await readdirIfThere(directory);
  if (entries === null) return null;
  const listing: DirectoryListing = { directories: [], files: [] };
  for (const entry of entries) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) listing.directories.push(path);
    else if (entry.isFile() && parseSessionFileName(entry.name) !== null) {
      const facts = regularFile(path);
      if (facts !== null) listing.files.push({ path, facts });
    }
  }
  return listing;
}

/** How the file looks; null when it is not there, or not a regular file. */
export function regularFile(path: string): FileFacts | null {
  const facts = lookAt(path);
  return facts?.isFile() ? facts : null;
}

/** Whether it counts as gone: of a compressed and a plain file of one session only the plain one is followed. */
export function isSuperseded(path: string): boolean {
  return isCompressed(path) && regularFile(plainOf(path)) !== null;
}

export function isDirectory(path: string): boolean {
  return lookAt(path)?.isDirectory() ?? false;
}

function lookAt(path: string): BigIntStats | null {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false }) ?? null;
  } catch {
    // A directory on the way that may not be searched: its own listing reports that.
    return null;
  }
}

async function readdirIfThere(directory: string): Promise<Dirent[] | null> {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  }
}
