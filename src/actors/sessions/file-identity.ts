/**
 * How a file is known again. Inodes are reused at once by common file systems, so
 * device and inode are hints; what counts is how the file begins, and what stands
 * just before the place where reading goes on.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

/** Bytes. A session's first line is longer and holds its id and time, so these differ between files. */
const FINGERPRINT_LENGTH = 256;
/** Bytes. As much as a line or two: enough to see that what was read is still what is there. */
const TAIL_LENGTH = 1_024;

/**
 * SHA-256, hex, of the file's first 256 bytes. Bytes at and behind `offset` do not
 * count: they were not read yet and may still grow.
 */
export async function fingerprint(file: FileHandle, offset: number): Promise<string> {
  return await hashOf(file, 0, Math.min(FINGERPRINT_LENGTH, offset));
}

/** SHA-256, hex, of the up to 1 KiB before `offset`. */
export async function tailHash(file: FileHandle, offset: number): Promise<string> {
  const length = Math.min(TAIL_LENGTH, offset);
  return await hashOf(file, offset - length, length);
}

/** Whether the fingerprint at `offset` will never change any more. */
export function isFingerprintFinal(offset: number): boolean {
  return offset >= FINGERPRINT_LENGTH;
}

async function hashOf(file: FileHandle, position: number, length: number): Promise<string> {
  const buffer = Buffer.allocUnsafe(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  return createHash('sha256').update(buffer.subarray(0, bytesRead)).digest('hex');
}
