/**
 * As much history as is wanted, quickly: copies of a few sessions that cost what real ones
 * cost, each with an id of its own, for nothing is looked up across threads.
 */
import { closeSync, copyFileSync, openSync, readSync, renameSync, writeSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { writeRealisticSession } from './realistic-session.ts';

const SESSION_BYTES = 25_000_000;
/** Different ones. */
const ORIGINALS = 4;
const MINUTE_MS = 60_000;
/** Older than what counts as live. */
const YOUNGEST_MS = 24 * 60 * MINUTE_MS;

export function writeHistory(
  codexHome: string,
  { bytes, longLine }: { bytes: number; longLine?: number },
): { files: number; bytes: number } {
  let [files, written] = [0, 0];
  const originals: { path: string; threadId: string; bytes: number }[] = [];
  while (written < bytes) {
    const at = new Date(Date.now() - YOUNGEST_MS - files * MINUTE_MS);
    const original = originals[files % ORIGINALS];
    if (original === undefined) {
      originals.push(writeRealisticSession(codexHome, { at, bytes: SESSION_BYTES, seed: files }));
    } else {
      copySession(original);
    }
    written += originals[files % ORIGINALS]?.bytes ?? 0;
    files += 1;
  }
  const [first] = originals;
  if (longLine !== undefined && first !== undefined)
    written += appendLongLine(first.path, longLine);
  return { files, bytes: written };
}

/** The id stands in the file's name and in its first line, both times with the same length. */
function copySession({ path, threadId }: { path: string; threadId: string }): void {
  const id = randomUUID();
  const hidden = join(dirname(path), `.${id}`);
  copyFileSync(path, hidden);
  const file = openSync(hidden, 'r+');
  const head = Buffer.alloc(1_000);
  readSync(file, head, 0, head.length, 0);
  writeSync(file, id, head.indexOf(threadId));
  closeSync(file);
  renameSync(hidden, path.replace(threadId, id));
}

/** The output of a tool, of that many bytes. */
function appendLongLine(path: string, length: number): number {
  const file = openSync(path, 'a');
  const payload = { type: 'function_call_output', call_id: 'call_long', output: '' };
  const line = JSON.stringify({
    timestamp: new Date().toISOString(),
    type: 'response_item',
    payload,
  });
  const [head = '', tail = ''] = line.split('""');
  const piece = 'all of it is one output '.repeat(40_000);
  let written = writeSync(file, `${head}"`);
  while (written < length) written += writeSync(file, piece);
  written += writeSync(file, `"${tail}\n`);
  closeSync(file);
  return written;
}
