import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';

/** Also what `/instance_name` answers, and the part of the admin key before the bar. */
export const instanceName = 'embedded';

/**
 * The key of a data directory, made when there is none yet: `embedded|<64 hex digits>`.
 * Only its owner may read the file. `npx convex` takes it as `--admin-key`.
 */
export async function loadAdminKey(file: string): Promise<string> {
  try {
    // `wx` fails when the file exists, so of two that start at once one key wins.
    await writeFile(file, `${instanceName}|${randomBytes(32).toString('hex')}\n`, {
      flag: 'wx',
      mode: 0o600,
    });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  return (await readFile(file, 'utf8')).trim();
}
