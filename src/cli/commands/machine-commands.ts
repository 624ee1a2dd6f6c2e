/** The machines at work. */
import type { Command } from 'commander';
import type { InspectFlags } from '../inspect.ts';
import type { RecordFlags } from '../record.ts';
import type { ReplayFlags } from '../replay.ts';
import { LOCAL, type Flags, type Run, withSettings } from './settings-flags.ts';

export function machineCommands(root: Command, run: Run): void {
  withSettings(root.command('inspect'), LOCAL)
    .description('see the machines of the running daemon at work, in a browser')
    .option('--port <port>', 'loopback port of the page; 0 picks a free one', '0')
    .option('--open', 'open it in the browser')
    .option('--stately', "serve Stately's own inspector instead (https://stately.ai/inspect)")
    .action((flags: Flags & InspectFlags) =>
      run(flags, async (config) => (await import('../inspect.ts')).inspect(config, flags)),
    );

  withSettings(root.command('record'), LOCAL)
    .description('record what goes into the machines of the running daemon, for a bug report')
    .option('--out <file>', 'a new file; without it one in this directory, named by the time')
    .option('--for <seconds>', 'end by itself after so long')
    .addHelpText('after', RECORD_HELP)
    .action((flags: Flags & RecordFlags) =>
      run(flags, async (config) => (await import('../record.ts')).record(config, flags)),
    );

  root
    .command('replay')
    .description('feed a recording to the machines of this version, and compare their states')
    .argument('<file>', 'what "oa-bridge record" wrote')
    .option('--all', 'also show the events that changed no state')
    .option('--json', 'for machines: every step')
    .option('--inspect', 'then show it in the inspector')
    .option('--port <port>', 'with --inspect: its loopback port; 0 picks a free one', '0')
    .option('--open', 'with --inspect: open it in the browser')
    .addHelpText('after', '\nExit codes: 0 the same states, 1 a machine went elsewhere.')
    .action((file: string, flags: ReplayFlags) =>
      run({}, async () => (await import('../replay.ts')).replay(file, flags)),
    );
}

/** Commander wraps its own text only: what is added here has lines of at most 80 characters. */
const RECORD_HELP = `
It holds the names, ids and paths of what happened, and no text: neither prompts
nor answers, nor what commands print. Look at it before you give it away.`;
