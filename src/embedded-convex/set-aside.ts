import { existsSync, renameSync, rmSync } from 'node:fs';
import { Store } from './store.ts';

/** What became of a database that cannot be read any more. */
export interface SetAside {
  /** Where it is now, as it was found; its log, if it had one, beside it with `-wal`. */
  file: string;
  /** What is wrong with it. */
  reason: string;
}

/**
 * Renames a damaged database, which nobody may have open, and puts an empty one in its place.
 * Nothing is ever deleted: somebody may want to get rows out of it. Throws Node's error when
 * the files cannot be renamed, and a `StoreError` when no new database can be made.
 */
export function setAsideDamaged(path: string, reason: string): SetAside {
  const file = freeName(`${path}.damaged-${timeStamp(new Date())}`);
  renameSync(path, file);
  // Under this name SQLite finds it.
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${file}-wal`);
  // Only an index of the log, which must not be taken for one of the new log.
  rmSync(`${path}-shm`, { force: true });
  // Clients that are still connected to the old one's timestamps must not be ahead of ours.
  Store.open(path, { minimumTs: BigInt(Date.now()) * 1_000_000n }).close();
  return { file, reason };
}

/** Without colons, which no file name on Windows may have. */
export function timeStamp(date: Date): string {
  return date.toISOString().replace(/\.\d+/, '').replaceAll(':', '-');
}

export function freeName(name: string): string {
  let free = name;
  for (let number = 2; existsSync(free); number += 1) free = `${name}-${number}`;
  return free;
}
