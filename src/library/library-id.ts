/** The names of the folders that hold projects and skills. Pure. */
import { z } from 'zod';

/**
 * A single path segment everywhere: no separator, no "..", nothing hidden, and none of the
 * names that Windows keeps for devices. 64 characters, as SKILL.md allows a name.
 */
export const libraryId = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'letters, digits, ".", "_" and "-" only')
  .refine((id) => !id.endsWith('.') && !id.includes('..'), 'must not end in "." or hold ".."')
  .refine((id) => !DEVICE.test(id), 'is a name that Windows keeps for a device');

export function isLibraryId(id: string): boolean {
  return libraryId.safeParse(id).success;
}

const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;
