/** Whether a path lies below a directory, by its name and by where links lead. */
import { realpathSync } from 'node:fs';
import { isAbsolute, relative } from 'node:path';

/** By their names alone. A directory is within itself. */
export function isWithin(directory: string, path: string): boolean {
  const way = relative(directory, path);
  return way === '' || !(/^\.\.(?:[\\/]|$)/.test(way) || isAbsolute(way));
}

/** Where links lead; as it is where there is nothing. */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Of an existing path, by where links lead. No roots at all allow everything. */
export function isAllowed(path: string, roots: readonly string[]): boolean {
  return roots.length === 0 || roots.some((root) => isWithin(realPath(root), realPath(path)));
}
