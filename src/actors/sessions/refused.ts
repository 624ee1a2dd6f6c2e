/** What Convex will never take: its lines are set aside, so that the file goes on behind them. */
import { createHash } from 'node:crypto';
import type { BridgeError } from '../../errors.ts';
import type {
  FileCursor,
  QuarantinedLine,
  WriteJob,
  WriteResult,
} from '../../machines/protocol.ts';
import type { SessionFile } from './session-file.ts';

/** As many lines as the row of a cursor keeps; the newest ones. */
const MAX_QUARANTINE = 1_000;

/** Where in the file the item with this key comes from. */
export interface Place {
  key: string;
  offset: number;
  length: number;
}

/** A batch that was given out and is not settled. */
export interface Proposal {
  job: WriteJob;
  /** Where the file stands once the batch is committed. */
  cursor: FileCursor;
  /** The bytes of the file that it covers. */
  start: number;
  bytes: number;
  /** Lines of it that are set aside. */
  rejected: number;
  places: Place[];
}

export function setAside(
  before: readonly QuarantinedLine[],
  lines: readonly QuarantinedLine[],
): QuarantinedLine[] {
  return [...before, ...lines].slice(-MAX_QUARANTINE);
}

/** The lines of the items that were refused. */
export async function refusedLines(
  refused: WriteResult['rejected'],
  places: readonly Place[],
  file: SessionFile | null,
  parserVersion: number,
): Promise<QuarantinedLine[]> {
  const lines: QuarantinedLine[] = [];
  for (const { key, reason } of refused) {
    const place = places.find((candidate) => candidate.key === key);
    if (place === undefined) continue;
    const { offset, length } = place;
    const sha256 = await hashOf(file, offset, offset + length - 1);
    lines.push({ offset, length, sha256, reason, parserVersion });
  }
  return lines;
}

/** A whole batch that was refused, as one that only says so: all its bytes become one entry. */
export async function rejectBatch(
  { job, cursor, start, bytes, rejected }: Proposal,
  error: BridgeError,
  { file, id, parserVersion }: { file: SessionFile | null; id: string; parserVersion: number },
): Promise<Proposal> {
  const refused = {
    offset: start,
    length: bytes,
    sha256: await hashOf(file, start, start + bytes),
    reason: error.message,
    parserVersion,
  };
  const moved = { ...cursor, quarantine: setAside(cursor.quarantine, [refused]) };
  return {
    job: { ...job, id, items: [], ...(job.cursor && { cursor: moved }), bytes: 0 },
    cursor: moved,
    start,
    bytes,
    rejected: rejected + job.items.length,
    places: [],
  };
}

/** Empty when the file is gone by now. */
async function hashOf(file: SessionFile | null, start: number, end: number): Promise<string> {
  if (file === null) return '';
  const hash = createHash('sha256');
  for (let position = start; position < end;) {
    const chunk = await file.read(position, end);
    if (chunk.length === 0) break;
    hash.update(chunk);
    position += chunk.length;
  }
  return hash.digest('hex');
}
