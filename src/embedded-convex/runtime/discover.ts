import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { EngineError, engineErrorCodes } from '../engine-error.ts';

export interface DiscoveredFunctions {
  /** In the order of their names. */
  modules: DiscoveredModule[];
  /** `schema.ts` or `schema.js`, if there is one. */
  schemaFile: string | null;
  /** `auth.config.ts` or `auth.config.js`, if there is one. */
  authConfigFile: string | null;
}

interface DiscoveredModule {
  /** As function paths name it: `folder/module`. */
  name: string;
  file: string;
}

/** The files of a functions folder that the official bundler would push, by the same rules. */
export function discoverFunctions(folder: string): DiscoveredFunctions {
  const files = listFiles(folder);
  const modules = files
    .filter((file) => isModule(folder, file))
    .map((file) => ({ name: moduleName(folder, file), file }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const module of modules) refuseNodeRuntime(module);
  const root = (name: RegExp) => files.find((file) => name.test(relative(folder, file))) ?? null;
  return { modules, schemaFile: root(schemaName), authConfigFile: root(authConfigName) };
}

/** What a deployment would take from the folder and we do not: each file, and what becomes of it. */
export function unservedFiles(folder: string): string[] {
  return readdirSync(folder).flatMap((file) => {
    const found = unserved.find(({ name }) => name.test(file));
    return found === undefined ? [] : [`${file}: ${found.consequence}`];
  });
}

const unserved = [
  { name: /^crons\.[jt]sx?$/, consequence: 'the embedded backend does not run its jobs' },
  { name: /^http\.[jt]sx?$/, consequence: 'the embedded backend does not serve its routes' },
  { name: /^convex\.config\.[jt]s$/, consequence: 'the embedded backend has no components' },
];

function listFiles(folder: string): string[] {
  try {
    return walk(folder, true);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new EngineError(
      engineErrorCodes.functionsInvalid,
      `The functions folder cannot be read: ${reason}`,
      { cause: error },
    );
  }
}

function walk(folder: string, isRoot: boolean): string[] {
  const entries = readdirSync(folder, { withFileTypes: true });
  // A folder with its own configuration is a component, which is pushed separately.
  if (!isRoot && entries.some((entry) => entry.name === 'convex.config.ts')) return [];
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) return [path];
    return isRoot && skippedFolders.has(entry.name) ? [] : walk(path, false);
  });
}

const skippedFolders = new Set(['_generated', '_deps', 'node_modules']);
const schemaName = /^schema\.[jt]s$/;
const authConfigName = /^auth\.config\.[jt]s$/;
const moduleExtension = /\.(?:ts|tsx|js|jsx|mjs|cjs|mts|cts)$/;

function isModule(folder: string, file: string): boolean {
  const path = relative(folder, file);
  const base = path.slice(path.lastIndexOf(sep) + 1);
  if (!moduleExtension.test(base) || schemaName.test(path)) return false;
  // Dotfiles, editors' files, and what has a second dot: tests, configurations, declarations.
  if (/^[.#]/.test(base) || base.split('.').length > 2 || path.includes(' ')) return false;
  // Jobs on a schedule are not functions and load only where they are run.
  if (path.replace(moduleExtension, '') === 'crons') return false;
  if (!/\.tsx?$/.test(base)) return true;
  return /^\s{0,100}(?:import|export)/m.test(readFileSync(file, 'utf8'));
}

function moduleName(folder: string, file: string): string {
  return relative(folder, file).replace(moduleExtension, '').split(sep).join('/');
}

function refuseNodeRuntime({ name, file }: DiscoveredModule): void {
  if (!/^\s*["']use node["'];?\s*$/m.test(readFileSync(file, 'utf8'))) return;
  throw new EngineError(
    engineErrorCodes.functionsInvalid,
    `${name} asks for the Node.js runtime ("use node"), which the embedded backend does not have; remove the directive or use a real deployment`,
  );
}
