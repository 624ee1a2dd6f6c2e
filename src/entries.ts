/** Where the parts that are not imported lie: beside us, as sources or as built files. */
import { fileURLToPath } from 'node:url';

/** The program of the embedded backend's process. */
export function embeddedConvexEntry(): string {
  return here(`./embedded-convex/main${extension}`);
}

/** The thread that reads one item whole. */
export function wholeItemEntry(): URL {
  return new URL(`./actors/messages/worker${extension}`, import.meta.url);
}

/** The thread that parses session files of the past. */
export function parsingEntry(): URL {
  return new URL(`./actors/sessions/parsing-worker${extension}`, import.meta.url);
}

/** The thread that compares session files with their rows. */
export function verifyEntry(): URL {
  return new URL(`./actors/verify/worker${extension}`, import.meta.url);
}

/** The bridge's own Convex functions: their folder, or what `npm run build` bundled of it. */
export function functionsSource(): { folder: string } | { bundleFile: string } {
  return isBuilt ? { bundleFile: here('../functions.js') } : { folder: here('../convex') };
}

/** The inspector's page: the folder of its sources, or of what `npm run build` made of them. */
export function inspectorPage(): { sources: string } | { built: string } {
  return isBuilt ? { built: here('../inspector') } : { sources: here('./inspector') };
}

/** Skills that come with the package. */
export function registrySkills(): string {
  return here(isBuilt ? '../../skills' : '../skills');
}

/** How that program is given what its functions see as `process.env`. */
export function environmentArguments(environment: Record<string, string>): string[] {
  return Object.entries(environment).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
}

/** The repository holds TypeScript, the published package JavaScript. */
const isBuilt = import.meta.url.endsWith('.js');
const extension = isBuilt ? '.js' : '.ts';

function here(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}
