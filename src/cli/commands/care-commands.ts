/** What a person does to look after it. */
import type { Command } from 'commander';
import type { LogsFlags } from '../logs.ts';
import { EVERYTHING, type Flags, type Run, withSettings } from './settings-flags.ts';

export function careCommands(root: Command, run: Run): void {
  withSettings(root.command('doctor'), EVERYTHING)
    .description('look at everything around the bridge, and say what is wrong and what to do')
    .option('--json', 'for machines: {subject, verdict, found, advice} of each')
    .action((flags: Flags & { json?: boolean }) =>
      run(flags, async (config) =>
        (await import('../doctor.ts')).doctor(config, flags.json ?? false),
      ),
    );

  withSettings(root.command('logs'), ['home'])
    .description('show what the daemon has said')
    .option('-n, --lines <number>', 'so many lines, the newest', '100')
    .option('-f, --follow', 'go on with what it says from now on, until Ctrl-C')
    .option('--json', 'the lines as they are')
    .action((flags: Flags & LogsFlags) =>
      run(flags, async (config) => (await import('../logs.ts')).logs(config, flags)),
    );

  const service = root
    .command('service')
    .description('have the system start the bridge, restart it and end it (systemd, launchd)');
  withSettings(service.command('install'), EVERYTHING)
    .description('start it now and at each login, with the settings given here')
    .option('--print', 'only show the file')
    .action((flags: Flags & { print?: boolean }) =>
      run(flags, async (config) =>
        (await import('../service.ts')).installService(config, flags, flags.print ?? false),
      ),
    );
  service
    .command('uninstall')
    .description('end it, and start it no more')
    .action(() => run({}, async () => (await import('../service.ts')).uninstallService()));
  service
    .command('status')
    .description('whether it is installed and runs; exit code 1: it does not')
    .action(() => run({}, async () => (await import('../service.ts')).serviceStatus()));

  withSettings(root.command('validate'), ['home'])
    .description('check PROJECT.md and SKILL.md files, and say what is wrong and where')
    .argument('[paths...]', 'files and folders; without any, those of the home')
    .option('--json', 'print what was found as JSON')
    .action((paths: string[], flags: Flags & { json?: boolean }) =>
      run(flags, async (config) =>
        (await import('../validate.ts')).validate(config, paths, flags.json ?? false),
      ),
    );
}
