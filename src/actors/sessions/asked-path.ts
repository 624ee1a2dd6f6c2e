/** A path that a client asked to be imported: what may be read there, and under which name. */
import { lstatSync, type Stats } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve, sep } from 'node:path';
import { BridgeError } from '../../errors.ts';
import { isAllowed, realPath } from '../within.ts';
import { archiveOf } from './archive.ts';
import { listDirectory, regularFile } from './list-directory.ts';
import { isCompressed, parseSessionFileName, plainOf } from './session-file-name.ts';
import type { FileFacts } from './session-files.ts';

export interface ReadablePlaces {
  /** The watched directory: it and its archive may always be read. */
  root: string;
  /** In and below which other files may be read; none at all: anywhere. */
  allowed: readonly string[];
}

/** Levels below the path: a backup of a whole home has Codex's three, and some of its own. */
const MAX_DEPTH = 12;

/**
 * The same place by one name only: links on the way are resolved, and what lies below the
 * watched root is named as the watcher names it. Throws `path_missing` or `path_refused`.
 */
export function checkAskedPath(path: string, places: ReadablePlaces): string {
  const { root } = places;
  if (!isAbsolute(path)) throw new BridgeError('path_refused', `${path} is not absolute`);
  const asked = resolve(path);
  if (asked === root || asked === archiveOf(root)) return asked;
  const facts = lookAt(asked);
  if (facts.isSymbolicLink()) {
    throw new BridgeError('path_refused', `${asked} is a link; name the place that it leads to`);
  }
  if (!facts.isDirectory() && !isSessionFile(asked, facts)) {
    throw new BridgeError(
      'path_refused',
      `${asked} is no directory, and no regular file named rollout-*.jsonl or rollout-*.jsonl.zst`,
    );
  }
  const found = asWatched(join(realPath(dirname(asked)), basename(asked)), root);
  requireAllowed(found, places);
  return found;
}

export interface AskedFiles {
  files: { path: string; facts: FileFacts }[];
  /** Directories that could not be listed, and why. */
  unreadable: { path: string; reason: string }[];
}

/**
 * The session files at or below a path that was checked, though maybe in an earlier life, with
 * other settings; links are not followed. Rejects with `path_missing` or `path_refused`.
 */
export async function findAskedFiles(path: string, places: ReadablePlaces): Promise<AskedFiles> {
  const { root } = places;
  const found: AskedFiles = { files: [], unreadable: [] };
  requireAllowed(path, places);
  const single = regularFile(path);
  if (single !== null) {
    found.files.push({ path: asWatched(path, root), facts: single });
    return found;
  }
  if (path !== root && path !== archiveOf(root)) lookAt(path);
  let level = [path];
  for (let depth = 0; depth <= MAX_DEPTH && level.length > 0; depth += 1) {
    const next: string[] = [];
    for (const directory of level) next.push(...(await listInto(found, directory, root)));
    level = next;
  }
  return found;
}

/** Returns the directories in this one. */
async function listInto(found: AskedFiles, directory: string, root: string): Promise<string[]> {
  try {
    const listing = await listDirectory(directory);
    if (listing === null) return [];
    const present = new Set(listing.files.map((file) => file.path));
    for (const { path, facts } of listing.files) {
      // Of both the plain one is read, as everywhere.
      if (isCompressed(path) && present.has(plainOf(path))) continue;
      found.files.push({ path: asWatched(path, root), facts });
    }
    return listing.directories;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    found.unreadable.push({ path: directory, reason: `the directory cannot be read (${code})` });
    return [];
  }
}

/** Whether a path lies where the watcher with this root looks. */
export function isWatched(path: string, root: string): boolean {
  const archive = archiveOf(root);
  return path.startsWith(root + sep) || (archive !== null && path.startsWith(archive + sep));
}

function asWatched(real: string, root: string): string {
  for (const watched of [root, archiveOf(root)]) {
    if (watched === null) continue;
    const realWatched = realPath(watched);
    if (real === realWatched || real.startsWith(realWatched + sep)) {
      return watched + real.slice(realWatched.length);
    }
  }
  return real;
}

function requireAllowed(path: string, { root, allowed }: ReadablePlaces): void {
  const isOwn = path === root || path === archiveOf(root) || isWatched(path, root);
  if (isOwn || isAllowed(path, allowed)) return;
  throw new BridgeError(
    'path_refused',
    `${path} is not in or below a directory of OPENAGENTS_BACKFILL_ROOTS`,
  );
}

function isSessionFile(path: string, facts: Stats): boolean {
  return facts.isFile() && parseSessionFileName(basename(path)) !== null;
}

function lookAt(path: string): Stats {
  try {
    return lstatSync(path);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    const isMissing = code === 'ENOENT' || code === 'ENOTDIR';
    throw new BridgeError(isMissing ? 'path_missing' : 'path_refused', `${path} (${code})`, {
      cause,
    });
  }
}
