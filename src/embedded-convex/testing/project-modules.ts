import type { ModuleLoaders } from './host-functions.ts';

interface ViteImportMeta extends ImportMeta {
  glob(pattern: string): ModuleLoaders;
}

/** The modules in the folder `convex` of the Vite project that runs the tests. */
export function projectModules(): ModuleLoaders {
  if (!('env' in import.meta)) {
    throw new Error(
      'convexTest does not know your functions: pass `import.meta.glob("./convex/**/*.*s")` as its second argument, or have Vitest transform this package (`server.deps.inline: ["openagents-bridge"]`).',
    );
  }
  // Vite puts the modules it finds in the place of the call; the slash is the project's root.
  return (import.meta as ViteImportMeta).glob('/convex/**/*.*s');
}
