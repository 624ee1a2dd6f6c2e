import { readdir } from 'node:fs/promises';
import { BridgeError } from '../../errors.ts';
import { isMissing } from './parsed-file.ts';

/** Names in a folder, in order; none when there is no such folder. Rejects with `library_unreadable`. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (cause) {
    if (isMissing(cause)) return [];
    throw new BridgeError('library_unreadable', folder, { cause });
  }
}
