import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/**
 * Whether the log beside a database was damaged after it was written; null: no, or there is
 * none. The text says where. SQLite itself does not tell: it takes a damaged frame for the place
 * where a crash cut the log off, and leaves out every commit behind it, acknowledged or not.
 *
 * A crash cannot have cut it off before a commit that something else was appended to: with
 * `synchronous=FULL` each commit is on disk before the next one is begun.
 * Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
 */
export function walDamage(walPath: string): string | null {
  const log = openLog(walPath);
  if (log === null) return null;
  try {
    return damageIn(log);
  } finally {
    closeSync(log.file);
  }
}

interface Log {
  file: number;
  size: number;
}

type Sums = [number, number];

const headerBytes = 32;
const frameHeaderBytes = 24;
/** The lowest bit says which byte order the checksums were made in. */
const magic = 0x377f0682;

function openLog(path: string): Log | null {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
  return { file, size: fstatSync(file).size };
}

function damageIn({ file, size }: Log): string | null {
  // What is written first is the header; with nothing behind it nothing was committed.
  if (size <= headerBytes + frameHeaderBytes) return null;
  const header = Buffer.alloc(headerBytes);
  readSync(file, header, 0, headerBytes, 0);
  const isBigEndian = (header.readUInt32BE(0) & 1) === 1;
  const sums = checksum(header.subarray(0, 24), [0, 0], isBigEndian);
  const isHeader = (header.readUInt32BE(0) & ~1) >>> 0 === magic && isSumAt(header, 24, sums);
  if (!isHeader) return `the header of ${size} bytes`;

  const frame = Buffer.alloc(frameHeaderBytes + header.readUInt32BE(8));
  const salts = header.subarray(16, 24);
  let damagedAt: number | null = null;
  let isCommitBehind = false;
  for (let at = headerBytes; at + frame.length <= size; at += frame.length) {
    readSync(file, frame, 0, frame.length, at);
    const isOfThisLog = frame.subarray(8, 16).equals(salts);
    if (damagedAt === null) {
      follow(sums, frame, isBigEndian);
      if (!isOfThisLog || !isSumAt(frame, 16, sums)) damagedAt = at;
    } else if (isOfThisLog) {
      if (isCommitBehind) return `a frame at byte ${damagedAt}, with commits behind it`;
      // The size of the database after a commit; 0 in every other frame.
      isCommitBehind = frame.readUInt32BE(4) !== 0;
    }
  }
  return null;
}

/** The sums go on from frame to frame. */
function follow(sums: Sums, frame: Buffer, isBigEndian: boolean): void {
  checksum(frame.subarray(0, 8), sums, isBigEndian);
  checksum(frame.subarray(frameHeaderBytes), sums, isBigEndian);
}

function checksum(bytes: Buffer, sums: Sums, isBigEndian: boolean): Sums {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let [first, second] = sums;
  for (let at = 0; at < bytes.length; at += 8) {
    first = (first + words.getUint32(at, !isBigEndian) + second) >>> 0;
    second = (second + words.getUint32(at + 4, !isBigEndian) + first) >>> 0;
  }
  sums[0] = first;
  sums[1] = second;
  return sums;
}

function isSumAt(bytes: Buffer, at: number, [first, second]: Sums): boolean {
  return bytes.readUInt32BE(at) === first && bytes.readUInt32BE(at + 4) === second;
}
