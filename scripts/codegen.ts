/**
 * Writes `convex/_generated` again: `npm run codegen`, needed when a file under
 * `convex/` comes or goes. Needs no deployment and no network: the CLI's hidden
 * `--system-udfs` generates from the files alone, and only asks for the two
 * variables that say where a deployment would be.
 */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';

if (import.meta.main) generate(path.resolve(import.meta.dirname, '..'));

/** Takes the folder that holds `package.json` and `convex/`. */
export function generate(project: string): void {
  const manifest = createRequire(import.meta.url).resolve('convex/package.json');
  execFileSync(
    process.execPath,
    [
      path.join(path.dirname(manifest), 'bin/main.js'),
      'codegen',
      '--system-udfs',
      '--typecheck',
      'disable',
    ],
    {
      cwd: project,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        ...process.env,
        CONVEX_SELF_HOSTED_URL: 'http://127.0.0.1:9',
        CONVEX_SELF_HOSTED_ADMIN_KEY: 'unused',
      },
    },
  );
}
