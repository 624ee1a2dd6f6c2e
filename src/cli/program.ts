/** The commands of `oa-bridge`, their arguments and their help. */
import { Command, CommanderError } from 'commander';
import { loadConfig } from '../config.ts';
import { packageVersion } from '../version.ts';
import { accessCommands } from './commands/access-commands.ts';
import { careCommands } from './commands/care-commands.ts';
import { convexCommands } from './commands/convex-commands.ts';
import { daemonCommands } from './commands/daemon-commands.ts';
import { historyCommands } from './commands/history-commands.ts';
import { machineCommands } from './commands/machine-commands.ts';
import { runCommands } from './commands/run-commands.ts';
import type { Run } from './commands/settings-flags.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** In the order of the help. */
const GROUPS = [
  daemonCommands,
  runCommands,
  historyCommands,
  machineCommands,
  accessCommands,
  careCommands,
  convexCommands,
];

/**
 * Runs one command and returns its exit code.
 * @param args without the names of node and of the script
 */
export async function program(args: string[]): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.done;
  const run: Run = async (flags, command) => {
    exitCode = await command(loadConfig(flags, process.env));
  };
  const root = new Command('oa-bridge')
    .description('Runs Codex for your clients and mirrors every Codex session into Convex.')
    .version(packageVersion(), '-V, --version')
    .exitOverride()
    .showHelpAfterError('(add --help for what is allowed)')
    .addHelpText('after', EXIT_HELP);
  for (const declare of GROUPS) declare(root, run);
  try {
    await root.parseAsync(args, { from: 'user' });
  } catch (error) {
    // Commander has printed its message; help and version end with code 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    throw error;
  }
  return exitCode;
}

const EXIT_HELP = `
Every setting can also be given by its environment variable, named in the help
of each command.
Exit codes: 0 done, 1 failed, 2 wrong arguments or configuration, 3 nobody
answers, 130 interrupted.`;
