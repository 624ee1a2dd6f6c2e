/** Moves the data of the embedded backend out of it and into it, whether it runs or not. */
import { createWriteStream, existsSync } from 'node:fs';
import { readFile, rm, stat } from 'node:fs/promises';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { adminKeyFile } from './actors/convex-backend/table-counts.ts';
import type { Config } from './config.ts';
import { Database } from './embedded-convex/database.ts';
import { importSnapshot, type Imported } from './embedded-convex/snapshot/import-snapshot.ts';
import { writeSnapshot } from './embedded-convex/snapshot/write-snapshot.ts';
import { BridgeError } from './errors.ts';

/**
 * Writes a snapshot into a new file, which is gone when it fails: of a backend that runs, from
 * that, which goes on serving, and else from its database. Returns its bytes. Throws
 * `convex_snapshot`.
 */
export async function exportSnapshot(config: Config, file: string): Promise<number> {
  // `wx`: what is there stays.
  const output = createWriteStream(file, { flags: 'wx', mode: 0o600 });
  await new Promise((resolve, reject) => output.once('open', resolve).once('error', reject)).catch(
    (cause: unknown) => Promise.reject(notMoved(cause, file)),
  );
  try {
    const served = await fetchSnapshot(config);
    if (served === null) await exportClosed(config.convexDb, output);
    else await pipeline(served, output);
  } catch (cause) {
    output.destroy();
    await rm(file, { force: true });
    throw notMoved(cause, file);
  }
  return (await stat(file)).size;
}

/** Throws `convex_snapshot`, and then everything is as it was. */
export async function importSnapshotFile(
  config: Config,
  file: string,
  replace: boolean,
): Promise<Imported> {
  try {
    return await importSnapshot(file, config.convexDb, { replace });
  } catch (cause) {
    throw notMoved(cause, file);
  }
}

/** null: no backend with the key of this database answers at its address. */
async function fetchSnapshot(config: Config): Promise<Readable | null> {
  const host = ['0.0.0.0', '::'].includes(config.convexInterface)
    ? '127.0.0.1'
    : config.convexInterface;
  const authority = host.includes(':') ? `[${host}]` : host;
  const key = await readFile(adminKeyFile(config.convexDb), 'utf8').catch(() => null);
  if (key === null || config.convexPort === 0) return null;
  const response = await fetch(`http://${authority}:${config.convexPort}/api/snapshot`, {
    headers: { authorization: `Convex ${key.trim()}` },
  }).catch(() => null);
  if (response === null) return null;
  if (response.ok && response.body !== null) return Readable.fromWeb(response.body);
  const text = await response.text();
  // Another program, or the backend of another database.
  if (response.status !== 500 && response.status !== 503) return null;
  throw new Error(`the backend answered ${response.status}: ${text}`);
}

async function exportClosed(path: string, output: Writable): Promise<void> {
  if (!existsSync(path)) throw new Error(`there is no database ${path}`);
  const database = Database.open(path, LOCK_WAIT_MS);
  try {
    await writeSnapshot(database, output);
  } finally {
    database.close();
  }
}

/** For a backend that is just ending. */
const LOCK_WAIT_MS = 2000;

/** `file`: the snapshot's. */
function notMoved(cause: unknown, file: string): BridgeError {
  return new BridgeError('convex_snapshot', reasonOf(cause, file), { cause });
}

function reasonOf(cause: unknown, file: string): string {
  if (!(cause instanceof Error)) return String(cause);
  switch ('code' in cause && cause.code) {
    case 'EEXIST':
      return `${file} is there already`;
    case 'ENOENT':
      return `no such file or directory: ${file}`;
    case 'DatabaseInUse':
      return `${cause.message}; the bridge that serves it has another port, or must be stopped`;
    default:
      return cause.message;
  }
}
