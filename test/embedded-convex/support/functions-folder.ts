/** A folder of Convex functions, written for one test. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** `files`: text by path. Returns the path of the folder, `convex` in `parent`. */
export function writeFunctions(parent: string, files: Record<string, string>): string {
  const folder = join(parent, 'convex');
  for (const [path, text] of Object.entries(files)) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return folder;
}

/** What every file of functions begins with; the generic forms need no generated code. */
export const imports = `
import {
  actionGeneric as action,
  internalActionGeneric as internalAction,
  internalMutationGeneric as internalMutation,
  internalQueryGeneric as internalQuery,
  mutationGeneric as mutation,
  queryGeneric as query,
} from 'convex/server';
import { ConvexError, v } from 'convex/values';
`;
