import { readFile } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BuildFailure, Message } from 'esbuild';
import { EngineError, engineErrorCodes } from '../engine-error.ts';
import type { FunctionsSource } from '../executor-options.ts';
import { discoverFunctions } from './discover.ts';
import type { DiscoveredFunctions } from './discover.ts';

/** The script that defines `convexFunctions`. Throws an `EngineError`. */
export async function loadFunctions(source: FunctionsSource): Promise<string> {
  if ('code' in source) return source.code;
  if ('folder' in source) return bundleFunctions(source.folder);
  try {
    return await readFile(source.bundleFile, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalid(`The bundle of the functions cannot be read: ${reason}`, error);
  }
}

/**
 * A functions folder as one script for a bare JavaScript realm, with its source map inside.
 * It sets the global `convexFunctions` to `{ modules: { [name]: exports }, schema, authConfig }`. What a
 * release ships, so that it needs neither TypeScript sources nor esbuild.
 */
export async function bundleFunctions(folder: string): Promise<string> {
  return (await bundleWithInputs(folder)).code;
}

export interface Bundle {
  code: string;
  /** Paths of the files that went into it, without those of packages. */
  inputs: string[];
}

/** The same, and what it was made of. */
export async function bundleWithInputs(folder: string): Promise<Bundle> {
  const root = resolve(folder);
  const discovered = discoverFunctions(root);
  // Loaded here: a process that is given a bundle needs no bundler.
  const { buildSync } = await import('esbuild');
  try {
    const result = buildSync({
      stdin: { contents: entryPoint(root, discovered), resolveDir: root, sourcefile: entryName },
      absWorkingDir: root,
      // Never written: it makes the paths of the source map read `../convex/file.ts`.
      outfile: join(dirname(root), '_bundle', 'functions.js'),
      write: false,
      bundle: true,
      format: 'iife',
      globalName: 'convexFunctions',
      platform: 'browser',
      target: 'es2024',
      conditions: ['convex', 'module'],
      define: { 'process.env.NODE_ENV': '"production"' },
      sourcemap: 'inline',
      sourcesContent: false,
      metafile: true,
      // The folder's own `convex` package comes first; without one, ours serves.
      nodePaths: [ownPackages()],
      logLevel: 'silent',
    });
    const [output] = result.outputFiles;
    if (output === undefined) throw new Error('esbuild wrote nothing');
    return { code: output.text, inputs: ownFiles(root, Object.keys(result.metafile.inputs)) };
  } catch (error) {
    if (!isBuildFailure(error)) throw error;
    const problems = error.errors.map(describe).join('\n');
    throw invalid(`The functions in ${root} do not compile:\n${problems}`, error);
  }
}

function entryPoint(
  root: string,
  { modules, schemaFile, authConfigFile }: DiscoveredFunctions,
): string {
  const specifier = (file: string) =>
    JSON.stringify(`./${relative(root, file).split(sep).join('/')}`);
  const imports = modules.map(({ file }, at) => `import * as module${at} from ${specifier(file)};`);
  const entries = modules.map(({ name }, at) => `${JSON.stringify(name)}: module${at}`);
  const schema =
    schemaFile === null
      ? 'export const schema = null;'
      : `export { default as schema } from ${specifier(schemaFile)};`;
  // A function, because it is evaluated apart from the others: see `loadRealm`.
  const authConfig =
    authConfigFile === null
      ? 'export const authConfig = null;'
      : `export const authConfig = () => require(${specifier(authConfigFile)}).default;`;
  const modulesLine = `export const modules = { ${entries.join(', ')} };`;
  return [...imports, modulesLine, schema, authConfig].join('\n');
}

/** `inputs`: as esbuild names them, the entry point among them, which is no file. */
function ownFiles(root: string, inputs: string[]): string[] {
  return inputs
    .filter((input) => input !== entryName && !input.split('/').includes('node_modules'))
    .map((input) => resolve(root, input));
}

const entryName = 'entry.js';

/** The node_modules folder that our own `convex` package is in. */
function ownPackages(): string {
  const entry = fileURLToPath(import.meta.resolve('convex/server'));
  const inside = `${sep}node_modules${sep}`;
  return entry.slice(0, entry.lastIndexOf(inside) + inside.length - 1);
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && 'errors' in error && Array.isArray(error.errors);
}

function describe({ location, text }: Message): string {
  return location === null
    ? text
    : `${location.file}:${location.line}:${location.column + 1}: ${text}`;
}

function invalid(message: string, cause: unknown): EngineError {
  return new EngineError(engineErrorCodes.functionsInvalid, message, { cause });
}
