/** The embedded backend alone. */
import type { Command } from 'commander';
import type { ConvexFlags } from '../convex.ts';
import { CONVEX, type Flags, type Run, withSettings } from './settings-flags.ts';

export function convexCommands(root: Command, run: Run): void {
  const convex = withSettings(root.command('convex'), CONVEX);
  convex
    .description('run the embedded Convex backend alone, without the bridge')
    .option('--functions <directory>', "serve these functions instead of the bridge's own")
    .option('--watch', 'load the functions anew when one of their files changes')
    .option(
      // Not --env-file: Node takes that for its own, wherever it stands.
      '--environment-file <file>',
      'environment variables of the functions, one name=value a line',
    )
    .option('--json', 'print the address as one line of JSON')
    .addHelpText('after', ADMIN_HELP)
    .action((flags: Flags & ConvexFlags) =>
      run(flags, async (config) => (await import('../convex.ts')).convex(config, flags)),
    );

  withSettings(convex.command('export'), CONVEX)
    .description('write all data as a ZIP that "npx convex import" takes, also while it is served')
    .argument('<file>', 'a new file')
    .action((file: string, _: unknown, command: Command) =>
      run(command.optsWithGlobals(), async (config) =>
        (await import('../convex-snapshot.ts')).exportConvex(config, file),
      ),
    );

  withSettings(convex.command('import'), CONVEX)
    .description('take over an export of Convex while nobody serves the database')
    .argument(
      '<file>',
      'a ZIP from "oa-bridge convex export", "npx convex export" or the dashboard',
    )
    .option('--replace', 'rename the present database and put this one in its place')
    .action((file: string, _: unknown, command: Command) => {
      const flags = command.optsWithGlobals<Flags & { replace?: boolean }>();
      return run(flags, async (config) =>
        (await import('../convex-snapshot.ts')).importConvex(config, file, flags.replace ?? false),
      );
    });
}

/** Commander wraps its own text only: what is added here has lines of at most 80 characters. */
const ADMIN_HELP = `
"npx convex run", "data" and "env list" work against it with
  CONVEX_SELF_HOSTED_URL        the address that it prints
  CONVEX_SELF_HOSTED_ADMIN_KEY  what the file "admin-key" beside the database
                                holds (only you may read it)`;
