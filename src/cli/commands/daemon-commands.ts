/** The daemon itself. */
import type { Command } from 'commander';
import type { StatusFlags } from '../status.ts';
import { EVERYTHING, LOCAL, type Flags, type Run, withSettings } from './settings-flags.ts';

export function daemonCommands(root: Command, run: Run): void {
  withSettings(root.command('start'), EVERYTHING)
    .description('start the daemon in the foreground')
    .action((flags: Flags) =>
      run(flags, async (config) => (await import('../start.ts')).start(config)),
    );

  withSettings(root.command('status'), LOCAL)
    .description('show every actor of the running daemon and its state')
    .option('--all', 'each session file and client in a line of its own')
    .option('--json', 'for machines: the reply of bridge.status as it is')
    .action((flags: Flags & StatusFlags) =>
      run(flags, async (config) => (await import('../status.ts')).status(config, flags)),
    );
}
