import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';

const counts = z.record(z.string(), z.number());

/** Where the embedded backend keeps the key that it makes for its database. */
export function adminKeyFile(database: string): string {
  return join(dirname(database), 'admin-key');
}

/** Asks the embedded backend for the rows per table, which it counts as it writes them. */
export function tableCounts(
  keyFile: string,
): (url: string, signal: AbortSignal) => Promise<Record<string, number>> {
  return async (url, signal) => {
    const key = (await readFile(keyFile, 'utf8')).trim();
    const response = await fetch(new URL('/api/table_counts', url), {
      headers: { authorization: `Convex ${key}` },
      signal: AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]),
    });
    return counts.parse(await response.json());
  };
}

/** Milliseconds; the counts are in memory. */
const LIMIT_MS = 5000;
