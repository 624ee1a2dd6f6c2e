import { realpath, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';

export interface ProgramFile {
  path: string;
  /** Another one once the program was replaced. */
  version: string;
}

/**
 * The file that the name of a program means; undefined when there is none.
 * @param path the directories to look in, joined as in `PATH`
 */
export async function programFile(name: string, path: string): Promise<ProgramFile | undefined> {
  const places = isAbsolute(name) || /[\\/]/.test(name) ? [''] : path.split(delimiter);
  for (const place of places) {
    try {
      const file = await realpath(join(place, name));
      return { path: file, version: `${file} ${(await stat(file)).mtimeMs}` };
    } catch {
      // Not there.
    }
  }
  return undefined;
}
