import { randomUUID } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { basename, dirname, join } from 'node:path';
import { Database } from '../database.ts';
import { writeSnapshot } from './write-snapshot.ts';

/** Where a copy of a database may be made: beside it, since it is as large. */
export function copyName(databasePath: string): string {
  return `${databasePath}${mark}${randomUUID()}`;
}

/** Of exports that ended with the process. Nobody may be exporting. */
export function removeCopies(databasePath: string): void {
  const folder = dirname(databasePath);
  for (const name of readdirSync(folder)) {
    if (name.startsWith(`${basename(databasePath)}${mark}`)) remove(join(folder, name));
  }
}

/** Writes a copy as a snapshot, and removes it, however that ends. */
export async function exportCopy(copy: string, output: Writable): Promise<void> {
  try {
    const database = Database.open(copy, 0);
    try {
      await writeSnapshot(database, output);
    } finally {
      database.close();
    }
  } finally {
    for (const end of ['', '-wal', '-shm']) remove(`${copy}${end}`);
  }
}

const mark = '.export-';

function remove(path: string): void {
  rmSync(path, { force: true });
}
